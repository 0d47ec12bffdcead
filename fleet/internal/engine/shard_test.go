package engine

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

// Where one of the broker's addresses is dead, its devices take the next one, however often they have
// failed before.
func TestNextAddress(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		b := startBroker(t)
		to := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort(b.Addr())}
		o := meters(6, to[0], time.Hour)
		o.Addresses = func(context.Context) ([]netip.AddrPort, error) { return to, nil }
		o.portable, o.Backoff = portable, Backoff{Min: 20 * time.Millisecond, Max: 50 * time.Millisecond}
		e, _ := run(t, o)
		if s := until(t, e, "connected", func(s Stats) bool { return s.Connected == 6 }); s.Errors["connection refused"] != 3 {
			t.Errorf("%v, want 3 refused", s.Errors)
		}
	})
}

// The next address is another one also behind so many failures that the pause does not grow any more.
func TestAddressesInTurn(t *testing.T) {
	s, _, _ := greeted(t, 1000)
	all := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")}
	s.e.addresses.Store(&all)
	for n := range 300 {
		before := s.address(0)
		s.lost(0, errors.New("gone"))
		if s.address(0) == before {
			t.Fatalf("after %d failures the address is the same", n+1)
		}
	}
	s.sessions[0].began = 1
	s.e.start = s.e.start.Add(-time.Hour)
	before := s.address(0)
	s.lost(0, errors.New("gone"))
	if s.address(0) != before {
		t.Error("a session that has held for long was at the wrong address")
	}
}

// A session that ends by the device's wish leaves no time that would count for the next one.
func TestRestartEndsTheCount(t *testing.T) {
	s, _, _ := greeted(t, 1000)
	s.feed(0, []byte(accepted))
	d := &s.sessions[0]
	d.fails = 3
	s.e.start = s.e.start.Add(-time.Hour)
	s.restart(0, true)
	if d.fails != 0 || d.began != 0 {
		t.Errorf("%d failures, began at %d; want 0 and 0", d.fails, d.began)
	}
}

// All are connected when they are at the same time, whatever shards they belong to.
func TestEveryoneIsAtOneTime(t *testing.T) {
	o := meters(2, netip.AddrPort{}, time.Hour)
	o.Shards = 2
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	connect := func(s *shard) {
		s.carrier = &sink{}
		s.connect(e.now() + int64(time.Second))
		s.opened(0)
		s.feed(0, []byte(accepted))
	}
	connect(e.shards[0])
	e.shards[0].lost(0, errors.New("gone"))
	connect(e.shards[1])
	if s := e.Stats(); s.Connected != 1 || s.Everyone != 0 {
		t.Errorf("one after the other: %d are connected, all after %v", s.Connected, s.Everyone)
	}
	e.shards[0].due(0, e.now()) // its pause is over
	connect(e.shards[0])
	if s := e.Stats(); s.Connected != 2 || s.Everyone <= 0 {
		t.Errorf("together: %d are connected, all after %v", s.Connected, s.Everyone)
	}
}
