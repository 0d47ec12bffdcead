package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// SyncFolder has nothing to do: a folder cannot be flushed on Windows, NTFS journals it.
func SyncFolder(string) error { return nil }

// Unwritable reports whether err is of a disk that can be read but not written.
func Unwritable(err error) bool {
	return errors.Is(err, windows.ERROR_WRITE_PROTECT) || errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// TryLock takes the lock on f, which ends with the process, and reports whether
// nobody else has it. The lock is on a byte far behind the text, which others
// could not read otherwise.
func TryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{Offset: 1 << 30})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		return false, nil
	}
	return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
}
