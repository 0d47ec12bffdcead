package rogue

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"pithings/mqttlink/packet"
)

// Bounds of a connection.
const (
	maxRead  = 64 << 20                   // bytes of all that a broker sends
	maxBody  = 2 + 65535 + 2 + maxPayload // bytes of a packet that are looked at
	readSize = 4 << 10                    // bytes
)

// Errors of a connection.
var (
	errClosed  = errors.New("the broker closed the connection")
	errSilent  = errors.New("the broker does not answer")
	errStuck   = errors.New("the broker takes no more")
	errTooMuch = errors.New("the broker sent more than is read of it")
)

// refusal is a CONNACK that lets no client in.
type refusal struct{ code int }

func (e *refusal) Error() string {
	return fmt.Sprintf("the broker refused the login (CONNACK %d)", e.code)
}

// conn is a connection to a broker. What it has read is on its board.
type conn struct {
	*board
	nc       net.Conn
	times    *times
	messages *pace
	gate     gate
	end      func() bool // of the watch over its context
	ended    chan struct{}

	wmu   sync.Mutex
	ids   uint16 // of the last packet with one
	pings int
}

// dial opens a connection that lives until ctx is done, at most.
func dial(ctx context.Context, to netip.AddrPort, config *tls.Config, limit time.Duration) (net.Conn, error) {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(short, "tcp", to.String())
	if err != nil || config == nil {
		return nc, err
	}
	secure := tls.Client(nc, config)
	if err := secure.HandshakeContext(short); err != nil {
		nc.Close()
		return nil, err
	}
	return secure, nil
}

// newConn makes a conn that does not read yet.
func newConn(ctx context.Context, nc net.Conn, t *times, messages *pace) *conn {
	return &conn{
		board: newBoard(), nc: nc, times: t, messages: messages, ended: make(chan struct{}),
		end: context.AfterFunc(ctx, func() { nc.Close() }),
	}
}

// listen reads until the connection ends. It is called once.
func (c *conn) listen() {
	go func() {
		defer close(c.ended)
		err := c.read()
		c.nc.Close()
		c.change(func(in *inbox) { in.err = err })
	}()
}

// gate stops a connection from reading while it is shut.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil: it is open
}

// wait waits until the gate is open.
func (g *gate) wait() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// cut ends the connection as a lost network does, without a goodbye of MQTT or TLS.
func (c *conn) cut() {
	c.gate.open()
	nc := c.nc
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	nc.Close()
}

// close ends the connection, with a goodbye. It must have been listening.
func (c *conn) close() {
	_ = c.send(packet.AppendDisconnect(nil))
	c.cut()
	<-c.ended
	c.end()
}

// send writes bytes. A broker that has closed the connection may have sent an answer before:
// after errClosed there is something to wait for.
func (c *conn) send(b []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.nc.SetWriteDeadline(time.Now().Add(c.times.write)) != nil {
		return errClosed
	}
	_, err := c.nc.Write(b)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errStuck
	case err != nil:
		return errClosed
	}
	return nil
}

// read reads packets until an error.
func (c *conn) read() error {
	r := bufio.NewReaderSize(c.nc, readSize)
	var body []byte
	for total := 0; ; {
		c.gate.wait()
		first, n, err := readHeader(r)
		if err != nil {
			return err
		}
		if total += n + 2; total > maxRead {
			return errTooMuch
		}
		keep := min(n, maxBody)
		if cap(body) < keep {
			body = make([]byte, keep)
		}
		if _, err := io.ReadFull(r, body[:keep]); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, int64(n-keep)); err != nil {
			return err
		}
		if err := c.take(first, body[:keep]); err != nil {
			return err
		}
	}
}

// readHeader reads a fixed header, which has no more bytes than it may.
func readHeader(r *bufio.Reader) (first byte, n int, err error) {
	var b []byte
	for {
		one, err := r.ReadByte()
		if err != nil {
			return 0, 0, err
		}
		b = append(b, one)
		first, n, size, err := packet.Header(b)
		if err != nil || size > 0 {
			return first, n, err
		}
	}
}

