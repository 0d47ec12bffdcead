//go:build unix

package durable

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A named pipe held a command up for ever, and a device has no end.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, size := range map[string]int{"small": 10, "most": 100, "large": 101} {
		if err := os.WriteFile(path(name), bytes.Repeat([]byte("x"), size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink("fifo", path("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("small", path("good")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path("large"), 1<<40); err != nil { // sparse
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"small": "", "most": "", "good": "",
		"large": "larger than 100 bytes", "fifo": "but a pipe", "link": "but a pipe", "socket": "but a socket", ".": "but a folder",
		"/dev/zero": "but a device", "none": "no such file", "/proc/self/maps": "larger than 100 bytes",
	} {
		t.Run(name, func(t *testing.T) {
			file := name
			if !filepath.IsAbs(file) {
				file = path(name)
			} else if _, err := os.Stat(file); err != nil {
				t.Skip(err)
			}
			data, err := ReadFile(file, 100)
			switch {
			case want == "" && (err != nil || len(data) == 0):
				t.Errorf("%d bytes, %v", len(data), err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file)):
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}
