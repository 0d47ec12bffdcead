package access

import (
	"net/netip"
	"sync"
	"time"
)

// How many passwords may be tried: so many at once, and one more after each pause. All addresses
// together have a limit of their own, for an attacker has as many as it likes. A client with a
// session needs no attempt.
const (
	burstOne, pauseOne = 5, time.Minute
	burstAll, pauseAll = 20, 6 * time.Second
)

// attempts counts tries of the password. It remembers few addresses: each has passed the limit of
// all, and is forgotten after five minutes.
type attempts struct {
	now func() time.Time

	mu  sync.Mutex
	all bucket
	by  map[netip.Prefix]*bucket
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, by: map[netip.Prefix]*bucket{}}
}

// bucket is full at the start; it is the time at which it will be full again.
type bucket struct{ full time.Time }

// wait is how long it takes until there is one more attempt, 0 if there is one.
func (b *bucket) wait(now time.Time, burst int, pause time.Duration) time.Duration {
	if !b.full.After(now) {
		return 0
	}
	return max(0, b.full.Sub(now)-time.Duration(burst-1)*pause)
}

func (b *bucket) take(now time.Time, pause time.Duration) {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(pause)
}

// take counts an attempt from an address, or returns how long to wait.
func (a *attempts) take(from netip.Prefix) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	one := a.by[from]
	if one == nil {
		one = new(bucket)
	}
	if wait = max(one.wait(now, burstOne, pauseOne), a.all.wait(now, burstAll, pauseAll)); wait > 0 {
		return wait
	}
	for p, b := range a.by {
		if !b.full.After(now) {
			delete(a.by, p)
		}
	}
	one.take(now, pauseOne)
	a.all.take(now, pauseAll)
	a.by[from] = one
	return 0
}

// forget gives an address its attempts back: it knew the password.
func (a *attempts) forget(from netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.by, from)
	a.all.full = a.all.full.Add(-pauseAll)
}
