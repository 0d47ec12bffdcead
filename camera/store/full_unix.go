//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// isFull reports whether a file could not be written for want of room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// isUnwritable reports whether a disk can be read but not written.
func isUnwritable(err error) bool { return isFull(err) || errors.Is(err, syscall.EROFS) }

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
