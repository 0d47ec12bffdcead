package control

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel which user is at the other end (SO_PEERCRED, unix(7)): the one
// at the time of connect, which no message can claim to be.
func peerOf(c net.Conn) (p Peer, ok bool) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return p, false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return p, false
	}
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if ok = err == nil; ok {
			p = Peer{UID: int(cred.Uid), PID: int(cred.Pid)}
		}
	})
	return p, ok && err == nil
}
