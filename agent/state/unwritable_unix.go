//go:build unix

package state

import (
	"errors"

	"golang.org/x/sys/unix"
)

// unwritable reports whether err is of a disk that can be read but not written.
func unwritable(err error) bool {
	return errors.Is(err, unix.EROFS) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
