package mqttlink

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"pithings/mqttlink/outbox"
	"pithings/quietlog"
)

// DeadLetter is a message that was taken out of the outbox without being delivered: the
// broker closes the connection upon it, so that the others could never pass, or it is over a
// limit of the broker that was not known when it was accepted.
type DeadLetter struct {
	Message  Message
	Reason   string // in one line
	Time     time.Time
	Sessions int // that it ended; 0 if its topic was the reason
}

// What a link keeps of them itself.
const (
	deadMessages = 100
	deadBytes    = 1 << 20
)

// deadLetters keeps them with Options.KeepDeadLetter, or in memory.
type deadLetters struct {
	*base

	mu     sync.Mutex
	unkept []DeadLetter
	bytes  int // in unkept
}

// add keeps r. The caller takes it out of the outbox.
func (d *deadLetters) add(r outbox.Record, reason string, sessions int) {
	reason = quietlog.OneLine(reason)
	a := DeadLetter{
		Message: Message{Topic: r.Topic, Payload: r.Payload, QoS: r.QoS, Retain: r.Retain, Expiry: r.Expiry, Alarm: r.Class == outbox.Alarm},
		Reason:  reason, Time: time.Now(), Sessions: sessions,
	}
	kept := false
	if d.o.KeepDeadLetter != nil {
		err := d.o.KeepDeadLetter(a)
		if kept = err == nil; err != nil {
			d.quiet.Say(slog.LevelError, "dead letter "+err.Error(), "dead letter cannot be stored: kept in memory only", "err", err)
		}
	}
	d.counts.add(func(s *Stats) { s.DeadLetters++ })
	if !kept {
		a.Message.Payload = slices.Clone(a.Message.Payload)
		d.mu.Lock()
		d.unkept = append(d.unkept, a)
		d.bytes += size(a.Message)
		for len(d.unkept) > deadMessages || d.bytes > deadBytes && len(d.unkept) > 1 {
			d.bytes -= size(d.unkept[0].Message)
			d.unkept = slices.Delete(d.unkept, 0, 1)
		}
		d.mu.Unlock()
	}
	d.quiet.Say(slog.LevelError, "dead letter "+r.Topic, "message not delivered: kept as a dead letter", "topic", short(r.Topic), "bytes", len(r.Payload), "err", reason)
}

// all returns those that are in memory.
func (d *deadLetters) all() []DeadLetter {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.unkept)
}
