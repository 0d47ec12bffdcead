package pace

import (
	"time"
)

// bucket holds tokens that are taken by what is sent and come back with time. It may owe
// some: what is larger than the whole bucket waits until it is full.
type bucket struct {
	rate  float64 // tokens a second
	size  float64
	level float64
	last  time.Time
}

// newBucket returns one that lets through no more than limit in any second: a tenth of it
// at once, and nine tenths a second from then on.
func newBucket(limit int) *bucket {
	if limit <= 0 {
		return nil
	}
	size := max(1, float64(limit)/10)
	return &bucket{rate: max(float64(limit)-size, float64(limit)/2), size: size, level: size}
}

// take takes n tokens, or returns how long it is until they can be taken.
func (b *bucket) take(n float64, now time.Time) (wait time.Duration) {
	if b == nil {
		return 0
	}
	if !b.last.IsZero() {
		b.level = min(b.size, b.level+b.rate*now.Sub(b.last).Seconds())
	}
	b.last = now
	if lack := min(n, b.size) - b.level; lack > 1e-9 {
		return time.Duration(lack/b.rate*float64(time.Second)) + 1
	}
	b.level -= n
	return 0
}

// giveBack undoes a take.
func (b *bucket) giveBack(n float64) {
	if b != nil {
		b.level += n
	}
}

// Rates keeps messages under a broker's limits a second. The zero value has none.
type Rates struct{ messages, bytes *bucket }

// NewRates returns limits of messages and bytes a second; 0 is no limit.
func NewRates(messages, bytes int) Rates {
	return Rates{newBucket(messages), newBucket(bytes)}
}

// TakeBytes takes the turn of so many bytes, or returns how long it is until then.
func (r *Rates) TakeBytes(n int, now time.Time) (wait time.Duration) {
	return r.bytes.take(float64(n), now)
}

// TakeMessage takes the turn of one message, or returns how long it is until then.
func (r *Rates) TakeMessage(now time.Time) (wait time.Duration) { return r.messages.take(1, now) }

// Take takes the turn of a message of so many bytes, if it is now.
func (r *Rates) Take(bytes int, now time.Time) bool {
	if r.bytes.take(float64(bytes), now) > 0 {
		return false
	}
	if r.messages.take(1, now) > 0 {
		r.bytes.giveBack(float64(bytes))
		return false
	}
	return true
}

// Drain spaces the messages of a backlog: those sent until the outbox has once been found
// empty.
type Drain struct {
	rate   float64 // a second; 0: no limit
	caught bool
	last   time.Time // the last turn
}

// NewDrain returns a drain at so many messages a second; 0 is no limit.
func NewDrain(rate float64) Drain { return Drain{rate: rate} }

// Rest notes that nothing is queued: the backlog is over.
func (d *Drain) Rest() { d.caught = true }

// Spacing reports whether messages are still spaced.
func (d *Drain) Spacing() bool { return d.rate > 0 && !d.caught }

// Due returns how long it is until the next message's turn; 0 or less is now.
func (d *Drain) Due(now time.Time) time.Duration {
	if !d.Spacing() || d.last.IsZero() {
		return 0
	}
	return d.last.Add(time.Duration(float64(time.Second) / d.rate)).Sub(now)
}

// Take takes the next message's turn, and returns how long it is until then.
func (d *Drain) Take(now time.Time) (wait time.Duration) {
	wait = max(d.Due(now), 0)
	d.last = now.Add(wait)
	return wait
}

// Window bounds the messages in flight. Send a token to take a place, receive one to give
// it back; both can be part of a select.
type Window chan struct{}

// NewWindow returns a window with so many places.
func NewWindow(places int) Window { return make(Window, places) }

// Take takes a place, if one is free.
func (w Window) Take() bool {
	select {
	case w <- struct{}{}:
		return true
	default:
		return false
	}
}

// Taken returns how many places are taken.
func (w Window) Taken() int { return len(w) }

// GiveBack gives so many places back.
func (w Window) GiveBack(n int) {
	for range n {
		<-w
	}
}

// Patience is how long to wait for an acknowledgement. After a session that ended without
// a single one it doubles, up to sixteen times: a link so slow that one message takes
// longer than the time-out must not repeat it for ever.
type Patience struct{ doubled int }

// Timeout returns how long to wait, where base is the time without such sessions.
func (p *Patience) Timeout(base time.Duration) time.Duration { return base << p.doubled }

// Ended notes how many acknowledgements a session has had, and whether it ended for want
// of one.
func (p *Patience) Ended(acks int, timedOut bool) {
	switch {
	case acks > 0:
		p.doubled = 0
	case timedOut:
		p.doubled = min(p.doubled+1, 4)
	}
}
