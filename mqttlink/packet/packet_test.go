package packet

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// What is written is what another library reads.
func TestWrittenPacketsAreRead(t *testing.T) {
	read := func(b []byte) packets.ControlPacket {
		t.Helper()
		r := bytes.NewReader(b)
		p, err := packets.ReadPacket(r)
		if err != nil || r.Len() > 0 {
			t.Fatalf("%q: %v, %d bytes left", b, err, r.Len())
		}
		return p
	}
	will := &Message{Topic: "cmd/dev-0001/lwt", Payload: []byte("gone"), QoS: 1, Retain: true}
	c := read(AppendConnect(nil, &Login{ClientID: "dev-0001", Username: "u", Password: "p", KeepAlive: 30, Will: will})).(*packets.ConnectPacket)
	if c.Validate() != packets.Accepted || c.ClientIdentifier != "dev-0001" || c.Username != "u" || string(c.Password) != "p" || c.Keepalive != 30 ||
		!c.CleanSession || !c.WillFlag || c.WillTopic != will.Topic || string(c.WillMessage) != "gone" || c.WillQos != 1 || !c.WillRetain {
		t.Errorf("CONNECT: %+v", c)
	}
	c = read(AppendConnect(nil, &Login{ClientID: "a"})).(*packets.ConnectPacket)
	if c.Validate() != packets.Accepted || c.WillFlag || c.UsernameFlag || c.PasswordFlag || c.Keepalive != 0 {
		t.Errorf("CONNECT of little: %+v", c)
	}
	c = read(AppendConnect(nil, &Login{ClientID: "a", Username: "u"})).(*packets.ConnectPacket)
	if c.Validate() != packets.Accepted || !c.UsernameFlag || c.Username != "u" || c.PasswordFlag {
		t.Errorf("CONNECT without a password: %+v", c)
	}
	c = read(AppendConnect(nil, &Login{ClientID: "a", Password: "p"})).(*packets.ConnectPacket)
	if c.Validate() != packets.Accepted || c.UsernameFlag || c.PasswordFlag {
		t.Errorf("CONNECT with a password alone: %+v", c)
	}
	for _, n := range []int{0, 1, 120, 127, 128, 16383, 16384, 2097152} {
		m := &Message{Topic: "t", Payload: make([]byte, n), QoS: 1}
		p := read(AppendPublish(nil, m, 7)).(*packets.PublishPacket)
		if p.TopicName != "t" || len(p.Payload) != n || p.Qos != 1 || p.MessageID != 7 || p.Retain {
			t.Errorf("PUBLISH of %d bytes: %v", n, p)
		}
	}
	p := read(AppendPublish(nil, &Message{Topic: "t", Retain: true}, 9)).(*packets.PublishPacket)
	if p.Qos != 0 || !p.Retain || p.MessageID != 0 {
		t.Errorf("PUBLISH with QoS 0: %v", p)
	}
	s := read(AppendSubscribe(nil, 300, []Filter{{"a/+", 0}, {"b/#", 1}})).(*packets.SubscribePacket)
	if s.MessageID != 300 || !reflect.DeepEqual(s.Topics, []string{"a/+", "b/#"}) || !bytes.Equal(s.Qoss, []byte{0, 1}) {
		t.Errorf("SUBSCRIBE: %+v", s)
	}
	if a := read(AppendPuback(nil, 513)).(*packets.PubackPacket); a.MessageID != 513 {
		t.Errorf("PUBACK: %+v", a)
	}
	read(AppendPingreq(nil))
	read(AppendDisconnect(nil))
}

func TestHeader(t *testing.T) {
	for _, tc := range []struct {
		in      string
		n, size int
		err     error
	}{
		{"", 0, 0, nil}, {"\x30", 0, 0, nil}, {"\x30\x80", 0, 0, nil}, {"\x30\x05", 5, 2, nil}, {"\x30\x80\x01x", 128, 3, nil},
		{"\x30\xff\xff\xff\x7f", 268435455, 5, nil}, {"\x30\x80\x80\x80", 0, 0, nil}, {"\x30\x80\x80\x80\x80", 0, 0, ErrLength},
	} {
		if _, n, size, err := Header([]byte(tc.in)); n != tc.n || size != tc.size || !errors.Is(err, tc.err) {
			t.Errorf("%q: %d, %d, %v; want %d, %d, %v", tc.in, n, size, err, tc.n, tc.size, tc.err)
		}
	}
}

// FuzzRead: bytes of a broker are read without a crash, and a PUBLISH that is taken is
// the one that another library reads.
func FuzzRead(f *testing.F) {
	f.Add(AppendPublish(nil, &Message{Topic: "a/b", Payload: []byte("hello"), QoS: 1}, 9))
	f.Add(AppendPublish(nil, &Message{Topic: "a"}, 0))
	for _, s := range []string{"", "\x20\x02\x00\x05", "\x40\x02\x00\x07", "\x90\x03\x00\x01\x80", "\x32\x03\x00\x01t", "\x34\x05\x00\x01t\x00\x01", "\x30\x80\x80\x80\x80\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, n, size, err := Header(b)
		if err != nil || size == 0 || len(b)-size < n {
			return
		}
		body := b[size : size+n]
		switch first >> 4 {
		case Publish:
			m, err := ParsePublish(first, body)
			if err != nil {
				return
			}
			p, err := packets.ReadPacket(bytes.NewReader(b[:size+n]))
			if err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("taken, and paho runs out of bytes: %q", b)
				}
				return
			}
			if w := p.(*packets.PublishPacket); w.TopicName != m.Topic || !bytes.Equal(w.Payload, m.Payload) || m.QoS > 0 && w.MessageID != m.ID {
				t.Fatalf("%+v, paho reads %v", m, w)
			}
		case Puback:
			_, _ = ParseID(body)
		case Suback:
			_, _, _ = ParseSuback(body)
		case Connack:
			_, _ = ParseConnack(body)
		}
	})
}
