package access

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// A name that is no single level could reach the topics of others.
func TestNamesInFilters(t *testing.T) {
	u := &user{name: "u", publish: []string{"home/%u/%c", "fixed"}}
	for name, row := range map[string]struct {
		user, client, topic string
		want                bool
	}{
		"its own":           {"hall", "c1", "home/hall/c1", true},
		"another client":    {"hall", "c1", "home/hall/c2", false},
		"wildcard as id":    {"hall", "+", "home/hall/c2", false},
		"everything as id":  {"hall", "#", "home/hall/c2", false},
		"levels as id":      {"hall", "a/b", "home/hall/a/b", false},
		"others still work": {"hall", "#", "fixed", true},
		"percent in a name": {"%c", "x", "home/x/x", false},
	} {
		if got := u.rights(row.user, row.client).MayPublish(row.topic); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// hash is that of "secret", by mosquitto_passwd 2.
const hash = "$7$101$lAjhlQno9f2iiIGb$DS5G3MqEhKeAEAz/wM7SpSGiJKptQCO6W+g7hosTyZaHVVts131CTQF6HLkyt9LlkPtLMuotLbOhOwRufSYOxw=="

// A flood of passwords is limited for its address and for all together, and a client
// that is known comes in all the same.
func TestFloodOfPasswordsIsLimited(t *testing.T) {
	now := time.Unix(1000, 0)
	g, err := NewGate(Rules{Users: []User{{Name: "ann", Hash: hash}}}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	try := func(addr, password string) error {
		_, err := g.Open(context.Background(), Login{Addr: addr, User: "ann", HasUser: true, Password: password})
		return err
	}
	if err := try("good", "secret"); err != nil {
		t.Fatal(err)
	}
	for range burst {
		if err := try("bad", "guess"); !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
	}
	if err := try("bad", "guess"); !errors.Is(err, ErrBusy) {
		t.Errorf("attempt %d of an address: %v", burst+1, err)
	}
	if err := try("bad", "secret"); err != nil {
		t.Errorf("a password that was right once, from the same address: %v", err)
	}
	now = now.Add(refill)
	if err := try("bad", "guess"); !errors.Is(err, ErrRefused) {
		t.Errorf("after a while: %v", err)
	}
	busy := 0
	for i := range 3 * burstAll {
		if errors.Is(try(strings.Repeat("x", i+1), "guess"), ErrBusy) {
			busy++
		}
	}
	if busy < 2*burstAll-10 {
		t.Errorf("%d of %d attempts from different addresses were refused", busy, 3*burstAll)
	}
	if err := try("elsewhere", "secret"); err != nil {
		t.Errorf("a known client during a flood: %v", err)
	}
	for i := range 2 * maxAddrs {
		now = now.Add(time.Second)
		try(strings.Repeat("y", i+1), "guess")
	}
	if n := len(g.addrs); n > maxAddrs {
		t.Errorf("%d addresses are remembered", n)
	}
}

// Passwords are checked one at a time, and those who wait are few.
func TestPasswordsAreCheckedOneAtATime(t *testing.T) {
	g, err := NewGate(Rules{Users: []User{{Name: "ann", Hash: hash}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.turn <- struct{}{} // another password is being checked
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan error)
	var wg sync.WaitGroup
	for i := range maxWaiter + 5 {
		wg.Go(func() {
			_, err := g.Open(ctx, Login{Addr: string(rune('a' + i)), User: "ann", HasUser: true, Password: "guess"})
			results <- err
		})
	}
	for range 5 {
		if err := <-results; !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	}
	cancel()
	for range maxWaiter {
		if err := <-results; !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	}
	wg.Wait()
}
