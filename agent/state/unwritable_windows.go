package state

import (
	"errors"

	"golang.org/x/sys/windows"
)

// unwritable reports whether err is of a disk that can be read but not written.
func unwritable(err error) bool {
	return errors.Is(err, windows.ERROR_WRITE_PROTECT) || errors.Is(err, windows.ERROR_DISK_FULL)
}
