package mqttlink

import (
	"crypto/tls"
	"net"
	"syscall"
)

// gauge tells how many bytes of a connection the other end does not have yet.
type gauge interface {
	// unsent returns their number. Without ok nothing tells.
	unsent() (n int, ok bool)
}

// socket is the gauge of a connection of the kernel's.
type socket struct{ syscall.RawConn }

// gaugeOf returns the gauge of what is below TLS and WebSocket, or nil.
func gaugeOf(c net.Conn) gauge {
	for {
		switch below := c.(type) {
		case gauge:
			return below
		case *webSocket:
			c = below.Conn
		case *tls.Conn:
			c = below.NetConn()
		case syscall.Conn:
			raw, err := below.SyscallConn()
			if err != nil {
				return nil
			}
			return socket{raw}
		default:
			return nil
		}
	}
}
