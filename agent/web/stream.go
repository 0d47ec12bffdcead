package web

import (
	"net/http"
	"net/url"

	"pithings/agent/access"
)

// maxStreams is how many answers without an end there are at a time. They count apart from
// http.max_connections, so that those who only watch leave the others their connections. The last
// few are for clients that are logged in or send a token.
const (
	maxStreams   = 64
	knownStreams = 8
)

// Stream makes a request's answer one without an end, unless there are too many. end ends that.
func Stream(r *http.Request) (end func(), ok bool) {
	c, counts := r.Context().Value(connKey{}).(*limitedConn)
	if !counts { // the local socket
		return func() {}, true
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	most := maxStreams
	if !c.known {
		most -= knownStreams
	}
	if c.stream || c.of.streams >= most {
		return nil, false
	}
	c.stream = true
	c.of.streams++
	return func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.endStream()
	}, true
}

// endStream is called with the lock.
func (c *limitedConn) endStream() {
	if c.stream {
		c.stream = false
		c.of.streams--
	}
}

// Buffer bounds what the kernel keeps for a client of a stream that reads slowly, in bytes. It holds
// for all that is sent on the connection from now on.
func Buffer(r *http.Request, bytes int) {
	c, ok := r.Context().Value(connKey{}).(*limitedConn)
	if !ok {
		return
	}
	if conn, ok := c.Conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = conn.SetWriteBuffer(bytes) // then it keeps what it likes
	}
}

// Acts reports whether the client of a request may act now: by its role, or as one of the local
// socket.
func Acts(r *http.Request) bool {
	v, ok := r.Context().Value(visitKey{}).(*visit)
	return !ok || v.again().Role >= access.Act
}

// Allowed reports whether the client of a stream may still have it: its session may have ended
// and its token been revoked.
func Allowed(r *http.Request) bool {
	v, ok := r.Context().Value(visitKey{}).(*visit)
	if !ok {
		return true
	}
	d := v.again()
	return d.Allowed()
}

// byAddress are the routes that can be opened by their address alone, with ?token= or a signature,
// for programs that send no headers, such as Home Assistant's generic camera.
var byAddress = map[string]bool{"/api/v1/things/{name}/snapshot.jpg": true, "/api/v1/things/{name}/stream.mjpeg": true}

// addressed is the role that the address of a request gives.
func addressed(door *access.Door, u *url.URL, o *origin) access.Role {
	query := u.Query()
	if token := query.Get("token"); token != "" {
		return door.Token(token, o.from)
	}
	if door.Signed(u.Path, query) {
		return access.Look
	}
	return access.None
}
