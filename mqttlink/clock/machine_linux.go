package clock

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ThisMachine is the machine that the program runs on.
func ThisMachine() Machine {
	return Machine{Root: os.DirFS("/"), Now: time.Now, Uptime: uptime, Synchronised: synchronised}
}

func uptime() time.Duration {
	var t unix.Timespec
	// It cannot fail: the clock is there since Linux 2.6.39, and t is ours. It does not
	// block either, so Go's scheduler need not hear of it: each message is stamped.
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano())
}

// staUnsync is STA_UNSYNC of linux/timex.h. The kernel starts with it, clears it
// when a time service says so, and sets it again when it has not heard of one for
// so long that the clock may be wrong by 16 s.
const staUnsync = 0x0040

func synchronised() (bool, error) {
	var t unix.Timex // no modes: nothing is changed, which needs no privilege
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, os.NewSyscallError("adjtimex", err)
	}
	return t.Status&staUnsync == 0, nil
}
