package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"pithings/mqttlink/packet"
)

// Options say what a Conn does with what it reads. The functions are called by the goroutine
// that reads and must not block; each may be nil.
type Options struct {
	WriteTimeout time.Duration             // for the network to take one packet
	MaxInbound   int                       // largest PUBLISH delivered, in bytes
	Gauge        Gauge                     // of the connection, for Light; nil: it is not known
	Deliver      func(Message)             // a message has come
	Acked        func()                    // a PUBACK has come; its Receipt is done
	TooLarge     func(topic string, n int) // a message of n bytes has been dropped, and acknowledged
	Failed       func(error)               // reading or writing has failed; may be called again, also by who writes
}

// Gauge is a connection of which it is known how many bytes the other end does not have
// yet.
type Gauge interface {
	// Unsent returns what has been written and has not been acknowledged by the other
	// end's kernel. Without ok it is not known.
	Unsent() (n int, ok bool)
}

// Conn exchanges messages over a connection and leaves all other packets to its user.
// Reading is done by one goroutine at a time; writing may be done by several.
type Conn struct {
	net.Conn
	o      Options
	closed atomic.Bool                 // by the library
	codes  atomic.Int32                // return codes that the SUBACK awaited may hold
	killed atomic.Pointer[killedError] // set by Kill

	in      *bufio.Reader
	greeted bool // CONNACK 0 has come
	head    []byte
	headBuf [5]byte
	left    int // bytes of the packet's body still to be read

	awaiting sync.Mutex          // taken after write
	receipts map[uint16]*Receipt // of messages that were sent, by packet identifier
	id       uint16              // the last one given

	write sync.Mutex
	out   []byte // being written
	acks  []byte // PUBACKs that go with what is written next, or before the reader waits
	due   bool   // there are some; of the reader
}

// killedError replaces the read error after Kill. Its text must not hold that of
// net.ErrClosed: the library takes that for its own closing, and keeps quiet.
type killedError struct{ err error }

func (e *killedError) Error() string { return "the session has ended" }
func (e *killedError) Unwrap() error { return e.err }

// ProtocolError says that the other end does not keep to MQTT.
type ProtocolError struct{ What string }

func (e *ProtocolError) Error() string { return e.What }

// What of the first bytes that are TLS, or HTTP.
const (
	TLS  = "TLS"
	HTTP = "HTTP"
)

// RefusedError is a CONNACK whose return code is not 0.
type RefusedError struct{ Code byte }

func (e *RefusedError) Error() string { return fmt.Sprintf("CONNACK return code %d", e.Code) }

// New returns a Conn over a connection on which nothing has been read.
func New(c net.Conn, o Options) *Conn {
	if o.Deliver == nil {
		o.Deliver = func(Message) {}
	}
	if o.Acked == nil {
		o.Acked = func() {}
	}
	if o.TooLarge == nil {
		o.TooLarge = func(string, int) {}
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	return &Conn{Conn: c, o: o, in: bufio.NewReaderSize(c, 4096), receipts: map[uint16]*Receipt{}}
}

// ExpectCodes sets how many return codes the next SUBACK may hold.
func (w *Conn) ExpectCodes(n int) { w.codes.Store(int32(n)) }

// Kill closes the connection because of err, which Read and Write then return.
func (w *Conn) Kill(err error) {
	w.killed.CompareAndSwap(nil, &killedError{err})
	w.Conn.Close()
}

// Read returns the bytes of whole packets only, each of them checked.
func (w *Conn) Read(p []byte) (int, error) {
	for {
		switch {
		case len(w.head) > 0:
			n := copy(p, w.head)
			w.head = w.head[n:]
			return n, nil
		case w.left > 0:
			n, err := w.in.Read(p[:min(len(p), w.left)])
			w.left -= n
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			if n > 0 || err == nil {
				return n, nil
			}
			return 0, w.broken(err)
		case len(p) == 0:
			return 0, nil
		}
		if err := w.next(); err != nil {
			return 0, w.broken(err)
		}
	}
}

// broken reports err and returns what the library shall see of it.
func (w *Conn) broken(err error) error {
	if k := w.killed.Load(); k != nil {
		return k
	}
	if !w.closed.Load() { // else the library closed it, and says why itself
		w.o.Failed(err)
	}
	return err
}

// Close is the library's way to close the connection.
func (w *Conn) Close() error {
	w.closed.Store(true)
	return w.Conn.Close()
}

// next reads a packet's fixed header and leaves it in head, and the length of
// its body in left. Packets that are too large are read over.
func (w *Conn) next() error {
	if w.in.Buffered() == 0 && w.due {
		if err := w.flush(); err != nil {
			return err
		}
	}
	t, err := w.in.ReadByte()
	if err != nil {
		return err
	}
	w.headBuf[0] = t
	n, size, err := w.length()
	if !w.greeted {
		return w.greet(t, n, size, err)
	}
	if err != nil {
		return err
	}
	switch t >> 4 {
	case packet.Publish:
		switch {
		case n > w.o.MaxInbound:
			return w.skip(t, n)
		case t>>1&3 <= 1: // with QoS 2 it is the library's, if the broker has it of an earlier client
			return w.message(t, n)
		}
	case packet.Puback:
		return w.puback(n)
	case packet.Suback:
		if n < 3 || n-2 > int(w.codes.Load()) {
			return &ProtocolError{"the broker's SUBACK does not fit the SUBSCRIBE"}
		}
	default:
		if n > 256 {
			return &ProtocolError{"the broker sent a packet that no broker sends"}
		}
	}
	w.head, w.left = w.headBuf[:1+size], n
	return nil
}

// length reads the remaining length (MQTT 3.1.1 section 2.2.3) and returns it
// with the number of bytes it took.
func (w *Conn) length() (n, size int, err error) {
	for size = 1; size <= 4; size++ {
		b, err := w.in.ReadByte()
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, size, err
		}
		w.headBuf[size] = b
		n |= int(b&0x7f) << (7 * (size - 1))
		if b&0x80 == 0 {
			return n, size, nil
		}
	}
	return 0, size, &ProtocolError{"the broker sent a packet of impossible length"}
}

