package clock

import (
	"encoding/hex"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Machine is what a clock looks at. Tests make one of their own.
type Machine struct {
	// Root is the file tree, of which /run, /proc, /etc and /sys are read; nil on
	// systems that keep the time by themselves.
	Root fs.FS
	// Now is the wall clock.
	Now func() time.Time
	// Uptime is the time since boot, sleep included (CLOCK_BOOTTIME).
	Uptime func() time.Duration
	// Synchronised reports whether the kernel's clock is (adjtimex(2) without
	// STA_UNSYNC). An error says that it may not be asked; nil: it cannot be.
	Synchronised func() (bool, error)
}

// maxText bounds what is read of a file of the system, which is a page at most.
const maxText = 4 << 10

// text returns what a small file says, "" when it cannot be read.
func (m *Machine) text(path string) string {
	f, err := m.Root.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// boot returns the id that the kernel has given this boot.
func (m *Machine) boot() (id [16]byte, ok bool) {
	if m.Root == nil {
		return id, false
	}
	return parseBoot(m.text("proc/sys/kernel/random/boot_id"))
}

// parseBoot reads 58b7b752-7806-4438-a352-afb72d53bbd8.
func parseBoot(s string) (id [16]byte, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(id) || len(s) != 36 {
		return id, false
	}
	id = [16]byte(b)
	return id, id != [16]byte{}
}

func formatBoot(id [16]byte) string {
	s := hex.EncodeToString(id[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}
