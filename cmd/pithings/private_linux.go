package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// keepPrivate keeps what is in the memory of this process, private keys among it, from debuggers of
// the same user and from files of crashes (PR_SET_DUMPABLE, prctl(2)): the kernel then gives the
// files of /proc/PID to root. root may still attach a debugger. PITHINGS_DUMPABLE=1 leaves it open.
func keepPrivate() {
	if os.Getenv("PITHINGS_DUMPABLE") != "1" {
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // no kernel refuses it
	}
}
