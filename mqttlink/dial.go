package mqttlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"pithings/mqttlink/internal/prompt"
)

// dialer opens a network connection. It goes straight to the address: proxies
// named in the environment (all_proxy, https_proxy) are not used.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// dial opens the connection over which MQTT is spoken.
func dial(ctx context.Context, open dialer, e Endpoint, c *tls.Config) (net.Conn, error) {
	if e.WebSocket() {
		return dialWebSocket(ctx, open, e, c)
	}
	conn, err := open(ctx, "tcp", e.Addr())
	if err != nil {
		return nil, &stageError{stageDial, err}
	}
	conn = prompt.Conn(conn)
	if !e.TLS() {
		return conn, nil
	}
	return handshake(ctx, conn, c)
}

func handshake(ctx context.Context, conn net.Conn, c *tls.Config) (net.Conn, error) {
	t := tls.Client(conn, c)
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &stageError{stageTLS, err}
	}
	return t, nil
}

// statusError is an HTTP answer that is not the switch to a WebSocket.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("HTTP status %d", e.status) }

func dialWebSocket(ctx context.Context, open dialer, e Endpoint, c *tls.Config) (net.Conn, error) {
	d := websocket.Dialer{
		Subprotocols: []string{"mqtt"}, // MQTT 3.1.1 section 6
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := open(ctx, network, address)
			if err != nil {
				return nil, &stageError{stageDial, err}
			}
			return prompt.Conn(conn), nil
		},
	}
	d.NetDialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.NetDialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return handshake(ctx, conn, c)
	}
	ws, resp, err := d.DialContext(ctx, e.url(), http.Header{})
	if err != nil {
		var s *stageError
		switch {
		case errors.As(err, &s):
			return nil, err
		case resp != nil:
			err = &statusError{resp.StatusCode}
		}
		return nil, &stageError{stageWebSocket, err}
	}
	return &webSocket{Conn: ws.NetConn(), ws: ws}, nil
}

// webSocket makes a stream of a WebSocket's messages. Read deadlines, addresses
// and closing are those of the connection below.
type webSocket struct {
	net.Conn
	ws      *websocket.Conn
	message io.Reader // what is left of the message being read
}

// Read returns bytes of one message at a time; where messages end means nothing
// to MQTT.
func (w *webSocket) Read(p []byte) (int, error) {
	for {
		if w.message == nil {
			_, r, err := w.ws.NextReader()
			if err != nil {
				var closed *websocket.CloseError
				if errors.As(err, &closed) {
					err = io.EOF
				}
				return 0, err
			}
			w.message = r
		}
		n, err := w.message.Read(p)
		if err == io.EOF {
			w.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends p as one message. It is called by one goroutine at a time.
func (w *webSocket) Write(p []byte) (int, error) {
	if err := w.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetWriteDeadline goes to the WebSocket, which sets it on the connection before
// each write, over whatever is set there.
func (w *webSocket) SetWriteDeadline(t time.Time) error { return w.ws.SetWriteDeadline(t) }

// SetDeadline implements net.Conn.
func (w *webSocket) SetDeadline(t time.Time) error {
	if err := w.ws.SetWriteDeadline(t); err != nil {
		return err
	}
	return w.Conn.SetReadDeadline(t)
}
