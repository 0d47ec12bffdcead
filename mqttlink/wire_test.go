package mqttlink

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
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

// Whatever a broker sends: the library must never be handed a packet larger than
// the limit, nor crash on one.
func FuzzWire(f *testing.F) {
	connack := "\x20\x02\x00\x00"
	for _, s := range []string{
		"", "\x20", connack, "\x20\x02\x00\x05", "HTTP/1.1 400", "\x15\x03\x01",
		connack + "\x30\x05\x00\x01txy", connack + "\x90\x03\x00\x01\x00",
		connack + "\x40\x02\x00\x01\xd0\x00", connack + string(publishPacket("t", 1, 1, 300)) + "\xd0\x00",
		connack + "\x30\xff\xff\xff\x7f", connack + "\x30\x80\x80\x80\x80\x01", connack + "\x32\x01\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 200
		w := newWire(stream{r: bytes.NewReader(data)}, time.Second, most)
		w.codes.Store(1)
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
