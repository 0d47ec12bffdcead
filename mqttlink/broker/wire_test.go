package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// patience is how long the tests wait for what must come.
const patience = 20 * time.Second

// packet is one as it is on the wire.
type packet struct {
	kind, flags byte
	body        []byte
}

// wire speaks MQTT packet by packet: for what a library would not do.
type wire struct {
	testing.TB
	net.Conn
	r  *bufio.Reader
	v5 bool
}

func dialWire(t testing.TB, addr string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &wire{TB: t, Conn: c, r: bufio.NewReader(c)}
}

func str(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

func length(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func frame(first byte, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	return append(append([]byte{first}, length(len(body))...), body...)
}

// connectPacket is a CONNECT of a level (4: 3.1.1, 5) without keep-alive; flags 2 is a
// clean session. rest follows the client id.
func connectPacket(level, flags byte, id string, rest ...[]byte) []byte {
	parts := [][]byte{str("MQTT"), {level, flags, 0, 0}}
	if level == 5 {
		parts = append(parts, []byte{5, 17, 0, 0, 255, 255}) // session expiry
	}
	return frame(0x10, append(append(parts, str(id)), rest...)...)
}

func publishPacket(topic string, payload []byte, qos byte, id uint16, retain bool) []byte {
	first := byte(0x30) | qos<<1
	if retain {
		first |= 1
	}
	parts := [][]byte{str(topic)}
	if qos > 0 {
		parts = append(parts, binary.BigEndian.AppendUint16(nil, id))
	}
	return frame(first, append(parts, payload)...)
}

func subscribePacket(id uint16, qos byte, filters ...string) []byte {
	parts := [][]byte{binary.BigEndian.AppendUint16(nil, id)}
	for _, f := range filters {
		parts = append(parts, str(f), []byte{qos})
	}
	return frame(0x82, parts...)
}

func (w *wire) send(b []byte) {
	w.Helper()
	w.SetWriteDeadline(time.Now().Add(patience))
	if _, err := w.Write(b); err != nil {
		w.Fatalf("write: %v", err)
	}
}

// next reads a packet.
func (w *wire) next() (packet, error) {
	w.SetReadDeadline(time.Now().Add(patience))
	first, err := w.r.ReadByte()
	if err != nil {
		return packet{}, err
	}
	n, err := binary.ReadUvarint(w.r)
	if err != nil {
		return packet{}, err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(w.r, body)
	return packet{first >> 4, first & 15, body}, err
}

// await reads until a packet of a kind comes.
func (w *wire) await(kind byte) packet {
	w.Helper()
	for {
		p, err := w.next()
		if err != nil {
			w.Fatalf("waiting for packet type %d: %v", kind, err)
		}
		if p.kind == kind {
			return p
		}
	}
}

// awaitBoth reads until a packet of each of two kinds has come, and returns that of the second.
func (w *wire) awaitBoth(first, second byte) (p packet) {
	w.Helper()
	for came := map[byte]bool{}; !came[first] || !came[second]; {
		q, err := w.next()
		if err != nil {
			w.Fatalf("waiting for packet types %d and %d: %v", first, second, err)
		}
		if came[q.kind] = true; q.kind == second {
			p = q
		}
	}
	return p
}

// connect connects with MQTT 3.1.1, flags as in connectPacket, and returns the flags
// of CONNACK.
func (w *wire) connect(id string, flags byte) (present byte) {
	w.Helper()
	w.send(connectPacket(4, flags, id))
	p := w.await(2)
	if p.body[1] != 0 {
		w.Fatalf("CONNACK % x", p.body)
	}
	return p.body[0]
}

func (w *wire) subscribe(qos byte, filters ...string) []byte {
	w.Helper()
	w.send(subscribePacket(7, qos, filters...))
	return w.await(9).body[2:]
}

// nothing fails if a message is on its way to the client: one that it sends itself
// would come behind it.
func (w *wire) nothing() {
	w.Helper()
	if rest := w.rest(); len(rest) > 0 {
		w.Errorf("%d messages came, the first: %q", len(rest), rest[0].body)
	}
}

// rest reads the messages that are on their way, and acknowledges them.
func (w *wire) rest() (list []packet) {
	w.Helper()
	topic := "marker/" + w.LocalAddr().String()
	if w.v5 {
		w.send(frame(0x82, []byte{0, 8, 0}, str(topic), []byte{0}))
		w.send(frame(0x30, str(topic), []byte{0}))
	} else {
		w.send(subscribePacket(8, 0, topic))
		w.send(publishPacket(topic, nil, 0, 0, false))
	}
	for {
		p := w.await(3)
		got, _, id := p.message()
		if got == topic {
			return list
		}
		if id > 0 {
			w.send([]byte{0x40, 2, byte(id >> 8), byte(id)})
		}
		list = append(list, p)
	}
}

// closed waits for the end of the connection.
func (w *wire) closed() {
	w.Helper()
	w.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, w.r); err != nil && errors.Is(err, net.ErrClosed) {
		w.Fatal(err)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		w.Fatal("the connection is still open")
	}
}

// message is a PUBLISH, taken apart.
func (p packet) message() (topic, payload string, id uint16) {
	n := int(binary.BigEndian.Uint16(p.body))
	topic, rest := string(p.body[2:2+n]), p.body[2+n:]
	if p.flags>>1&3 > 0 {
		id, rest = binary.BigEndian.Uint16(rest), rest[2:]
	}
	return topic, string(rest), id
}
