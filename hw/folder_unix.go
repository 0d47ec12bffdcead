//go:build unix

package hw

import (
	"io"
	"io/fs"
	"syscall"
)

func (d direct) Read(buf []byte) (n int, err error) {
	conn, err := d.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		for {
			if n, failed = syscall.Read(int(fd), buf); failed != syscall.EINTR {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, &fs.PathError{Op: "read", Path: d.file.Name(), Err: failed}
	case n == 0 && len(buf) > 0:
		return 0, io.EOF
	}
	return n, nil
}
