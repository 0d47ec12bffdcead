package control

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"pithings/api"
)

// Peer is who is at the other end of a connection.
type Peer struct{ UID, PID int }

// peerKey is the key of a connection's *visitor in its context.
type peerKey struct{}

// visitor is a peer at one of the sockets.
type visitor struct {
	server *Server
	peer   Peer
	known  bool
	shared bool // the socket is open to a group
}

// owner reports whether the visitor may do all: root, and the user of this process. At
// a socket that no other user can open, that is every user.
func (v *visitor) owner() bool {
	return v == nil || !v.shared || v.known && (v.peer.UID == 0 || v.peer.UID == os.Geteuid())
}

// greet notes who is at the other end of a new connection.
func (s *Server) greet(ctx context.Context, c net.Conn) context.Context {
	v := &visitor{server: s}
	if g, ok := c.(guest); ok {
		c, v.shared = g.Conn, true
	}
	v.peer, v.known = peerOf(c)
	return context.WithValue(ctx, peerKey{}, v)
}

// guest is a connection at a socket that is open to a group.
type guest struct{ net.Conn }

// CloseWrite notifies the other end that no more data comes.
func (g guest) CloseWrite() error {
	if c, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// forOwner lets h answer root and the user of this process only. what is what the others may
// not do, for the message: "deploy flows".
func forOwner(what string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v, _ := r.Context().Value(peerKey{}).(*visitor); !v.owner() {
			api.Fail(w, forbidden{fmt.Sprintf("only root and the user of the agent may %s: say it again with sudo", what)})
			return
		}
		h.ServeHTTP(w, r)
	})
}

// forbidden is a refusal because of who asks.
type forbidden struct{ text string }

func (e forbidden) Error() string { return e.text }
func (forbidden) Unwrap() error   { return api.Status(http.StatusForbidden) }
