package mqttlink

import (
	"log/slog"
	"time"

	"pithings/mqttlink/outbox"
)

// bucket holds tokens that are taken by what is sent and come back with time. It
// may owe some: what is larger than the whole bucket waits until it is full.
type bucket struct {
	rate  float64 // tokens a second
	size  float64
	level float64
	last  time.Time
}

// newBucket returns one that lets through no more than limit in any second: a
// tenth of it at once, and nine tenths a second from then on.
func newBucket(limit int) *bucket {
	if limit <= 0 {
		return nil
	}
	size := max(1, float64(limit)/10)
	return &bucket{rate: max(float64(limit)-size, float64(limit)/2), size: size, level: size}
}

// take takes n tokens, or returns how long it will be until they can be taken.
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

// throttle keeps what is published under the broker's rates.
type throttle struct {
	messages, bytes *bucket
}

func newThrottle(l Limits) throttle {
	return throttle{messages: newBucket(l.Rate), bytes: newBucket(l.ByteRate)}
}

// now takes what a message of so many bytes needs, if it is there.
func (t *throttle) now(bytes float64) bool {
	now := time.Now()
	if t.bytes.take(bytes, now) > 0 {
		return false
	}
	if t.messages.take(1, now) > 0 {
		t.bytes.giveBack(bytes)
		return false
	}
	return true
}

// giveBack undoes a take.
func (b *bucket) giveBack(n float64) {
	if b != nil {
		b.level += n
	}
}

// throttled waits until r may be sent. It returns false if the session ends first.
func (s *session) throttled(r outbox.Record) bool {
	t, limits := &s.l.throttle, &s.l.o.Limits
	return s.turn(t.bytes, float64(len(r.Topic)+len(r.Payload)), "bytes", limits.ByteRate) &&
		s.turn(t.messages, 1, "messages", limits.Rate)
}

// turn waits until n tokens can be taken, and takes them.
func (s *session) turn(b *bucket, n float64, unit string, limit int) bool {
	for first := true; ; first = false {
		wait := b.take(n, time.Now())
		if wait == 0 {
			return true
		}
		if first {
			s.noteThrottled(unit, limit)
		}
		if !s.pause(wait) {
			return false
		}
	}
}

// noteThrottled says that messages wait because of a limit.
func (s *session) noteThrottled(unit string, limit int) {
	l := s.l
	l.count(func(st *Stats) { st.Throttled++ })
	l.quiet.say(slog.LevelInfo, "throttled "+unit, "messages wait so as to keep the broker's limit", "of", l.o.Limits.By,
		unit+"_per_second", limit, "queued", l.box.Len())
}

// pause waits for d. It returns false if the session ends first.
func (s *session) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-s.ended:
		return false
	}
}

// pacer spaces the messages of a backlog: those sent until the outbox has once
// been found empty.
type pacer struct {
	rate   float64 // a second; 0: not at all
	caught bool
	last   time.Time
}

// rest notes that there is nothing to send.
func (p *pacer) rest() { p.caught = true }

// due returns how long it is until the next message's turn.
func (p *pacer) due() time.Duration {
	if p.rate <= 0 || p.caught || p.last.IsZero() {
		return 0
	}
	return time.Until(p.last.Add(time.Duration(float64(time.Second) / p.rate)))
}

// wait waits for the next message's turn. It returns false if ended came first.
func (p *pacer) wait(ended <-chan struct{}) bool {
	due := p.due()
	p.last = time.Now().Add(max(due, 0))
	if due <= 0 {
		return true
	}
	select {
	case <-time.After(due):
		return true
	case <-ended:
		return false
	}
}
