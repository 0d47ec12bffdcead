package rawconn

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// conn reads and writes little with raw calls. All else is the connection's own.
type conn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Wrap returns c, faster than it was if it is a TCP connection. That is a wire.Gauge.
func Wrap(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return c
	}
	return &conn{t, raw}
}

// Unsent implements wire.Gauge by SIOCOUTQ (tcp(7)).
func (c *conn) Unsent() (int, bool) {
	var n int32
	var errno syscall.Errno
	err := c.raw.Control(func(fd uintptr) {
		_, _, errno = syscall.RawSyscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	})
	return int(n), err == nil && errno == 0
}

// maxRaw is how many bytes are read or written by a raw call. The processor is busy
// for as long as the kernel copies them, and collecting garbage waits for it.
const maxRaw = 16 << 10

// Read implements net.Conn.
func (c *conn) Read(b []byte) (n int, err error) {
	if !raw {
		return c.TCPConn.Read(b)
	}
	if len(b) == 0 {
		return 0, nil
	}
	b = b[:min(len(b), maxRaw)]
	var errno syscall.Errno
	err = c.raw.Read(func(fd uintptr) bool {
		n, errno = call(syscall.SYS_READ, fd, b)
		return errno != syscall.EAGAIN
	})
	switch {
	case err != nil || errno != 0:
		return 0, c.fault("read", errno, err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (n int, err error) {
	if !raw || len(b) == 0 || len(b) > maxRaw {
		return c.TCPConn.Write(b)
	}
	var errno syscall.Errno
	err = c.raw.Write(func(fd uintptr) bool {
		for n < len(b) {
			var m int
			if m, errno = call(syscall.SYS_WRITE, fd, b[n:]); errno != 0 {
				return errno != syscall.EAGAIN
			}
			n += m
		}
		return true
	})
	if err != nil || errno != 0 {
		return n, c.fault("write", errno, err)
	}
	return n, nil
}

// call makes a system call on a socket that does not block, again if a signal came
// before it did anything.
func call(trap, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// fault returns the error that the connection itself would have returned: of the call
// or, if it could not be made, that of package net without the name of its detour.
func (c *conn) fault(op string, errno syscall.Errno, err error) error {
	if o, ok := err.(*net.OpError); ok {
		err = o.Err
	} else if err == nil {
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
