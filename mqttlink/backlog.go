package mqttlink

import (
	"crypto/tls"
	"net"

	"pithings/mqttlink/internal/prompt"
)

// gaugeOf returns the gauge of what is below TLS and WebSocket, or nil.
func gaugeOf(c net.Conn) prompt.Gauge {
	for {
		switch below := c.(type) {
		case prompt.Gauge:
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
