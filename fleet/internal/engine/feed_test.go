package engine

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"pithings/mqttlink/packet"
)

// sink is a carrier that keeps what is sent.
type sink struct {
	sent   []byte
	closed int
}

func (k *sink) open(int32)                   {}
func (k *sink) send(_ int32, b []byte) error { k.sent = append(k.sent, b...); return nil }
func (k *sink) close(int32)                  { k.closed++ }
func (k *sink) wait(time.Duration)           {}
func (k *sink) wake()                        {}
func (k *sink) end()                         {}

// receiver notes what it receives.
type receiver struct {
	meter
	got []packet.Message
}

func (r *receiver) Receive(_ time.Duration, m *packet.Message, _ Out) {
	one := *m
	one.Payload = bytes.Clone(m.Payload)
	r.got = append(r.got, one)
}

// greeted is a shard of one device whose CONNECT has been sent.
func greeted(t testing.TB, maxInbound int) (*shard, *sink, *receiver) {
	t.Helper()
	r := &receiver{meter: meter{name: "a", interval: time.Hour}}
	o := meters(1, netip.AddrPort{}, time.Hour)
	o.Client, o.MaxInbound = func(int) Client { return r }, maxInbound
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s, k := e.shards[0], &sink{}
	s.carrier = k
	s.connect(int64(time.Second))
	s.opened(0)
	return s, k, r
}

const accepted = "\x20\x02\x00\x00\x90\x03\x00\x01\x00"

// However a broker's bytes are cut, they mean the same. What is too large is read over.
func TestPieces(t *testing.T) {
	in := []byte(accepted)
	in = packet.AppendPublish(in, &packet.Message{Topic: "a/ask", Payload: []byte("one")}, 0)
	in = packet.AppendPublish(in, &packet.Message{Topic: "a/ask", Payload: make([]byte, 5000)}, 0)
	in = packet.AppendPublish(in, &packet.Message{Topic: "a/ask", Payload: make([]byte, 900), QoS: 1}, 513)
	in = packet.AppendPublish(in, &packet.Message{Topic: "a/ask"}, 0)
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 200 {
		s, k, got := greeted(t, 1000)
		k.sent = nil
		for rest := in; len(rest) > 0; {
			n := 1
			if round > 0 {
				n = min(len(rest), 1+r.IntN(1<<(round%12)))
			}
			s.feed(0, bytes.Clone(rest[:n]))
			rest = rest[n:]
		}
		if len(got.got) != 3 || string(got.got[0].Payload) != "one" || len(got.got[1].Payload) != 900 || got.got[1].ID != 513 || len(got.got[2].Payload) != 0 {
			t.Fatalf("round %d: %v", round, got.got)
		}
		if s.stats.TooLarge != 1 || s.stats.Received != 4 || s.rest != 0 || s.stats.Lost > 0 || !bytes.HasSuffix(k.sent, []byte("\x40\x02\x02\x01")) {
			t.Fatalf("round %d: %+v, %d bytes kept, %q", round, s.stats, s.rest, k.sent)
		}
	}
}

// A device may publish before the SUBACK, which is that of the SUBSCRIBE all the same.
func TestPublishBeforeSuback(t *testing.T) {
	s, _, _ := greeted(t, 1000)
	s.feed(0, []byte(accepted[:4]))
	s.of(0).Publish(packet.Message{Topic: "a", QoS: 1})
	s.feed(0, []byte(accepted[4:]))
	d := &s.sessions[0]
	if d.state != online || len(d.flights) != 2 || d.flights[0].id == d.flights[1].id || d.flights[0].id == subscribeID || len(s.stats.Errors) > 0 {
		t.Errorf("state %d, %v in flight, %v", d.state, d.flights, s.stats.Errors)
	}
}

// A broker that begins packets and does not end them is cut off, before memory is.
func TestUnfinishedPackets(t *testing.T) {
	s, _, _ := greeted(t, 200<<20)
	s.feed(0, []byte(accepted))
	s.feed(0, []byte("\x30\x80\x80\x80\x40"))
	for range maxRest/(1<<20) + 1 {
		s.feed(0, make([]byte, 1<<20))
		if s.sessions[0].state == offline {
			break
		}
	}
	if s.stats.Lost != 1 || s.rest != 0 {
		t.Errorf("%+v, %d bytes kept", s.stats, s.rest)
	}
}

// FuzzFeed: whatever a broker sends, in whatever pieces, the books stay right.
func FuzzFeed(f *testing.F) {
	f.Add([]byte(accepted+"\x30\x08\x00\x05a/askx\x40\x02\x00\x02"), uint8(1))
	f.Add([]byte(accepted+"\x30\xff\x7f"), uint8(200))
	f.Add([]byte("\x20\x02\x00\x05"), uint8(3))
	f.Add([]byte("\xd0\x00"+accepted), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		s, k, got := greeted(t, 1000)
		for len(b) > 0 && s.sessions[0].state != offline {
			n := min(len(b), int(cut)+1)
			s.feed(0, b[:n])
			b = b[n:]
		}
		d := &s.sessions[0]
		if s.rest != len(d.rest) || len(d.rest) > 1000+5 || len(s.out) > 0 {
			t.Fatalf("%d bytes kept, %d counted, %d not sent", len(d.rest), s.rest, len(s.out))
		}
		connected := 0
		if d.state == online {
			connected = 1
		}
		if waits := d.state == greeting || d.state == subscribing; s.stats.Connected != connected || (s.opening == 1) != waits || (d.state == offline) != (k.closed == 1) {
			t.Fatalf("state %d: %d connected, %d opening, %d closed", d.state, s.stats.Connected, s.opening, k.closed)
		}
		if s.stats.Acked+s.stats.Unacked+uint64(len(d.flights)) != s.stats.Published {
			t.Fatalf("%+v, %d in flight", s.stats, len(d.flights))
		}
		for _, m := range got.got {
			if len(m.Topic)+len(m.Payload) > 1000 {
				t.Fatalf("a message of %d bytes", len(m.Topic)+len(m.Payload))
			}
		}
	})
}
