package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// maxPath is the longest path that fits into a sockaddr_un (unix(7)), less its end.
const maxPath = 107

// shorten returns a path to the same socket that the kernel takes, however long
// the folder's is; release gives it up.
func shorten(path string) (short string, release func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
}

// bornWith makes a socket have its mode, less the umask, when it appears: bind(2) takes
// that of the descriptor. A chmod afterwards would follow a link that the owner of the
// folder has put in its place.
func bornWith(mode os.FileMode) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var modeErr error
		err := c.Control(func(fd uintptr) { modeErr = syscall.Fchmod(int(fd), uint32(mode.Perm())) })
		return errors.Join(err, modeErr)
	}
}
