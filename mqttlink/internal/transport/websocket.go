package transport

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

	"pithings/mqttlink/endpoint"
	"pithings/mqttlink/internal/rawconn"
	"pithings/mqttlink/wire"
)

// StatusError is an HTTP answer that is not the switch to a WebSocket.
type StatusError struct{ Status int }

func (e *StatusError) Error() string { return fmt.Sprintf("HTTP status %d", e.Status) }

// maxUpgrade is how many bytes a server may answer to the WebSocket request: a status
// line and headers, which the client library reads however long they are.
const maxUpgrade = 64 << 10

// ErrUpgrade ends a handshake whose answer is longer than that.
var ErrUpgrade = fmt.Errorf("the answer is longer than %d KiB", maxUpgrade>>10)

// upgrading is a connection that reads a limited number of bytes until the WebSocket is
// open. It is read by one goroutine, which is also the one that opens it.
type upgrading struct {
	net.Conn
	open bool
	left int // bytes
}

func (u *upgrading) Read(p []byte) (int, error) {
	if u.open {
		return u.Conn.Read(p)
	}
	if u.left <= 0 {
		return 0, ErrUpgrade
	}
	n, err := u.Conn.Read(p[:min(len(p), u.left)])
	u.left -= n
	return n, err
}

func dialWebSocket(ctx context.Context, open Dialer, e endpoint.Endpoint, c *tls.Config) (net.Conn, error) {
	var limited *upgrading
	connect := func(ctx context.Context, network, address string, encrypt bool) (net.Conn, error) {
		conn, err := open(ctx, network, address)
		if err != nil {
			return nil, &Error{Dialing, err}
		}
		conn = rawconn.Wrap(conn)
		if encrypt {
			if conn, err = handshake(ctx, conn, c); err != nil {
				return nil, err
			}
		}
		limited = &upgrading{Conn: conn, left: maxUpgrade}
		return limited, nil
	}
	d := websocket.Dialer{
		Subprotocols: []string{"mqtt"}, // MQTT 3.1.1 section 6
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return connect(ctx, network, address, false)
		},
		NetDialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return connect(ctx, network, address, true)
		},
	}
	ws, resp, err := d.DialContext(ctx, e.URL(), http.Header{})
	if err != nil {
		var s *Error
		switch {
		case errors.As(err, &s):
			return nil, err
		case resp != nil:
			err = &StatusError{resp.StatusCode}
		}
		return nil, &Error{Upgrading, err}
	}
	limited.open = true
	return &webSocket{Conn: limited.Conn, ws: ws}, nil
}

// webSocket makes a stream of a WebSocket's messages. Read deadlines, addresses
// and closing are those of the connection below.
type webSocket struct {
	net.Conn
	ws      *websocket.Conn
	message io.Reader // what is left of the message being read
}

// closeTime bounds saying why a WebSocket is closed.
const closeTime = 100 * time.Millisecond

// Read returns bytes of one message at a time; where messages end means nothing
// to MQTT.
func (w *webSocket) Read(p []byte) (int, error) {
	for {
		if w.message == nil {
			kind, r, err := w.ws.NextReader()
			if err != nil {
				var closed *websocket.CloseError
				if errors.As(err, &closed) {
					err = io.EOF
				}
				return 0, err
			}
			if kind != websocket.BinaryMessage { // MQTT 3.1.1 section 6, [MQTT-6.0.0-1]
				why := websocket.FormatCloseMessage(websocket.CloseUnsupportedData, "MQTT travels in binary frames only")
				_ = w.ws.WriteControl(websocket.CloseMessage, why, time.Now().Add(closeTime))
				return 0, &wire.ProtocolError{What: "the broker sent a WebSocket frame of text, and MQTT travels in binary ones only"}
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
