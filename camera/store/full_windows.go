package store

import (
	"errors"

	"golang.org/x/sys/windows"
)

// isFull tells whether a file could not be written for want of room.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// syncDir does nothing: folders cannot be synced there.
func syncDir(string) error { return nil }
