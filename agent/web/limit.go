package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"pithings/quietlog"
)

// connLimit is a listener that keeps no more than max connections open, however many
// others ask for: a goroutine and its buffers for each of 16,400 idle ones took 330 MB.
// A new connection beyond that closes one of the host that has most:
//
//	idle     no request has been read, or its answer is sent   the one idle longest goes
//	serving  a handler runs or its answer is on its way        goes only if another host
//	                                                           has more than the newcomer's
//
// One of a client that is logged in, or has sent a token, is closed for no other.
//
// A connection that sends its request slowly (slow loris) is idle here, so that it is closed
// as soon as another client connects.
type connLimit struct {
	net.Listener
	max     int
	repeats *quietlog.Repeats

	mu    sync.Mutex
	conns map[*limitedConn]struct{}
	// streams are those of conns without an end, which do not count.
	streams int
	turn    uint64 // counts up whenever a connection becomes idle or busy
}

func newConnLimit(l net.Listener, max int, log *slog.Logger) *connLimit {
	return &connLimit{Listener: l, max: max, repeats: quietlog.NewRepeats(log), conns: map[*limitedConn]struct{}{}}
}

// limitedConn is a connection that counts.
type limitedConn struct {
	net.Conn
	of      *connLimit
	host    netip.Prefix
	serving bool
	stream  bool   // its answer has no end
	known   bool   // its last request was by a session or a token
	since   uint64 // turn
}

// Accept implements net.Listener.
func (l *connLimit) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &limitedConn{Conn: conn, of: l, host: hostOf(conn.RemoteAddr())}
		if victim := l.add(c); victim != nil {
			l.repeats.Say(slog.LevelWarn, "", "web server: too many connections; the oldest idle one is closed", "limit", l.max, "kind", "http.max_connections")
			victim.Close()
			if victim == c {
				continue
			}
		}
		return c, nil
	}
}

// add counts a connection and returns the one that has to go, if any: c itself, if no
// other is worth less.
func (l *connLimit) add(c *limitedConn) (victim *limitedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
	c.since = l.turn
	l.conns[c] = struct{}{}
	if len(l.conns)-l.streams <= l.max {
		return nil
	}
	victim = l.cheapest(c)
	delete(l.conns, victim)
	return victim
}

// cheapest returns the connection that has to go.
func (l *connLimit) cheapest(newest *limitedConn) *limitedConn {
	held := map[netip.Prefix]int{}
	var idle, serving []*limitedConn
	for c := range l.conns {
		held[c.host]++
		switch {
		case c.known, c.stream:
		case c.serving:
			serving = append(serving, c)
		case c != newest:
			idle = append(idle, c)
		}
	}
	from := idle
	if len(idle) == 0 {
		from = slices.DeleteFunc(serving, func(c *limitedConn) bool { return held[c.host] <= held[newest.host] })
	}
	if len(from) == 0 {
		return newest
	}
	return slices.MaxFunc(from, func(a, b *limitedConn) int {
		return cmp.Or(cmp.Compare(held[a.host], held[b.host]), cmp.Compare(b.since, a.since))
	})
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.endStream()
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// now notes what a connection does.
func (c *limitedConn) now(serving bool) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.turn++
	c.serving, c.since = serving, c.of.turn
}

// by notes whether the client of a connection is known.
func (c *limitedConn) by(known bool) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.known = known
}

// counted is the connection that counts, below TLS; nil: none.
func counted(c net.Conn) *limitedConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	l, _ := c.(*limitedConn)
	return l
}

// connKey is the context key of a request's connection.
type connKey struct{}

// watch has the server tell the limit what its connections do.
func (l *connLimit) watch(s *http.Server) {
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if c := counted(c); c != nil {
			ctx = context.WithValue(ctx, connKey{}, c)
		}
		return ctx
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if c := counted(c); c != nil && state == http.StateIdle {
			c.now(false)
		}
	}
	h := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*limitedConn); ok {
			c.now(true)
		}
		h.ServeHTTP(w, r)
	})
}

// hostOf is whom a connection counts for: an IPv4 address, or the network of 64 bits
// that one host can have all addresses of (RFC 4291, section 2.5.4).
func hostOf(a net.Addr) netip.Prefix {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	return network(t.AddrPort().Addr().Unmap().WithZone(""))
}

func network(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // zero for no address
	return p
}
