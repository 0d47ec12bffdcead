package host

import (
	"os"

	"golang.org/x/sys/unix"
)

func statfs(folder string) (Space, error) {
	var s unix.Statfs_t
	for {
		switch err := unix.Statfs(folder, &s); err {
		case unix.EINTR:
			continue
		case nil:
			unit := uint64(s.Frsize)
			return Space{Total: s.Blocks * unit, Free: s.Bfree * unit, Available: s.Bavail * unit}, nil
		default:
			return Space{}, &os.PathError{Op: "statfs", Path: folder, Err: err}
		}
	}
}
