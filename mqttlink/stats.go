package mqttlink

import (
	"slices"
	"time"

	"pithings/mqttlink/outbox"
)

// Stats is a link at one moment; counts are since New.
type Stats struct {
	State     State
	Since     time.Time // of the state
	Connects  uint64    // sessions established
	Attempts  uint64    // connections attempted
	Accepted  uint64    // messages taken by Publish
	Refused   uint64    // messages not taken because the outbox was full or queueing off
	Full      uint64    // those of Refused for which the outbox was full; Dropped has them, too
	Acked     uint64    // messages that left the outbox because they were delivered
	Expired   uint64    // messages dropped because their life had passed
	Aside     uint64    // messages set aside because the broker closes the connection upon them
	Resent    uint64    // messages sent once more after a loss
	Dropped   uint64    // messages given up because of a limit of the outbox
	Dated     uint64    // messages whose time was filled in when the clock was known
	Nulled    uint64    // messages sent with null for their time, which nobody knows
	Waiting   int       // messages that wait for the clock: those in the outbox, while the first of them does
	Throttled uint64    // messages that waited so as to keep the broker's rate
	Queued    int       // messages in the outbox
	Outbox    outbox.Stats
	Received  uint64   // messages from the broker
	Missed    uint64   // messages that gave way because a handler was slow
	TooLarge  uint64   // messages from the broker larger than Options.MaxInbound
	LastError string   // in one line; "" while online
	Refusals  []string // filters that the broker refuses
	Barred    []string // topics whose messages are set aside without being sent
	TakenOver bool     // another client uses the client id
}

// Stats returns the counts.
func (l *Link) Stats() Stats {
	b := l.box.Stats()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.State, s.Queued, s.Dropped, s.Outbox = l.State(), b.Messages, b.Dropped, b
	for topic, o := range l.offenders {
		if time.Now().Before(o.until) {
			s.Barred = append(s.Barred, topic)
		}
	}
	slices.Sort(s.Barred)
	if l.waiting.Load() {
		s.Waiting = b.Messages
	}
	s.Missed, s.Refusals = l.subs.missed.Load(), l.subs.refusals()
	return s
}

func (l *Link) count(f func(*Stats)) {
	l.mu.Lock()
	f(&l.stats)
	l.mu.Unlock()
}
