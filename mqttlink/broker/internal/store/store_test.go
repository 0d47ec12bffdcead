package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"

	"pithings/mqttlink/broker/internal/access"
)

// bench is a store with clients that do what chance has them do.
type bench struct {
	*testing.T
	*Store
	r      *rand.Rand
	now    time.Time
	conns  []*Conn
	closed map[*Conn]bool
	woken  map[*Conn]bool
	forgot int
}

func newBench(t *testing.T, seed uint64, limit int64) *bench {
	b := &bench{T: t, r: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1000, 0), closed: map[*Conn]bool{}, woken: map[*Conn]bool{}}
	b.Store = New(Options{Max: limit, Window: 4, Forget: func(any, bool) { b.forgot++ }, Evicted: func(Eviction) {}, Now: func() time.Time { return b.now }})
	return b
}

func (b *bench) connect(id string, own bool) *Conn {
	var c *Conn
	c = b.NewConn(fmt.Sprint("10.0.0.", b.r.IntN(3)), b.r.IntN(2) == 0, own, func() { b.woken[c] = true }, func() { b.closed[c] = true })
	b.conns = append(b.conns, c)
	b.Attach(c, Established{Client: id, ID: id, Rights: access.All(""), Clean: b.r.IntN(3) == 0, V5: b.r.IntN(2) == 0, MaxPacket: b.r.IntN(2) * 3000, Window: b.r.IntN(3), Held: int64(b.r.IntN(500))})
	c.Open()
	return c
}

func (b *bench) message() *Message {
	return NewMessage(&packets.Packet{
		FixedHeader: packets.FixedHeader{Qos: byte(b.r.IntN(3)), Retain: b.r.IntN(3) == 0},
		TopicName:   fmt.Sprint("t/", b.r.IntN(6)), Payload: make([]byte, b.r.IntN(2)*b.r.IntN(9000)), Expiry: []int64{0, 0, b.now.Unix() + 3}[b.r.IntN(3)],
		Properties: packets.Properties{ContentType: []string{"", "text/plain"}[b.r.IntN(2)]},
	})
}

// step does one thing.
func (b *bench) step() {
	if len(b.conns) == 0 {
		b.connect("c0", false)
	}
	c := b.conns[b.r.IntN(len(b.conns))]
	switch b.r.IntN(12) {
	case 0:
		id := fmt.Sprint("c", b.r.IntN(8))
		b.connect(id, id == "c7")
	case 1:
		b.End(c, b.r.IntN(2) == 0)
	case 2, 3, 4:
		m := b.message()
		if m.Retain {
			b.Retain(m)
		}
		subs := map[string]packets.Subscription{}
		for range b.r.IntN(8) {
			subs[fmt.Sprint("c", b.r.IntN(8))] = packets.Subscription{Qos: byte(b.r.IntN(3)), Identifier: b.r.IntN(3)}
		}
		b.Deliver(m, subs)
	case 5, 6:
		if b.woken[c] { // the writer runs
			if _, _, ok := c.Next(nil); !ok {
				b.woken[c] = false
			}
		}
	case 7:
		if s := c.session; s != nil && len(s.sent) > 0 {
			sl := s.sent[b.r.IntN(len(s.sent))]
			b.Acknowledge(c, []byte{packets.Puback, packets.Pubrec, packets.Pubcomp}[b.r.IntN(3)], sl.id, b.r.IntN(9) == 0)
		}
	case 8:
		c.Write(make([]byte, b.r.IntN(300)))
	case 9:
		c.Reading(int64(b.r.IntN(2) * b.r.IntN(20_000)))
	case 10:
		b.SetFilters(c, int64(b.r.IntN(2000)))
		b.SetInbound(c, int64(b.r.IntN(2000)))
		b.SendRetained(c, packets.Subscription{Filter: []string{"#", "t/1", "t/+"}[b.r.IntN(3)], Qos: 1})
	case 11:
		b.now = b.now.Add(time.Second)
		if b.r.IntN(9) == 0 {
			c.Finish()
		}
		if b.r.IntN(9) == 0 {
			b.Drop(fmt.Sprint("c", b.r.IntN(8)))
		}
	}
}

