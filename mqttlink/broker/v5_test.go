package broker

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// connect5 connects with MQTT 5 and properties of its own.
func (w *wire) connect5(id string, props ...byte) {
	w.Helper()
	w.v5 = true
	w.send(frame(0x10, str("MQTT"), []byte{5, 2, 0, 0}, length(len(props)), props, str(id)))
	if p := w.await(2); p.body[1] != 0 {
		w.Fatalf("CONNACK % x", p.body)
	}
}

// subscribe5 subscribes with options and a subscription identifier.
func (w *wire) subscribe5(filter string, options, id byte) {
	w.Helper()
	w.send(frame(0x82, []byte{0, 7, 2, 11, id}, str(filter), []byte{options}))
	if p := w.await(9); p.body[len(p.body)-1] > 2 {
		w.Fatalf("SUBACK % x", p.body)
	}
}

// What the library did with MQTT 5's messages is ours now: properties, identifiers of
// subscriptions, the flag of retained ones, and those of one's own.
func TestMessagesOfMQTT5(t *testing.T) {
	b := start(t)
	s := dialWire(t, b.Addr())
	s.connect5("sub")
	s.subscribe5("a/#", 1|8, 3) // QoS 1, retain as published
	s.subscribe5("+/b", 2, 4)
	self := dialWire(t, b.Addr())
	self.connect5("self")
	self.subscribe5("a/b", 2|4, 9) // no local

	props := append(append([]byte{1, 1, 2, 0, 0, 0, 100}, append([]byte{3}, str("text/plain")...)...), append([]byte{9}, str("corr")...)...)
	props = append(append(append(props, 38), str("k")...), str("v")...)
	self.send(frame(0x33, str("a/b"), []byte{0, 1}, length(len(props)), props, []byte("hello")))
	self.await(4)
	p := s.await(3)
	if p.flags != 0b0011 { // QoS 1 of the publisher, retained
		t.Errorf("flags %04b", p.flags)
	}
	for _, want := range [][]byte{{1, 1}, append([]byte{3}, str("text/plain")...), append([]byte{9}, str("corr")...), append(append([]byte{38}, str("k")...), str("v")...), {11, 3}, {11, 4}, []byte("hello")} {
		if !bytes.Contains(p.body, want) {
			t.Errorf("% x lacks % x", p.body, want)
		}
	}
	i := bytes.Index(p.body, []byte{2, 0, 0, 0})
	if i < 0 || p.body[i+4] == 0 || p.body[i+4] > 100 {
		t.Errorf("no message expiry in % x", p.body)
	}
	self.nothing() // of its own
	// retain handling: 2 none, 1 for new subscriptions only
	late := dialWire(t, b.Addr())
	late.connect5("late")
	late.subscribe5("a/b", 2<<4, 1)
	late.subscribe5("a/b", 1<<4, 1)
	late.nothing()
	late.subscribe5("a/b", 0, 1)
	late.await(3)
}

// A client's own limits: messages unacknowledged, and the largest packet.
func TestLimitsOfAClient(t *testing.T) {
	b := start(t)
	s := dialWire(t, b.Addr())
	s.connect5("sub", 33, 0, 2, 39, 0, 0, 0, 100) // receive maximum 2, packets of 100 bytes
	s.subscribe5("x", 1, 1)
	p := dialWire(t, b.Addr())
	p.connect("pub", 2)
	for i, size := range []int{1, 200, 2, 3, 4} {
		p.send(publishPacket("x", bytes.Repeat([]byte("x"), size), 1, uint16(1+i), false))
		p.await(4)
	}
	var got []packet
	for range 2 {
		got = append(got, s.await(3))
	}
	s.send([]byte{0xc0, 0})
	if p, err := s.next(); err != nil || p.kind != 13 { // the window is full: nothing can be on its way
		t.Fatalf("packet type %d before the first two are acknowledged; %v", p.kind, err)
	}
	for _, p := range got {
		_, _, id := p.message()
		s.send([]byte{0x40, 2, byte(id >> 8), byte(id)})
	}
	for range 2 {
		s.await(3)
	}
	if n := b.Stats().Dropped; n != 1 {
		t.Errorf("%d dropped, want the one of 200 bytes", n)
	}
}

// An identifier of a message that the broker sends is not one of those that the client
// sends: the library kept both in one table, and lost the former.
func TestIdentifiersOfBothDirections(t *testing.T) {
	b := start(t)
	s := dialWire(t, b.Addr())
	s.connect("both", 0)
	s.subscribe(1, "in")
	p := dialWire(t, b.Addr())
	p.connect("pub", 2)
	p.send(publishPacket("in", []byte("keep me"), 1, 1, false))
	p.await(4)
	_, _, id := s.await(3).message() // not acknowledged
	s.send(publishPacket("out", nil, 1, id, false))
	s.await(4)
	s.Close()
	s = dialWire(t, b.Addr())
	if s.connect("both", 0) != 1 {
		t.Fatal("no session")
	}
	if _, payload, again := s.await(3).message(); payload != "keep me" || again != id {
		t.Errorf("received %q %d, want the unacknowledged message again", payload, again)
	}
}

// A will with a delay is published after it, or not at all if the client is back.
func TestWillDelay(t *testing.T) {
	b := start(t)
	s := dialWire(t, b.Addr())
	s.connect("sub", 2)
	s.subscribe(0, "will/#")
	connect := func(id string) *wire {
		w := dialWire(t, b.Addr())
		w.send(frame(0x10, str("MQTT"), []byte{5, 4, 0, 0, 5, 17, 0, 0, 1, 0}, str(id), []byte{5, 24, 0, 0, 0, 1}, str("will/"+id), str("dead")))
		w.await(2)
		return w
	}
	back, gone := connect("back"), connect("gone")
	back.Close()
	awaitAbsent(t, b)
	connect("back")
	began := time.Now()
	gone.Close()
	if topic, _, _ := s.await(3).message(); topic != "will/gone" || time.Since(began) < 900*time.Millisecond {
		t.Errorf("%s after %v", topic, time.Since(began))
	}
	s.nothing() // no other will
}

// Shared subscriptions go through the same queues.
func TestSharedSubscriptions(t *testing.T) {
	b := start(t)
	var subs []*wire
	for _, id := range []string{"one", "two"} {
		w := dialWire(t, b.Addr())
		w.connect(id, 2)
		w.subscribe(1, "$share/group/work")
		subs = append(subs, w)
	}
	p := dialWire(t, b.Addr())
	p.connect("pub", 2)
	for i := range 20 {
		p.send(publishPacket("work", binary.BigEndian.AppendUint16(nil, uint16(i)), 1, 1, false))
		p.await(4)
	}
	n := 0
	for _, w := range subs {
		n += len(w.rest())
	}
	if n != 20 {
		t.Errorf("%d of 20 messages came to the group", n)
	}
}
