package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// nonblock opens a named pipe without a writer, too.
const nonblock = 0

// SyncFolder has nothing to do: a folder cannot be flushed on Windows, NTFS journals it.
func SyncFolder(string) error { return nil }

// Unwritable reports whether err is of a disk that can be read but not written.
func Unwritable(err error) bool {
	return errors.Is(err, windows.ERROR_WRITE_PROTECT) || errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// TryLock takes the lock on f, which ends with the process, and reports whether
// no other process has it. The lock is on a byte far behind the text, which others
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

func openFile(name string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}

func makeFolder(dir string, perm os.FileMode) error { return os.Mkdir(dir, perm) }

// GiveSocket has nothing to do: on Windows a file inherits the rights of its folder.
func GiveSocket(string) error { return nil }

// Foreign reports whether a file belongs to another user than its folder.
func Foreign(string) bool { return false }