// count adds up what is kept, without the counts that were made on the way.
func (b *bench) count() (n int64) {
	seen := map[*Message]int{}
	hold := func(m *Message) { seen[m]++ }
	for c := range b.Store.conns {
		n += c.fixed + int64(cap(c.control)) + c.taken + c.reading
		if c.current != nil {
			hold(c.current)
		}
	}
	for _, s := range b.sessions {
		n += sessionCost + int64(len(s.ID)) + s.held + s.filters + s.inbound
		for _, list := range [][]slot{s.sent, s.queue} {
			for _, sl := range list {
				n += slotCost + int64(8*len(sl.ids))
				hold(sl.m)
			}
		}
	}
	for _, m := range b.retained {
		n += retainedCost
		hold(m)
	}
	for m, refs := range seen {
		n += m.size()
		if refs != m.refs {
			b.Errorf("a message is in %d places, and counts %d", refs, m.refs)
		}
	}
	return n
}

// Whatever clients do, in whatever order: what is counted is what is there, it stays
// within the budget, and when all are gone nothing is left.
func TestTheCountIsTrue(t *testing.T) {
	for seed := range uint64(60) {
		b := newBench(t, seed, 400_000)
		for i := range 1500 {
			b.step()
			if n := b.count(); n != b.used || n > 400_000 && b.costly() {
				t.Fatalf("seed %d, step %d: %d bytes are kept, %d are counted", seed, i, n, b.used)
			}
		}
		for _, c := range b.conns {
			b.End(c, false)
		}
		for _, s := range b.sessions {
			b.expel(s)
		}
		for _, m := range b.retained {
			b.unretain(m)
		}
		if b.used != 0 || b.others != 0 || b.ours != 0 || len(b.Store.conns) != 0 {
			t.Fatalf("seed %d: %d bytes are left, %d and %d retained", seed, b.used, b.others, b.ours)
		}
	}
}

// costly reports whether there is a client that could make room.
func (b *bench) costly() bool { _, ok := b.costliest(); return ok }

// The clients of one address cannot push out those of another by numbers.
func TestAddressThatCostsMostGoesFirst(t *testing.T) {
	b := newBench(t, 1, 1<<20)
	attach := func(addr, id string) *Conn {
		var c *Conn
		c = b.NewConn(addr, false, false, func() {}, func() { b.closed[c] = true })
		b.Attach(c, Established{Client: id, ID: id, Rights: access.All("")})
		return c
	}
	good := attach("good", "good")
	b.SetFilters(good, 50_000) // more than any single one of the others
	for i := range 200 {
		attach("bad", fmt.Sprint("bad", i))
	}
	if b.closed[good] || b.stats.Evicted == 0 {
		t.Errorf("closed %v, %d evicted", b.closed[good], b.stats.Evicted)
	}
}

func FuzzPublish(f *testing.F) {
	f.Add("topic", []byte("payload"), byte(1), true, uint16(7), "text/plain", int64(5))
	f.Fuzz(func(t *testing.T, topic string, payload []byte, qos byte, v5 bool, id uint16, contentType string, expires int64) {
		qos %= 3
		text := func(s string) bool { return len(s) <= 65535 && utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
		if !text(topic) || !text(contentType) || topic == "" || id == 0 { // the decoder lets no others in
			return
		}
		m := NewMessage(&packets.Packet{TopicName: topic, Payload: payload, Expiry: max(0, min(expires, 1<<31)), Properties: packets.Properties{ContentType: contentType}})
		b := append(m.header(nil, &slot{m: m, qos: qos, id: id}, v5, time.Unix(0, 0)), payload...)
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Qos: qos, Type: packets.Publish}, ProtocolVersion: 4}
		if v5 {
			pk.ProtocolVersion = 5
		}
		n, used := 0, 0
		for shift := 0; ; shift += 7 {
			used++
			n |= int(b[used]&0x7f) << shift
			if b[used]&0x80 == 0 {
				break
			}
		}
		if body := b[1+used:]; len(body) != n {
			t.Fatalf("the length says %d of %d", n, len(body))
		} else if err := pk.PublishDecode(body); err != nil {
			t.Fatal(err)
		}
		if pk.TopicName != topic || string(pk.Payload) != string(payload) || qos > 0 && pk.PacketID != id || v5 && pk.Properties.ContentType != contentType {
			t.Errorf("decoded %q %q %d %q", pk.TopicName, pk.Payload, pk.PacketID, pk.Properties.ContentType)
		}
	})
}
