package store

import "time"

// Sizes of what is written at a time, in bytes.
const (
	smallPayload = 4 << 10  // is copied behind others, so that they are written together
	batch        = 4 << 10  // of them
	maxControl   = 64 << 10 // of answers that a client does not read; more, and it is not read from

	// Buffer is a good size for Next's.
	Buffer = smallPayload + batch
)

// Conn is the network connection of a client, as far as it costs memory: the answers
// and messages that wait to be written, and the packet that is being read.
type Conn struct {
	s    *Store
	own  bool
	wake func() // starts the writer; must not block
	shut func() // closes the connection; must not block

	session   *Session // nil before CONNECT was accepted
	group     string
	v5        bool
	maxPacket int // of the client; 0: no limit

	control []byte
	writing bool          // the writer runs
	taken   int64         // bytes of control that the writer has
	current *Message      // whose payload the writer has
	room    chan struct{} // closed when control has been taken; nil: no reader waits
	reading int64         // reserved for the packet being read
	fixed   int64
	cost    int64
	open    bool // CONNACK is written or comes first: messages may follow
	ending  bool // closed as soon as control is written
	closed  bool
}

// NewConn counts a connection of an address. Encrypted ones cost more.
func (s *Store) NewConn(addr string, encrypted, own bool, wake, shut func()) *Conn {
	c := &Conn{s: s, own: own, wake: wake, shut: shut, group: "addr " + addr, fixed: connCost}
	if encrypted {
		c.fixed += tlsCost
	}
	s.lock()
	defer s.unlock()
	s.conns[c] = struct{}{}
	s.bill(c, c.fixed)
	return c
}

// Reading reserves bytes for a packet that is being read; 0 gives them back. It
// returns false if the connection is closed, for example because it costs too much.
func (c *Conn) Reading(n int64) bool {
	s := c.s
	s.lock()
	defer s.unlock()
	if !c.closed && n != c.reading {
		s.bill(c, n-c.reading)
		c.reading = n
	}
	s.evict()
	return !c.closed
}

// Write queues an answer. It does not block; the caller may use b again.
func (c *Conn) Write(b []byte) bool {
	s := c.s
	s.lock()
	defer s.unlock()
	if c.closed || c.ending {
		return false
	}
	was := cap(c.control)
	c.control = append(c.control, b...)
	s.bill(c, int64(cap(c.control)-was))
	c.start()
	return true
}

// Await waits until the client has read most of the answers it was sent. Its packets
// are not read before that.
func (c *Conn) Await() {
	for {
		c.s.mu.Lock()
		if c.closed || len(c.control) < maxControl {
			c.s.mu.Unlock()
			return
		}
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.s.mu.Unlock()
		<-room
	}
}

func (c *Conn) start() {
	if !c.writing && !c.closed {
		c.writing = true
		c.wake()
	}
}

// Next returns the bytes to be written next, the second part after the first, when
// those returned before have been written. Without any, the writer ends; wake starts
// it again. The bytes of small may be those of buf.
func (c *Conn) Next(buf []byte) (small, big []byte, ok bool) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written(c)
	if c.closed {
		return nil, nil, false
	}
	if len(c.control) > 0 {
		small, c.taken, c.control = c.control, int64(cap(c.control)), nil
		if c.room != nil {
			close(c.room)
			c.room = nil
		}
		return small, nil, true
	}
	now := s.o.Now()
	buf = buf[:0]
	for c.open && c.session != nil && len(buf) < batch {
		sl, ok := s.next(c.session)
		if !ok {
			break
		}
		buf, big = c.append(buf, &sl, now)
		if big != nil {
			break
		}
	}
	if len(buf) == 0 {
		c.writing = false
		if c.ending {
			s.close(c)
		}
		return nil, nil, false
	}
	if n := cap(buf) - Buffer; n > 0 { // a long topic
		c.taken = int64(n)
		s.bill(c, c.taken)
	}
	return buf, big, true
}

// Finish closes the connection when the answers that are queued are written.
func (c *Conn) Finish() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.ending, c.open = true, false
	if !c.writing {
		c.s.close(c)
	}
}

// Close closes the connection now.
func (c *Conn) Close() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.close(c)
}

// append encodes a message behind b. A large payload is returned, and kept until the
// next call of Next.
func (c *Conn) append(b []byte, sl *slot, now time.Time) (small, big []byte) {
	s := c.s
	if sl.released {
		return append(b, 0x62, 2, byte(sl.id>>8), byte(sl.id)), nil // PUBREL
	}
	was := len(b)
	b = sl.m.header(b, sl, c.v5, now)
	large := len(sl.m.Payload) > smallPayload
	if c.maxPacket > 0 && len(b)-was+len(sl.m.Payload) > c.maxPacket {
		// [MQTT-3.1.2-25]: as if it had been sent
		b, large = b[:was], false
		s.stats.Dropped++
		if i := c.session.find(sl.id); sl.qos > 0 && i >= 0 {
			s.free(c.session, &c.session.sent[i])
			c.session.sent = append(c.session.sent[:i], c.session.sent[i+1:]...)
			c.session.resend--
		}
	} else if !large {
		b = append(b, sl.m.Payload...)
	}
	if large {
		s.hold(sl.m)
		c.current, big = sl.m, sl.m.Payload
	}
	if sl.qos == 0 {
		s.free(c.session, sl)
	}
	return b, big
}

// written gives back what the writer had.
func (s *Store) written(c *Conn) {
	s.bill(c, -c.taken)
	c.taken = 0
	if c.current != nil {
		s.release(c.current)
		c.current = nil
	}
}

// close ends a connection for the store: nothing more is written.
func (s *Store) close(c *Conn) {
	if c.closed {
		return
	}
	c.closed = true
	delete(s.conns, c)
	s.written(c)
	s.bill(c, -int64(cap(c.control))-c.reading-c.fixed)
	c.control, c.reading = nil, 0
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
	c.shut()
}
