package broker

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// listener accepts connections for the library. It has the library's own listener's
// task, and more: a client that never sends CONNECT is closed after a time, or when
// others want its place; at the end all connections are, which the library does only
// for those whose CONNECT has come, while it waits for every one.
type listener struct {
	b         *Broker
	net       net.Listener
	tls       *tls.Config // nil: plain
	wg        sync.WaitGroup
	establish listeners.EstablishFn // set by Serve
	serving   chan struct{}         // closed when it is

	mu    sync.Mutex
	conns map[*conn]time.Time // and when they came; nil when closed
	count int                 // of conns, without our own
}

func newListener(b *Broker, l net.Listener) *listener {
	return &listener{b: b, net: l, tls: b.o.tlsConfig(), serving: make(chan struct{}), conns: map[*conn]time.Time{}}
}

// ID implements the library's Listener, as do the following.
func (l *listener) ID() string { return "tcp" }

// Address returns host:port.
func (l *listener) Address() string { return l.net.Addr().String() }

// Protocol returns "tcp".
func (l *listener) Protocol() string { return l.net.Addr().Network() }

// Init does nothing: the socket is open already, so that a taken port is reported
// before anything else is set up.
func (l *listener) Init(*slog.Logger) error { return nil }

// Serve accepts until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	l.establish = establish
	close(l.serving)
	for {
		c, err := l.net.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, most likely: it passes
			time.Sleep(100 * time.Millisecond)
			continue
		}
		l.admit(c, false)
	}
}

// admit serves a connection, unless there are too many or the listener is closed.
func (l *listener) admit(nc net.Conn, own bool) bool {
	c := l.add(nc, own)
	if c == nil {
		nc.Close()
		return false
	}
	go l.serve(c)
	return true
}

func (l *listener) add(nc net.Conn, own bool) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil || !own && l.count >= l.b.o.MaxClients && !l.makeRoom(addrOf(nc)) {
		return nil
	}
	c := newConn(l.b, nc, own)
	l.conns[c] = time.Now()
	if !own {
		l.count++
	}
	l.wg.Add(1)
	return c
}

// makeRoom closes a connection for one from an address: that which has been waiting
// longest to send its CONNECT, or else the latest of the address that has most, if that
// has more than the new one's would. One host cannot keep all others out.
func (l *listener) makeRoom(addr string) bool {
	var oldest, latest *conn
	count := map[string]int{}
	for c, came := range l.conns {
		if c.own {
			continue
		}
		if !c.ready.Load() && (oldest == nil || came.Before(l.conns[oldest])) {
			oldest = c
		}
		count[c.addr()]++
	}
	most := addr
	for a, n := range count {
		if n > count[most] {
			most = a
		}
	}
	if oldest == nil && count[most] > count[addr]+1 {
		for c, came := range l.conns {
			if !c.own && c.addr() == most && (latest == nil || came.After(l.conns[latest])) {
				latest = c
			}
		}
	}
	for _, c := range []*conn{oldest, latest} {
		if c != nil {
			l.forget(c)
			c.store.Close()
			return true
		}
	}
	return false
}

// forget takes a connection off the books, once.
func (l *listener) forget(c *conn) {
	if _, ok := l.conns[c]; !ok {
		return
	}
	delete(l.conns, c)
	if !c.own {
		l.count--
	}
}

// serve is the life of a connection.
func (l *listener) serve(c *conn) {
	defer l.wg.Done()
	<-l.serving
	_ = c.SetDeadline(time.Now().Add(connectTime)) // the library sets its own after CONNECT
	_ = l.establish(l.ID(), c)                     // logged by the library
	c.Close()
	c.writers.Wait() // the last answer, perhaps why the client was refused
	l.b.ended(c)
	close(c.done)
	l.mu.Lock()
	l.forget(c)
	l.mu.Unlock()
}

// Close ends all connections and waits. The library's own way to close clients is not
// used: GetByListener locks the list of clients for reading twice, and waits for ever
// for a client that leaves in between.
func (l *listener) Close(listeners.CloseFn) {
	l.net.Close()
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for c := range conns {
		if cl := c.joined.Load(); cl != nil {
			_ = l.b.server.DisconnectClient(cl, packets.ErrServerShuttingDown)
		}
		c.Close()
	}
	l.wg.Wait()
}
