//go:build unix

package state

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock locks f until it is closed. It does not wait.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