// greet checks that the first packet is a CONNACK that accepts the client.
func (w *Conn) greet(t byte, n, size int, err error) error {
	switch {
	case t == 0x15 || t == 0x16: // a TLS alert or handshake record
		return &ProtocolError{TLS}
	case t == 'H' && w.headBuf[1] == 'T':
		return &ProtocolError{HTTP}
	case err != nil:
		return err
	case t>>4 != packet.Connack || n != 2:
		return &ProtocolError{"no CONNACK"}
	}
	body, err := w.in.Peek(2)
	if err != nil {
		return err
	}
	if body[1] != 0 {
		return &RefusedError{Code: body[1]}
	}
	w.greeted = true
	w.head, w.left = w.headBuf[:1+size], n
	return nil
}

// Message is a PUBLISH.
type Message = packet.Message

// puback reads the rest of a PUBACK.
func (w *Conn) puback(n int) error {
	var id [2]byte
	if n != len(id) {
		return &ProtocolError{"the broker sent a packet that no broker sends"}
	}
	if _, err := io.ReadFull(w.in, id[:]); err != nil {
		return err
	}
	w.awaiting.Lock()
	t := w.receipts[binary.BigEndian.Uint16(id[:])]
	delete(w.receipts, binary.BigEndian.Uint16(id[:]))
	w.awaiting.Unlock()
	if t != nil {
		close(t.done)
		w.o.Acked()
	}
	return nil
}

// message reads the rest of a PUBLISH of n bytes, hands it on and acknowledges it.
func (w *Conn) message(t byte, n int) error {
	body := make([]byte, n)
	if _, err := io.ReadFull(w.in, body); err != nil {
		return err
	}
	m, err := packet.ParsePublish(t, body)
	if err != nil {
		return &ProtocolError{"the broker sent a malformed PUBLISH"}
	}
	w.o.Deliver(m)
	if m.QoS > 0 {
		return w.acknowledge(m.ID)
	}
	return nil
}

// skip reads over a PUBLISH of n bytes that is too large, and acknowledges it:
// otherwise the broker would send it again at every reconnect.
func (w *Conn) skip(t byte, n int) error {
	read := func(b []byte) error {
		if n -= len(b); n < 0 {
			return &ProtocolError{"the broker sent a malformed PUBLISH"}
		}
		_, err := io.ReadFull(w.in, b)
		return err
	}
	size := n
	var b [2]byte
	if err := read(b[:]); err != nil {
		return err
	}
	topic := make([]byte, binary.BigEndian.Uint16(b[:]))
	if err := read(topic); err != nil {
		return err
	}
	qos := t >> 1 & 3
	if qos > 0 {
		if err := read(b[:]); err != nil {
			return err
		}
	}
	for n > 0 {
		m, err := w.in.Discard(min(n, 1<<20))
		n -= m
		if err != nil {
			return err
		}
	}
	w.o.TooLarge(string(topic), size)
	if qos == 1 {
		return w.acknowledge(binary.BigEndian.Uint16(b[:]))
	}
	return nil
}
