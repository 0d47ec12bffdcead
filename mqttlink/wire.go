package mqttlink

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// MQTT control packet types (MQTT 3.1.1 section 2.2.1).
const (
	typeConnack = 2
	typePublish = 3
	typePuback  = 4
	typeSuback  = 9
)

// wire stands between the client library and the network. It follows the frames
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

	in      *bufio.Reader
	greeted bool // CONNACK 0 has come
	head    []byte
	headBuf [5]byte
	left    int // bytes of the packet's body still to be read

	write sync.Mutex
}

// killedError replaces the read error after kill. Its text must not be that of
// net.ErrClosed: the library takes that for its own closing, and keeps quiet.
type killedError struct{ err error }

func (e *killedError) Error() string { return "session ended: " + e.err.Error() }
func (e *killedError) Unwrap() error { return e.err }

// talkError says that the other end does not keep to MQTT.
type talkError struct{ what string }

func (e *talkError) Error() string { return e.what }

func newWire(c net.Conn, writeTimeout time.Duration, maxIn int) *wire {
	return &wire{
		Conn: c, writeTimeout: writeTimeout, maxIn: maxIn,
		tooLarge: func(string, int) {}, failed: func(error) {},
		in: bufio.NewReaderSize(c, 4096),
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
		if n > w.maxIn {
			return w.skip(t, n)
		}
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
		_, err := w.Write([]byte{typePuback << 4, 2, b[0], b[1]})
		return err
	}
	return nil
}

// Write sends a packet, or fails after the write time-out.
func (w *wire) Write(p []byte) (int, error) {
	w.write.Lock()
	defer w.write.Unlock()
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.writeTimeout)); err != nil {
		return 0, w.broken(err)
	}
	n, err := w.Conn.Write(p)
	if err != nil {
		return n, w.broken(err)
	}
	// TLS may have to write while it reads (a key update): an old deadline
	// must not make that fail. Whatever comes of it, the packet has been sent.
	_ = w.Conn.SetWriteDeadline(time.Time{})
	return n, nil
}

// SetWriteDeadline does nothing: Write sets its own.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
