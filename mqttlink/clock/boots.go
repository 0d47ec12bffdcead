package clock

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/mqttlink/durable"
)

// boot is a line of the file of the boots: one whose clock became known.
type boot struct {
	id    [16]byte
	began time.Time
	by    Reason
}

const (
	bootsName = "boots"
	maxBoots  = 256
	maxBytes  = 64 << 10 // of the file; 256 lines have 25 KiB

	bootsHead = "# When the boots of this machine began, by pithings: it dates messages of before the clock was known.\n"
)

// Nothing was booted with this program outside these years.
var (
	earliest = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// maxUptime bounds what is trusted of a stamp that was on a disk.
const maxUptime = 100 * 365 * 24 * time.Hour

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readBoots reads the file in dir, oldest entry first. There is no error: what
// cannot be read is not known.
func readBoots(dir string) []boot {
	f, err := os.Open(filepath.Join(dir, bootsName))
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBytes))
	if err != nil {
		return nil
	}
	return parseBoots(string(text))
}

// parseBoots reads the lines whose checksums are right. The last of several of one
// boot holds.
func parseBoots(text string) []boot {
	var all []boot
	for line := range strings.Lines(text) {
		b, ok := parseLine(strings.TrimSuffix(line, "\n"))
		if !ok {
			continue
		}
		all = putBoot(all, b)
	}
	return all
}

// putBoot adds b, in the place of an entry of the same boot, and lets the oldest go.
func putBoot(all []boot, b boot) []boot {
	all = slices.DeleteFunc(all, func(x boot) bool { return x.id == b.id })
	all = append(all, b)
	if n := len(all) - maxBoots; n > 0 {
		all = slices.Delete(all, 0, n)
	}
	return all
}

func parseLine(line string) (b boot, ok bool) {
	text, sum, ok := cutLast(line, " ")
	if !ok {
		return b, false
	}
	if n, err := strconv.ParseUint(sum, 16, 32); err != nil || uint32(n) != crc32.Checksum([]byte(text), castagnoli) {
		return b, false
	}
	f := strings.Split(text, " ")
	if len(f) != 3 {
		return b, false
	}
	if b.id, ok = parseBoot(f[0]); !ok {
		return b, false
	}
	var err error
	if b.began, err = time.Parse(time.RFC3339Nano, f[1]); err != nil || b.began.Before(earliest) || b.began.After(latest) {
		return b, false
	}
	b.by = Reason(f[2])
	return b, true
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func formatBoots(all []boot) string {
	var b strings.Builder
	b.WriteString(bootsHead)
	for _, x := range all {
		line := formatBoot(x.id) + " " + x.began.UTC().Format(time.RFC3339Nano) + " " + string(x.by)
		fmt.Fprintf(&b, "%s %08x\n", line, crc32.Checksum([]byte(line), castagnoli))
	}
	return b.String()
}

// writeBoots replaces the file: after a power cut the old or the new one is there,
// whole. A process beside us that does the same at the same time may make this
// fail; it is tried again.
func writeBoots(dir string, all []boot) (err error) {
	temporary := filepath.Join(dir, bootsName+"."+strconv.Itoa(os.Getpid())+".tmp")
	f, err := durable.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, formatBoots(all))
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temporary, filepath.Join(dir, bootsName))
	}
	if err != nil {
		os.Remove(temporary)
		return err
	}
	_ = durable.SyncFolder(dir) // or the old file may be back after a power cut, which is no worse than before
	// What processes that were killed have left.
	left, _ := filepath.Glob(filepath.Join(dir, bootsName+".*.tmp"))
	for _, name := range left {
		os.Remove(name)
	}
	return nil
}

// saved reports whether the file has this entry.
func saved(dir string, b boot) bool {
	return slices.ContainsFunc(readBoots(dir), func(x boot) bool { return x.id == b.id && x.by == b.by && x.began.Equal(b.began) })
}

// reason takes the path out of a file error.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