// take notes a packet. A message with QoS 1 is acknowledged.
func (c *conn) take(first byte, body []byte) error {
	switch first >> 4 {
	case packet.Connack:
		code, err := packet.ParseConnack(body)
		if err != nil {
			return err
		}
		c.change(func(in *inbox) {
			if in.connack < 0 {
				in.connack = int(code)
			}
		})
	case packet.Publish:
		m, err := packet.ParsePublish(first, body)
		if err != nil {
			return err
		}
		c.change(func(in *inbox) { in.publish(&m) })
		if m.QoS > 0 {
			return c.send(packet.AppendPuback(nil, m.ID))
		}
	case packet.Puback:
		id, err := packet.ParseID(body)
		if err != nil {
			return err
		}
		c.change(func(in *inbox) { in.pubacks[id] = true })
	case packet.Suback:
		id, codes, err := packet.ParseSuback(body)
		if err != nil {
			return err
		}
		c.change(func(in *inbox) {
			if len(in.subacks) < maxSubacks {
				in.subacks[id] = append([]byte(nil), codes...)
			}
		})
	case packet.Pingresp:
		c.change(func(in *inbox) { in.pongs++ })
	}
	return nil // others are of no interest
}

// login sends a CONNECT and waits for its answer.
func (c *conn) login(ctx context.Context, l *packet.Login) error {
	return c.loginBy(ctx, packet.AppendConnect(nil, l))
}

func (c *conn) loginBy(ctx context.Context, connect []byte) error {
	if err := c.send(connect); errors.Is(err, errStuck) {
		return err
	}
	if !c.await(ctx, c.times.answer, func(in *inbox) bool { return in.connack >= 0 }) {
		return c.silence(ctx)
	}
	code := 0
	c.now(func(in *inbox) bool { code = in.connack; return true })
	if code != 0 {
		return &refusal{code}
	}
	return nil
}

// silence is why an answer has not come.
func (c *conn) silence(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.closed():
		return errClosed
	}
	return errSilent
}

// closed reports whether the connection has ended.
func (c *conn) closed() bool { return c.now(func(in *inbox) bool { return in.err != nil }) }

// subscribe returns the broker's answer to each filter.
func (c *conn) subscribe(ctx context.Context, filters ...string) ([]byte, error) {
	c.ids++
	id := c.ids
	all := make([]packet.Filter, len(filters))
	for i, f := range filters {
		all[i] = packet.Filter{Topic: f, QoS: 1}
	}
	if err := c.send(packet.AppendSubscribe(nil, id, all)); errors.Is(err, errStuck) {
		return nil, err
	}
	var codes []byte
	if !c.await(ctx, c.times.answer, func(in *inbox) bool { codes = in.subacks[id]; return codes != nil }) {
		return nil, c.silence(ctx)
	}
	c.change(func(in *inbox) { delete(in.subacks, id) })
	return codes, nil
}

// granted subscribes to one filter, and reports whether it was granted.
func (c *conn) granted(ctx context.Context, filter string) (bool, error) {
	codes, err := c.subscribe(ctx, filter)
	return err == nil && len(codes) == 1 && codes[0] < packet.Refused, err
}

// publish sends a message with QoS 1, and reports whether it was acknowledged.
func (c *conn) publish(ctx context.Context, m packet.Message) (acked bool, err error) {
	if err := c.messages.wait(ctx); err != nil {
		return false, err
	}
	c.ids++
	id := c.ids
	m.QoS = 1
	if err := c.send(packet.AppendPublish(nil, &m, id)); errors.Is(err, errStuck) {
		return false, err
	}
	if !c.await(ctx, c.times.answer, func(in *inbox) bool { return in.pubacks[id] }) {
		return false, c.silence(ctx)
	}
	return true, nil
}

// post sends a message with QoS 0.
func (c *conn) post(ctx context.Context, m packet.Message) error {
	if err := c.messages.wait(ctx); err != nil {
		return err
	}
	return c.send(packet.AppendPublish(nil, &m, 0))
}

// ping waits until the broker has worked through all that was sent before, as far as one that
// takes packets in order does.
func (c *conn) ping(ctx context.Context, limit time.Duration) error {
	c.pings++
	n := c.pings
	if err := c.send(packet.AppendPingreq(nil)); errors.Is(err, errStuck) {
		return err
	}
	if !c.await(ctx, limit, func(in *inbox) bool { return in.pongs >= n }) {
		return c.silence(ctx)
	}
	return nil
}
