package broker

import (
	"testing"
	"time"
)

// A session left behind is kept for two hours unless the configuration says otherwise;
// the library counts in seconds, of the real clock.
func TestSessionsAreKeptForTwoHours(t *testing.T) {
	for o, want := range map[time.Duration]uint32{0: 7200, time.Minute: 60, 720 * time.Hour: 2592000} {
		b := startWith(t, Options{SessionExpiry: o})
		if got := b.server.Options.Capabilities.MaximumSessionExpiryInterval; got != want {
			t.Errorf("%v: sessions are kept for %d s, want %d", o, got, want)
		}
	}
}

// TestAbsentSessionsAreForgotten: the session of a client that stays away is forgotten
// with its subscription, the messages that wait for it and what they count, also when a
// client of MQTT 5 asks for a longer time. The one of a client that is here stays.
func TestAbsentSessionsAreForgotten(t *testing.T) {
	b := startWith(t, Options{SessionExpiry: time.Second})
	here := dialWire(t, b.Addr())
	here.connect("here", 0)
	here.subscribe(1, "a/#")
	settle(t, b)
	before := b.Stats()
	leave := func(w *wire) {
		t.Helper()
		w.send([]byte{0xe0, 0})
		w.closed()
	}
	old := dialWire(t, b.Addr())
	old.connect("old", 0)
	old.subscribe(1, "a/#")
	leave(old)
	eager := dialWire(t, b.Addr())
	eager.connect5("eager", 17, 0xff, 0xff, 0xff, 0xff) // keep it for ever
	eager.subscribe5("a/#", 1, 3)
	leave(eager)
	here.send(publishPacket("a/b", make([]byte, 10_000), 1, 9, false))
	_, _, id := here.awaitBoth(4, 3).message() // in any order
	if s := b.Stats(); s.Absent != 2 || s.Used < before.Used+20_000 {
		t.Fatalf("%+v: two sessions were left behind, with a message each", s)
	}
	for deadline := time.Now().Add(patience); b.Stats().Absent > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", b.Stats())
		}
		time.Sleep(20 * time.Millisecond) // the library's ticker cannot be awaited
	}
	here.send([]byte{0x40, 2, byte(id >> 8), byte(id)})
	settle(t, b)
	if s := b.Stats(); s.Sessions != 1 || s.Used != before.Used || s.Evicted > 0 {
		t.Errorf("%+v, before the two came %+v", s, before)
	}
	if got := b.server.Topics.Subscribers("a/b").Subscriptions; len(got) != 1 {
		t.Errorf("subscriptions are left: %v", got)
	}
	again := dialWire(t, b.Addr())
	if again.connect("old", 0) != 0 {
		t.Error("the session is still there")
	}
	again.nothing()
	back := dialWire(t, b.Addr())
	leave(here)
	if back.connect("here", 0) != 1 {
		t.Error("the session of the client that was here is gone")
	}
}
