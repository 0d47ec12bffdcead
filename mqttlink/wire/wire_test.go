package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/packet"
)

// stream is a connection that yields bytes and takes everything.
type stream struct {
	net.Conn
	r io.Reader
}

func (s stream) Read(p []byte) (int, error)       { return s.r.Read(p) }
func (s stream) Write(p []byte) (int, error)      { return len(p), nil }
func (s stream) SetWriteDeadline(time.Time) error { return nil }
func (s stream) Close() error                     { return nil }

func publishPacket(topic string, qos byte, id uint16, n int) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
	body = append(body, topic...)
	if qos > 0 {
		body = binary.BigEndian.AppendUint16(body, id)
	}
	body = append(body, make([]byte, n)...)
	head := []byte{packet.Publish<<4 | qos<<1}
	for rest := len(body); ; {
		b := byte(rest & 0x7f)
		if rest >>= 7; rest > 0 {
			head = append(head, b|0x80)
			continue
		}
		return append(append(head, b), body...)
	}
}

// FuzzConn: whatever a broker sends, the library must never be handed a packet larger than
// the limit, nor crash on one.
func FuzzConn(f *testing.F) {
	connack := "\x20\x02\x00\x00"
	for _, s := range []string{
		"", "\x20", connack, "\x20\x02\x00\x05", "HTTP/1.1 400", "\x15\x03\x01",
		connack + "\x30\x05\x00\x01txy", connack + "\x90\x03\x00\x01\x00",
		connack + "\x40\x02\x00\x01\xd0\x00", connack + string(publishPacket("t", 1, 1, 300)) + "\xd0\x00",
		connack + "\x40\x02\x80\x00\x40\x02\x80\x00", connack + "\x32\x03\x00\x01t", connack + "\x34\x05\x00\x01t\x00\x01",
		connack + "\x30\xff\xff\xff\x7f", connack + "\x30\x80\x80\x80\x80\x01", connack + "\x32\x01\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 200
		w := New(stream{r: bytes.NewReader(data)}, Options{WriteTimeout: time.Second, MaxInbound: most, Deliver: func(m Message) {
			if len(m.Topic)+len(m.Payload) > most || m.QoS > 1 {
				t.Fatalf("delivered: %+v", m)
			}
		}})
		w.ExpectCodes(1)
		w.receipts[firstID] = &Receipt{done: make(chan struct{})}
		seen := 0
		for {
			p, err := packets.ReadPacket(w)
			if err != nil {
				return
			}
			if seen++; seen == 1 {
				if c, ok := p.(*packets.ConnackPacket); !ok || c.ReturnCode != 0 {
					t.Fatalf("the first packet is %v", p)
				}
			}
			switch p := p.(type) {
			case *packets.PublishPacket:
				if len(p.Payload) > most {
					t.Fatalf("a payload of %d bytes", len(p.Payload))
				}
			case *packets.SubackPacket:
				if len(p.ReturnCodes) > 1 {
					t.Fatalf("SUBACK with %d codes", len(p.ReturnCodes))
				}
			}
		}
	})
}

// written is a connection that keeps what is written to it, write by write.
type written struct {
	stream
	writes []string
}

func (w *written) Write(p []byte) (int, error) {
	w.writes = append(w.writes, string(p))
	return len(p), nil
}

// TestAnswerAndPubackTogether: what a handler publishes at once goes with the PUBACK of
// the message, in one write; without an answer the PUBACK goes before the reader waits.
func TestAnswerAndPubackTogether(t *testing.T) {
	in := "\x20\x02\x00\x00" + "\x32\x06\x00\x01q\x00\x07?" + "\x32\x05\x00\x01x\x00\x08"
	c := &written{stream: stream{r: bytes.NewReader([]byte(in))}}
	w := New(c, Options{WriteTimeout: time.Second, MaxInbound: 100})
	var got []Message
	w.o.Deliver = func(m Message) {
		got = append(got, m)
		if m.Topic == "q" {
			w.Publish(&Message{Topic: "a", Payload: []byte("!"), QoS: 1})
		}
	}
	if p, err := packets.ReadPacket(w); err != nil {
		t.Fatal(p, err)
	}
	if p, err := packets.ReadPacket(w); err == nil {
		t.Fatalf("the library sees %v", p)
	}
	if len(got) != 2 || got[0].Topic != "q" || string(got[0].Payload) != "?" || got[0].QoS != 1 || got[1].Topic != "x" || len(got[1].Payload) != 0 {
		t.Errorf("handed on: %+v", got)
	}
	// The answer is written while its message is handled, ahead of that PUBACK.
	want := []string{"\x32\x06\x00\x01a\x80\x01!", "\x40\x02\x00\x07\x40\x02\x00\x08"}
	if !slices.Equal(c.writes, want) {
		t.Errorf("written: %q, want %q", c.writes, want)
	}
	w.acknowledge(9)
	w.Publish(&Message{Topic: "a", QoS: 0, Retain: true})
	if last := c.writes[len(c.writes)-1]; last != "\x40\x02\x00\x09\x31\x03\x00\x01a" {
		t.Errorf("PUBACK and PUBLISH: %q", last)
	}
}

// TestReceipts: an identifier that is on its way is not given again, and a PUBACK is for
// the message that has it.
func TestReceipts(t *testing.T) {
	c := &written{stream: stream{r: bytes.NewReader([]byte("\x02\x00\x02\xff\xff"))}}
	w := New(c, Options{WriteTimeout: time.Second, MaxInbound: 100})
	first := w.Publish(&Message{Topic: "a", QoS: 1})
	w.id = 0xfffe
	last := w.Publish(&Message{Topic: "a", QoS: 1})
	for range 3 {
		w.Publish(&Message{Topic: "a", QoS: 1})
	}
	var ids []string
	for _, p := range c.writes {
		ids = append(ids, p[5:7])
	}
	if want := []string{"\x80\x01", "\xff\xff", "\x80\x00", "\x80\x02", "\x80\x03"}; !slices.Equal(ids, want) {
		t.Errorf("identifiers %q, want %q", ids, want)
	}
	w.in.Discard(3)
	if err := w.puback(2); err != nil || !last.IsDone() || first.IsDone() {
		t.Errorf("after the PUBACK: %v, %v, %v", err, last.IsDone(), first.IsDone())
	}
}

// TestMessage: all that a PUBLISH says of its message is handed on.
func TestMessage(t *testing.T) {
	in := "\x20\x02\x00\x00" + "\x3b\x06\x00\x01t\x00\x07!" + "\x30\x03\x00\x01t"
	var got []Message
	w := New(stream{r: bytes.NewReader([]byte(in))}, Options{WriteTimeout: time.Second, MaxInbound: 100, Deliver: func(m Message) { got = append(got, m) }})
	_, _ = io.Copy(io.Discard, w)
	want := []Message{{Topic: "t", Payload: []byte("!"), QoS: 1, Retain: true, Dup: true, ID: 7}, {Topic: "t", Payload: []byte{}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
