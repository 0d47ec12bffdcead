package store

import (
	"errors"

	"golang.org/x/sys/windows"
)

// isFull reports whether a file could not be written for want of room.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// isUnwritable reports whether a disk can be read but not written.
func isUnwritable(err error) bool { return isFull(err) || errors.Is(err, windows.ERROR_WRITE_PROTECT) }

// syncDir does nothing: folders cannot be synced there.
func syncDir(string) error { return nil }
