package transport

import (
	"crypto/tls"
	"net"

	"pithings/mqttlink/wire"
)

// GaugeOf returns the gauge of what is below TLS and WebSocket, or nil.
func GaugeOf(c net.Conn) wire.Gauge {
	for {
		switch below := c.(type) {
		case wire.Gauge:
			return below
		case *webSocket:
			c = below.Conn
		case *tls.Conn:
			c = below.NetConn()
		default:
			return nil
		}
	}
}
