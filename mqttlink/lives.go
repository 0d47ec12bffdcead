package mqttlink

import (
	"errors"
	"sync"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
)

// lives knows until when the messages that have a life are worth being sent. It
// goes by the monotonic clock: setting the time ends no life early or late.
type lives struct {
	clock *clock.Clock

	mu    sync.Mutex
	until map[uint64]time.Time // by sequence number; those of this process
}

// append puts r into the box with Append or Stage. The lock is held meanwhile, so that
// the sender cannot meet the record before its end is known; only messages that have a
// life wait for each other.
func (v *lives) append(box outbox.Box, r outbox.Record, put func(outbox.Record) (uint64, error)) (uint64, error) {
	if r.Life == 0 {
		return put(r)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	until := time.Now().Add(r.Life)
	seq, err := put(r)
	if err != nil && !errors.Is(err, outbox.ErrHeld) {
		return seq, err
	}
	if v.until == nil {
		v.until = make(map[uint64]time.Time)
	}
	if len(v.until) >= 1024 && len(v.until) > 2*box.Len() {
		v.sweep(box) // what gave way in the box was never forgotten
	}
	v.until[seq] = until
	return seq, err
}

func (v *lives) sweep(box outbox.Box) {
	first, ok, err := box.Next(0)
	if !ok || err != nil {
		return
	}
	for seq := range v.until {
		if seq < first.Seq {
			delete(v.until, seq)
		}
	}
}

// over reports whether the life of r has passed. That of a message from an earlier
// run is counted by its stamp, which a clock that is set does not change, or by the
// wall clock; if neither tells its age, it has passed.
func (v *lives) over(r outbox.Record) bool {
	if r.Life <= 0 {
		return false
	}
	v.mu.Lock()
	until, ours := v.until[r.Seq]
	v.mu.Unlock()
	if ours {
		return !time.Now().Before(until)
	}
	age, known := v.clock.Age(clock.Stamp(r.Stamp))
	if now := v.clock.Now(); !known && !now.IsZero() && !r.Time.IsZero() {
		age, known = now.Sub(r.Time), true
	}
	return !known || age < 0 || age >= r.Life
}

// forget forgets a message that has left the box.
func (v *lives) forget(r outbox.Record) {
	if r.Life > 0 {
		v.mu.Lock()
		delete(v.until, r.Seq)
		v.mu.Unlock()
	}
}
