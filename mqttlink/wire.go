package mqttlink

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"pithings/mqttlink/internal/prompt"
)

// MQTT control packet types (MQTT 3.1.1 section 2.2.1).
const (
	typeConnack = 2
	typePublish = 3
	typePuback  = 4
	typeSuback  = 9
)

// wire stands between the client library and the network. It exchanges the messages
// itself (see publish), and leaves the rest to the library. It follows the frames
// that come in, because the library trusts them: it would allocate whatever
// length a PUBLISH claims (up to 256 MB), index past its own list at a SUBACK
// with too many codes, and take CONNACK codes it does not know for success. And
// it bounds every write, of which the library bounds only those of PUBLISH.
//
// Reading is done by one goroutine at a time; writing may be done by several.
type wire struct {
	net.Conn
	writeTimeout time.Duration
	maxIn        int                         // largest PUBLISH handed on, in bytes
	tooLarge     func(topic string, n int)   // told of those that are not
	failed       func(error)                 // told of read and write errors; may be called again
	closed       atomic.Bool                 // by the library
	codes        atomic.Int32                // return codes that the SUBACK awaited may hold
	killed       atomic.Pointer[killedError] // set when the link itself gave up the connection

	backlog prompt.Gauge // nil: nothing tells how much is

	in      *bufio.Reader
	greeted bool // CONNACK 0 has come
	head    []byte
	headBuf [5]byte
	left    int // bytes of the packet's body still to be read

	deliver  func(Message) // must not block
	landed   func()        // told of a PUBACK
	awaiting sync.Mutex
	receipts map[uint16]*receipt // of messages that were sent, by packet identifier
	id       uint16              // the last one given

	write sync.Mutex
	out   []byte // being written
	acks  []byte // PUBACKs that go with what is written next, or before the reader waits
	due   bool   // there are some; of the reader
}

// killedError replaces the read error after kill. Its text must not hold that of
// net.ErrClosed: the library takes that for its own closing, and keeps quiet.
type killedError struct{ err error }

func (e *killedError) Error() string { return "the session has ended" }
func (e *killedError) Unwrap() error { return e.err }

// talkError says that the other end does not keep to MQTT.
type talkError struct{ what string }

func (e *talkError) Error() string { return e.what }

func newWire(c net.Conn, writeTimeout time.Duration, maxIn int) *wire {
	return &wire{
		Conn: c, writeTimeout: writeTimeout, maxIn: maxIn, backlog: gaugeOf(c),
		tooLarge: func(string, int) {}, failed: func(error) {}, deliver: func(Message) {}, landed: func() {},
		in: bufio.NewReaderSize(c, 4096), receipts: map[uint16]*receipt{},
	}
}

// kill gives up the connection because of err.
func (w *wire) kill(err error) {
	w.killed.CompareAndSwap(nil, &killedError{err})
	w.Conn.Close()
}

// Read returns the bytes of whole packets only, each of them checked.
func (w *wire) Read(p []byte) (int, error) {
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

// broken tells of err and returns what the library shall see of it.
func (w *wire) broken(err error) error {
	if k := w.killed.Load(); k != nil {
		return k
	}
	if !w.closed.Load() { // else the library closed it, and says why itself
		w.failed(err)
	}
	return err
}

// Close is the library's way to close the connection.
func (w *wire) Close() error {
	w.closed.Store(true)
	return w.Conn.Close()
}

// next reads a packet's fixed header and leaves it in head, and the length of
// its body in left. Packets that are too large are read over.
func (w *wire) next() error {
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
	case typePublish:
		switch {
		case n > w.maxIn:
			return w.skip(t, n)
		case t>>1&3 <= 1: // with QoS 2 it is the library's, if the broker has it of an earlier client
			return w.message(t, n)
		}
	case typePuback:
		return w.puback(n)
	case typeSuback:
		if n < 3 || n-2 > int(w.codes.Load()) {
			return &talkError{"the broker's SUBACK does not fit the SUBSCRIBE"}
		}
	default:
		if n > 256 {
			return &talkError{"the broker sent a packet that no broker sends"}
		}
	}
	w.head, w.left = w.headBuf[:1+size], n
	return nil
}

// length reads the remaining length (MQTT 3.1.1 section 2.2.3) and returns it
// with the number of bytes it took.
func (w *wire) length() (n, size int, err error) {
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
	return 0, size, &talkError{"the broker sent a packet of impossible length"}
}

// greet checks that the first packet is a CONNACK that accepts the client.
func (w *wire) greet(t byte, n, size int, err error) error {
	switch {
	case t == 0x15 || t == 0x16: // a TLS alert or handshake record
		return &talkError{"TLS"}
	case t == 'H' && w.headBuf[1] == 'T':
		return &talkError{"HTTP"}
	case err != nil:
		return err
	case t>>4 != typeConnack || n != 2:
		return &talkError{"no CONNACK"}
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

// skip reads over a PUBLISH of n bytes that is too large, and acknowledges it:
// otherwise the broker would send it again at every reconnect.
func (w *wire) skip(t byte, n int) error {
	read := func(b []byte) error {
		if n -= len(b); n < 0 {
			return &talkError{"the broker sent a malformed PUBLISH"}
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
	w.tooLarge(string(topic), size)
	if qos == 1 {
		w.acknowledge(b[0], b[1])
	}
	return nil
}

// acknowledge makes a PUBACK (MQTT 3.1.1 section 3.4).
func (w *wire) acknowledge(id1, id2 byte) {
	w.write.Lock()
	w.acks = append(w.acks, typePuback<<4, 2, id1, id2)
	w.write.Unlock()
	w.due = true
}

// flush sends the PUBACKs that have gone with nothing else. Handlers that answer at
// once have the first turn: then PUBACK and answer are one segment and one TLS record.
func (w *wire) flush() error {
	w.due = false
	runtime.Gosched()
	w.write.Lock()
	defer w.write.Unlock()
	if len(w.acks) == 0 {
		return nil
	}
	_, err := w.send(w.unsent())
	return err
}

// Write sends a packet, or fails after the write time-out.
func (w *wire) Write(p []byte) (int, error) {
	w.write.Lock()
	defer w.write.Unlock()
	b := w.unsent()
	before := len(b)
	n, err := w.send(append(b, p...))
	return max(n-before, 0), err
}

// unsent returns the PUBACKs that are due, to be sent with what follows. w.write is held.
func (w *wire) unsent() []byte {
	b := append(w.out[:0], w.acks...)
	w.acks = w.acks[:0]
	return b
}

// maxOut is how much memory for packets is kept between them, in bytes.
const maxOut = 64 << 10

// send writes b, or fails after the write time-out. w.write is held.
func (w *wire) send(b []byte) (int, error) {
	if cap(b) <= maxOut {
		w.out = b
	}
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.writeTimeout)); err != nil {
		return 0, w.broken(err)
	}
	n, err := w.Conn.Write(b)
	if err != nil {
		return n, w.broken(err)
	}
	// TLS may have to write while it reads (a key update): an old deadline
	// must not make that fail. Whatever comes of it, the packet has been sent.
	_ = w.Conn.SetWriteDeadline(time.Time{})
	return n, nil
}

// hurry bounds a write that is under way.
func (w *wire) hurry(d time.Duration) { _ = w.Conn.SetWriteDeadline(time.Now().Add(d)) }

// SetWriteDeadline does nothing: Write sets its own.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
