package host

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// property is IOCTL_MBOX_PROPERTY, _IOWR(100, 0, char *) of
// drivers/char/broadcom/vcio.c: the size of a pointer is in it.
const property = 3<<30 | unsafe.Sizeof(uintptr(0))<<16 | 100<<8

func (m *Mailbox) ioctl(msg *message) error {
	conn, err := m.file.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	err = conn.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(property), uintptr(unsafe.Pointer(msg)))
	})
	if err == nil && errno != 0 {
		err = errno
	}
	return err
}
