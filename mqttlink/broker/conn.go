package broker

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"pithings/mqttlink/broker/internal/access"
	"pithings/mqttlink/broker/internal/frames"
	"pithings/mqttlink/broker/internal/store"
)

// Times that clients have.
const (
	connectTime = 10 * time.Second // for CONNECT, and for the start of each large packet
	flushTime   = 2 * time.Second  // to read the last answer
	slowest     = 8 << 10          // bytes a second of a packet that takes longer than that
)

// conn is a client's connection as the library sees it. Reading it counts what the
// library will allocate. Writing to it never blocks: the bytes are queued in the
// store, and a goroutine that is there while there are any writes them.
type conn struct {
	net.Conn          // encrypted, perhaps
	raw      net.Conn // below that
	b        *Broker
	own      bool
	store    *store.Conn
	writers  sync.WaitGroup
	done     chan struct{}               // closed when the library has finished with it
	ready    atomic.Bool                 // CONNECT was accepted
	joined   atomic.Pointer[mqtt.Client] // set when it was
	closing  atomic.Bool

	// By the goroutine that reads:
	guard    frames.Guard
	packet   int // number of the packet for which memory is reserved
	reserved bool
	client   *mqtt.Client
	rights   *access.Rights
	asked    []request // of the SUBSCRIBE being processed
}

func newConn(b *Broker, raw net.Conn, own bool) *conn {
	c := &conn{Conn: raw, raw: raw, b: b, own: own, done: make(chan struct{}), guard: frames.Guard{MaxPublish: b.o.MaxPacket}}
	encrypted := b.o.TLS != nil && !own
	if encrypted {
		c.Conn = tls.Server(raw, b.listener.tls)
	}
	c.store = b.store.NewConn(c.addr(), encrypted, own, c.wake, func() { raw.Close() })
	return c
}

// addr is the other end's host: an IPv4 address, or a /64 network of IPv6, of which one
// host may have all addresses.
func (c *conn) addr() string { return addrOf(c.raw) }

func addrOf(c net.Conn) string {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return "unknown"
	}
	ip := ap.Addr().Unmap()
	if ip.Is4() {
		return ip.String()
	}
	p, _ := ip.Prefix(64) // of an address it cannot fail
	return p.String()
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.store.Await()
	if c.reserved && c.guard.Whole() { // and processed: the library reads one packet after the other
		c.reserved = false
		c.store.Reading(0)
	}
	if c.closing.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	size, bad := c.guard.Feed(p[:n])
	if bad != nil {
		c.b.log.Warn("broker: connection closed", "remote", c.raw.RemoteAddr().String(), "err", bad)
		return 0, bad
	}
	if size > 0 && (!c.reserved || c.packet != c.guard.Packets) {
		if err := c.begin(size); err != nil {
			return 0, err
		}
	}
	return n, err
}

// begin reserves memory and time for a packet that has not come whole. The library
// copies it once.
func (c *conn) begin(size int) error {
	c.packet, c.reserved = c.guard.Packets, true
	if !c.store.Reading(2 * int64(size)) {
		return net.ErrClosed
	}
	limit := connectTime + time.Duration(size/slowest)*time.Second
	if d := time.Now().Add(limit); c.ready.Load() {
		return c.Conn.SetReadDeadline(d) // the library sets its own with the next packet
	}
	return nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if !c.store.Write(p) {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

// Close closes the connection when the answers that are queued have been written, or
// after a moment.
func (c *conn) Close() error {
	if !c.closing.Swap(true) {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(flushTime))
		_ = c.raw.SetReadDeadline(time.Now()) // ends the library's reading
		c.store.Finish()
	}
	return nil
}

// SetDeadline implements net.Conn. The library calls it before each packet.
func (c *conn) SetDeadline(t time.Time) error {
	if c.closing.Load() {
		return net.ErrClosed
	}
	return c.Conn.SetDeadline(t)
}

// wake starts the writer. It is called with the store locked, never when one runs or
// after the connection was closed.
func (c *conn) wake() { c.writers.Go(c.write) }

func (c *conn) write() {
	buf := c.b.buffers.Get().(*[store.Buffer]byte)
	defer c.b.buffers.Put(buf)
	for {
		small, big, ok := c.store.Next(buf[:0])
		if !ok {
			return
		}
		var err error
		if big == nil {
			_, err = c.Conn.Write(small)
		} else {
			bufs := net.Buffers{small, big}
			_, err = bufs.WriteTo(c.Conn)
		}
		if err != nil {
			c.store.Close()
			return
		}
	}
}
