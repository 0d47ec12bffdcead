//go:build emulated

package emulated

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/test/emulated/guest"
)

// disk is a virtio disk with an ext4 file system.
type disk struct {
	t    *testing.T
	file string
}

const diskSize = 64 << 20

func newDisk(t *testing.T, b *bench) *disk {
	t.Helper()
	d := &disk{t, filepath.Join(t.TempDir(), "disk.img")}
	f, err := os.Create(d.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close()); err != nil {
		t.Fatal(err)
	}
	d.tool("/sbin/mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.file)
	return d
}

// tool runs one of e2fsprogs, and returns its exit status.
func (d *disk) tool(name string, args ...string) int {
	d.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && strings.HasSuffix(name, "e2fsck"):
		d.t.Logf("e2fsck: %v\n%s", err, out)
		return exit.ExitCode()
	}
	d.t.Fatalf("%s: %v\n%s", name, err, out)
	return 0
}

// check finds nothing to repair on a disk that was unmounted.
func (d *disk) check() {
	d.t.Helper()
	if status := d.tool("/sbin/e2fsck", "-f", "-n", d.file); status != 0 {
		d.t.Errorf("e2fsck found errors on an unmounted disk: exit status %d", status)
	}
}

// checkCut finds nothing but a journal to replay on a disk whose machine lost
// its power. It looks at a copy, and leaves the journal to the guest's kernel.
func (d *disk) checkCut() {
	d.t.Helper()
	text, err := os.ReadFile(d.file)
	if err != nil {
		d.t.Fatal(err)
	}
	after := &disk{d.t, d.file + ".cut"}
	if err := os.WriteFile(after.file, text, 0o644); err != nil {
		d.t.Fatal(err)
	}
	// 1 is "errors corrected", which e2fsck also says of a replayed journal.
	if status := after.tool("/sbin/e2fsck", "-p", after.file); status > 1 {
		d.t.Errorf("the file system needs more than its journal: e2fsck's exit status is %d", status)
	}
	after.check()
}

// cut runs a boot and cuts the machine's power when what the program says has
// the prefix and moment is reached. It returns what followed the prefix in the
// last such line.
func cut(t *testing.T, b *bench, w boot, prefix string, moment func(rest string) bool) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	g, err := b.start(ctx, w)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Cut()
	var said []string
	for e := range g.Events {
		said = append(said, e.Text)
		if rest, ok := strings.CutPrefix(e.Text, prefix); ok && moment(rest) {
			return rest
		}
		if e.Kind == guest.MarkDone {
			break
		}
	}
	t.Fatalf("the moment to cut the power never came:\n%s", strings.Join(said[max(0, len(said)-60):], "\n"))
	return ""
}

// testPowerCut takes the power away while the program takes pictures and a test
// writes records, and boots again from the same disk: what was synchronised is
// there, and the program continues with the state it had.
func testPowerCut(t *testing.T, b *bench) {
	d := newDisk(t, b)
	w := boot{screen: image.Pt(800, 480), disk: d.file}
	known := 0
	for i, more := range []int{20, 45} {
		t.Run(fmt.Sprintf("cut %d", i+1), func(t *testing.T) {
			d.t = t
			w.name = fmt.Sprintf("cut-%d", i+1)
			w.programs = append(helpers(), whole("TestBeforeAPowerCut", "PITHINGS_TEST_RECORDS="+strconv.Itoa(known)))
			begun := time.Now()
			last := cut(t, b, w, "record ", func(rest string) bool {
				n, _ := strconv.Atoi(rest)
				return n >= known+more
			})
			t.Logf("power cut after record %s, %.1f s after power-up", last, time.Since(begun).Seconds())
			known, _ = strconv.Atoi(last)
			d.checkCut()
		})
	}
	d.t = t
	w.name = "after-cuts"
	w.programs = append(helpers(), whole("TestAfterAPowerCut", "PITHINGS_TEST_RECORDS="+strconv.Itoa(known)))
	run(t, b, w)
	d.check()
}
