package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forgetStart gives back what starting took: the pages of the program's own file that
// were needed once, to read the command line and the configuration. They are clean;
// whatever is needed again comes back from the page cache (madvise(2),
// MADV_DONTNEED). On a board with little memory that is a tenth of the process.
func forgetStart() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/maps") // proc(5)
	if err != nil {
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var from, to uintptr
		var perms string
		if n, err := fmt.Sscanf(s.Text(), "%x-%x %4s", &from, &to, &perms); n != 3 || err != nil {
			continue
		}
		// Only what nobody can have written to.
		if strings.HasSuffix(s.Text(), " "+self) && (perms == "r--p" || perms == "r-xp") {
			_ = unix.Madvise(unsafe.Slice(address(from), to-from), unix.MADV_DONTNEED)
		}
	}
}

// address is a place in the memory of the process that the runtime does not manage.
func address(at uintptr) *byte { return *(**byte)(unsafe.Pointer(&at)) }
