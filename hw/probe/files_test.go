package probe

import (
	"io/fs"
	"strings"
	"testing"
)

// links is a file tree of links alone, which may lead anywhere.
type links map[string]string

func (links) Open(name string) (fs.File, error) { return nothing{}.Open(name) }

func (links) Lstat(name string) (fs.FileInfo, error) { return nil, fs.ErrNotExist }

func (l links) ReadLink(name string) (string, error) {
	if to, ok := l[name]; ok && fs.ValidPath(name) {
		return to, nil
	}
	return "", fs.ErrNotExist
}

// FuzzFiles: no name leads out of the root, or into a loop.
func FuzzFiles(f *testing.F) {
	f.Add("/dev/v4l/by-id/x", "../../../../video0")
	f.Add("dev/loop", "loop")
	f.Fuzz(func(t *testing.T, name, to string) {
		r := Files{links{"dev/v4l/by-id/x": to, "dev/loop": to}}
		for _, n := range []string{name, "/dev/v4l/by-id/x", "/dev/loop"} {
			if got := r.Resolve(n); !strings.HasPrefix(got, "/") || strings.Contains(got, "/../") {
				t.Errorf("%q leads to %q", n, got)
			}
			r.Exists(n)
		}
	})
}
