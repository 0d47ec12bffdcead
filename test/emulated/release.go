package emulated

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"pithings/test/binary"
)

// release is the Debian package for Raspberry Pis as users get it.
type release struct {
	deb   string // its file
	files string // a folder with what is in it, unpacked
}

// file is the place of one of its files, given by that in a system.
func (r release) file(name string) string { return filepath.Join(r.files, name) }

var (
	releaseOnce sync.Mutex
	released    = map[string]release{}
)

// newRelease makes the package below a folder, once for all machines.
func newRelease(ctx context.Context, dir string) (r release, err error) {
	releaseOnce.Lock()
	defer releaseOnce.Unlock()
	if r, ok := released[dir]; ok {
		return r, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return r, err
	}
	r.files = filepath.Join(dir, "files")
	if err := os.MkdirAll(r.files, 0o755); err != nil {
		return r, err
	}
	if r.deb, err = binary.Deb(dir, "0.0.0-test", "armhf"); err != nil {
		return r, err
	}
	if out, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", r.deb, r.files).CombinedOutput(); err != nil {
		return r, fmt.Errorf("unpacking the package: %w\n%s", err, out)
	}
	released[dir] = r
	return r, nil
}
