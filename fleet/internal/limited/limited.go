// Package limited bounds the connections of a listener.
package limited

import (
	"net"
	"sync"
)

// Listener is a listener with so many connections at a time. Further ones wait in the listen queue.
type Listener struct {
	net.Listener
	open   chan struct{} // has an entry for each connection
	closed chan struct{}
	once   sync.Once
}

// New returns a listener that has at most n connections of another one open.
func New(l net.Listener, n int) *Listener {
	return &Listener{Listener: l, open: make(chan struct{}, n), closed: make(chan struct{})}
}

// Open returns how many connections there are, or are waited for.
func (l *Listener) Open() int { return len(l.open) }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}: // freed by connections that end, which idle ones do by themselves
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &conn{Conn: c, of: l}, nil
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// conn is a connection that makes room as it is closed.
type conn struct {
	net.Conn
	of   *Listener
	once sync.Once
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() { <-c.of.open })
	return c.Conn.Close()
}
