package pi

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl numbers are encoded as in asm-generic/ioctl.h, which holds for every
// architecture that pithings is built for.
const (
	iocWrite = 1
	iocRead  = 2
)

func ioc(dir, group, nr, size uintptr) uintptr { return dir<<30 | size<<16 | group<<8 | nr }

// ioctl makes the request with a pointer argument, again when a signal (the Go
// runtime's own preemption, for one) interrupted it.
func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		switch {
		case errno == 0:
			return nil
		case !errors.Is(errno, unix.EINTR):
			return errno
		}
	}
}

// ioctlValue makes the request with a plain number as argument.
func ioctlValue(fd int, request, arg uintptr) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, arg)
		switch {
		case errno == 0:
			return nil
		case !errors.Is(errno, unix.EINTR):
			return errno
		}
	}
}
