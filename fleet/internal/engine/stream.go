package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// streams is the carrier under TLS, and on systems without epoll: a goroutine reads each
// connection, and another writes when there is something to write.
type streams struct {
	s     *shard
	all   []*stream // of each device; nil: none
	alarm chan struct{}
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

// stream is one connection. The shard's lock guards it.
type stream struct {
	conn    net.Conn // nil: it is being opened
	cancel  context.CancelFunc
	unsent  []byte
	writing bool // a goroutine works at unsent
	closed  bool // to be closed by that goroutine when unsent is empty
}

// writeTime is for the network to take what one write holds.
const writeTime = 10 * time.Second

// closeTime is for the last bytes of a connection.
const closeTime = 2 * time.Second

func newStreams(s *shard) carrier {
	c := &streams{s: s, all: make([]*stream, len(s.sessions)), alarm: make(chan struct{}, 1)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// wake implements carrier.
func (c *streams) wake() {
	select {
	case c.alarm <- struct{}{}:
	default:
	}
}

// wait implements carrier. What comes from the network is handled by those who read it, and
// what that changes wakes the shard.
func (c *streams) wait(until time.Duration) {
	if int64(until) == never {
		<-c.alarm
		return
	}
	t := time.NewTimer(until - c.s.e.Now())
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.alarm:
	}
}

// end implements carrier.
func (c *streams) end() {
	c.s.mu.Lock()
	for i := range c.all {
		c.close(int32(i))
	}
	c.s.mu.Unlock()
	c.stop()
	c.wg.Wait()
}

// open implements carrier.
func (c *streams) open(i int32) {
	st := &stream{}
	ctx, cancel := context.WithTimeout(c.ctx, c.s.e.o.Connect)
	st.cancel = cancel
	c.all[i] = st
	to := c.s.address(i)
	c.wg.Go(func() { c.connect(ctx, i, st, to) })
}

// connect opens a connection. A goroutine of its own reads it: the stack that a handshake takes, some
// 16 KB, would stay with this one.
func (c *streams) connect(ctx context.Context, i int32, st *stream, to netip.AddrPort) {
	conn, err := c.dial(ctx, c.s.first+int(i), to)
	st.cancel()
	if !c.locked(i, st, func() {
		if err != nil {
			c.s.lost(i, err)
			return
		}
		st.conn = conn
		if t, ok := conn.(*tls.Conn); ok && t.ConnectionState().DidResume {
			c.s.stats.Resumed++
		}
		c.s.opened(i)
		c.wg.Go(func() { c.read(i, st, conn) })
	}) && conn != nil {
		conn.Close()
	}
}

// read reads a connection until its end.
func (c *streams) read(i int32, st *stream, conn net.Conn) {
	b := make([]byte, 512)
	for {
		n, err := conn.Read(b)
		if !c.locked(i, st, func() {
			if n > 0 {
				c.s.feed(i, b[:n])
			}
			if err != nil && c.all[i] == st {
				c.s.lost(i, err)
			}
		}) || err != nil {
			return
		}
	}
}

// locked calls f with the shard's lock, unless st is no longer the device's connection. What f
// has changed may be due earlier than the shard waits for.
func (c *streams) locked(i int32, st *stream, f func()) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.all[i] != st {
		return false
	}
	before := c.s.step()
	f()
	c.s.connect(c.s.e.now()) // in the place of one that has its answer
	if c.s.step() < before {
		c.wake()
	}
	return true
}

func (c *streams) dial(ctx context.Context, device int, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1} // MQTT has its own, and TCP's are four system calls
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil || c.s.e.o.TLS == nil {
		return conn, err
	}
	t := tls.Client(conn, c.s.e.o.TLS(device))
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return t, nil
}

// close implements carrier.
func (c *streams) close(i int32) {
	st := c.all[i]
	if st == nil {
		return
	}
	c.all[i] = nil
	st.cancel()
	st.closed = true
	switch {
	case st.conn == nil: // connect sees that it is not the device's any more
	case st.writing:
		_ = st.conn.SetWriteDeadline(time.Now().Add(closeTime))
	default:
		c.wg.Go(func() { c.shut(st.conn) })
	}
}

// shut closes a connection, with TLS's farewell, for which tls.Conn would wait 5 s.
func (c *streams) shut(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		defer time.AfterFunc(closeTime, func() { _ = t.NetConn().Close() }).Stop()
	}
	_ = conn.Close()
}

// send implements carrier.
func (c *streams) send(i int32, b []byte) error {
	st := c.all[i]
	if len(st.unsent)+len(b) > maxUnsent {
		return errors.New("the network takes nothing")
	}
	st.unsent = append(st.unsent, b...)
	if !st.writing {
		st.writing = true
		c.wg.Go(func() { c.write(i, st) })
	}
	return nil
}

// write writes what there is to write.
func (c *streams) write(i int32, st *stream) {
	for {
		c.s.mu.Lock()
		b, closed := st.unsent, st.closed
		st.unsent = nil
		if len(b) == 0 {
			st.writing = false
		}
		c.s.mu.Unlock()
		if len(b) == 0 {
			if closed {
				c.shut(st.conn)
			}
			return
		}
		patience := writeTime
		if closed {
			patience = closeTime
		}
		_ = st.conn.SetWriteDeadline(time.Now().Add(patience))
		if _, err := st.conn.Write(b); err != nil {
			c.locked(i, st, func() { c.s.lost(i, err) })
			c.shut(st.conn)
			return
		}
	}
}
