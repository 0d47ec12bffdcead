package history

import (
	"os"

	"golang.org/x/sys/unix"
)

// Sync writes no inode when nothing but the times in it has changed, unlike fsync: when a ring
// has gone round, that is four fifths of what a page costs on ext4.
func (f osFile) Sync() error {
	for {
		switch err := unix.Fdatasync(int(f.Fd())); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}
