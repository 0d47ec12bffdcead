package mqttlink

import "golang.org/x/sys/unix"

// unsent implements gauge by SIOCOUTQ (tcp(7)): what has been written and not been
// acknowledged by the other end's kernel.
func (s socket) unsent() (n int, ok bool) {
	var err error
	if s.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }) != nil {
		return 0, false
	}
	return n, err == nil
}
