package control

import (
	"fmt"
	"os"
	"path/filepath"
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
