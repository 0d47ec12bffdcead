//go:build !linux

package control

import (
	"fmt"
	"os"
	"syscall"
)

// maxPath is the longest path that fits into a sockaddr_un of the systems that are
// not Linux, less its end.
const maxPath = 103

// shorten refuses a path that the system does not take.
func shorten(path string) (short string, release func(), err error) {
	if len(path) > maxPath {
		return "", nil, fmt.Errorf("%s is longer than the %d bytes that a socket's path may have: choose a state folder with a shorter one", path, maxPath)
	}
	return path, func() {}, nil
}

// bornWith cannot: the mode is changed afterwards.
func bornWith(os.FileMode) func(network, address string, c syscall.RawConn) error { return nil }
