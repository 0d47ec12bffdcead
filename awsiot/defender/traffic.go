package defender

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// counters are how much has passed an interface since it is there.
type counters struct{ bytesIn, packetsIn, bytesOut, packetsOut uint64 }

// maxDev bounds /proc/net/dev, in bytes; a line has 120.
const maxDev = 256 << 10

// readTraffic reads the counters of all interfaces but lo.
func readTraffic(root fs.FS) (map[string]counters, error) {
	f, err := root.Open("proc/net/dev")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDev+1))
	if err == nil && len(text) > maxDev {
		err = errors.New("it is too long")
	}
	if err != nil {
		return nil, fmt.Errorf("proc/net/dev: %w", err)
	}
	return parseTraffic(string(text))
}

// parseTraffic reads two lines of headings, and a line for each interface: its name, eight
// numbers of what it has received and eight of what it has sent.
//
//	eth0: 1962737224   66565    0    0    0     0          0         0  4444774   44489    0    0    0     0       0          0
func parseTraffic(text string) (map[string]counters, error) {
	all := map[string]counters{}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if i < 2 {
			continue
		}
		at := strings.LastIndexByte(line, ':') // an alias is called eth0:1
		fields := strings.Fields(line[at+1:])
		if at < 0 || len(fields) < 10 {
			return nil, fmt.Errorf("proc/net/dev: line %d is no interface", i+1)
		}
		name := strings.TrimSpace(line[:at])
		var c counters
		for _, f := range []struct {
			to    *uint64
			field int
		}{{&c.bytesIn, 0}, {&c.packetsIn, 1}, {&c.bytesOut, 8}, {&c.packetsOut, 9}} {
			n, err := strconv.ParseUint(fields[f.field], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("proc/net/dev: line %d: %w", i+1, err)
			}
			*f.to = n
		}
		if name != "lo" {
			all[name] = c
		}
	}
	return all, nil
}

// since is what has passed all interfaces since before. One that is new, or whose counters
// began again, counts with all that it has.
func since(before, now map[string]counters) (sum counters) {
	for name, n := range now {
		b := before[name]
		if n.bytesIn < b.bytesIn || n.bytesOut < b.bytesOut || n.packetsIn < b.packetsIn || n.packetsOut < b.packetsOut {
			b = counters{}
		}
		sum.bytesIn += n.bytesIn - b.bytesIn
		sum.packetsIn += n.packetsIn - b.packetsIn
		sum.bytesOut += n.bytesOut - b.bytesOut
		sum.packetsOut += n.packetsOut - b.packetsOut
	}
	return sum
}
