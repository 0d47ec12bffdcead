package mqttlink

import (
	"context"
	"log/slog"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
)

// A message that was made before the clock was known waits in the outbox, and all
// behind it: the order is that of Publish. It has a stamp and the place of its time
// field, and gets its time when the clock is known. Only messages with a time field
// wait by themselves. What was made in an earlier boot that never learnt the time
// goes out with null.

// date notes in r when m was made, as far as that is known, or that it is to be
// filled in later. It reports whether r must wait for the clock.
func (l *Link) date(r *outbox.Record, m Message) (waits bool) {
	c := l.o.Clock
	if calendar := !m.Time.IsZero() && m.Time == m.Time.Round(0); calendar && m.Life == 0 && m.TimeField.stored().Length == 0 {
		r.Time = m.Time // as in an import: no clock of this machine has to do with it
		return false
	}
	if c.KnownAt(m.Time) {
		if now := c.Now(); m.Time.IsZero() {
			r.Time = now.Round(0)
		} else { // by the monotonic clock, if m.Time has its reading
			r.Time = now.Round(0).Add(-time.Since(m.Time))
		}
		if m.Life > 0 {
			r.Stamp = outbox.Stamp(c.Stamp(m.Time)) // so that a later process can tell its age
		}
		return false
	}
	r.Stamp = outbox.Stamp(c.Stamp(m.Time))
	r.Field = m.TimeField.stored()
	return r.Field.Length > 0 && !c.Known()
}

// undated reports whether the time field of r is to be filled in.
func undated(r outbox.Record) bool { return r.Field.Length > 0 && r.Stamp.Boot != [16]byte{} }

// awaitTime reports whether r can be sent as far as its time goes. If not, it waits
// until that may have changed, or the session ends, or, if r may be overtaken, until
// something else is published.
func (s *session) awaitTime(r outbox.Record, mayBeOvertaken bool) (ready bool) {
	l := s.l
	changed := l.o.Clock.Changed()
	if !undated(r) || !l.o.Clock.Pending(clock.Stamp(r.Stamp)) || l.fate(r, s.handed) != sent {
		return true
	}
	l.quiet.say(slog.LevelWarn, "undated", "messages wait until this machine's clock is known to be right", "why", l.o.Clock.Verdict().String(), "queued", l.box.Len())
	l.waiting.Store(true)
	defer l.waiting.Store(false)
	var published <-chan struct{}
	if mayBeOvertaken {
		published = l.kick
	}
	select {
	case <-changed:
	case <-published:
	case <-s.ended:
	}
	return false
}

// fillIn fills in the time field of a record that is to be sent.
func (l *Link) fillIn(r *outbox.Record) {
	if !undated(*r) {
		return
	}
	t, known := l.o.Clock.Date(clock.Stamp(r.Stamp))
	r.Payload = fill(r.Payload, r.Field, t, known)
}

// noteFilledIn counts a record that is sent for the first time.
func (l *Link) noteFilledIn(r outbox.Record) {
	if !undated(r) {
		return
	}
	if _, known := l.o.Clock.Date(clock.Stamp(r.Stamp)); known {
		l.count(func(s *Stats) { s.Dated++ })
		return
	}
	l.count(func(s *Stats) { s.Nulled++ })
	l.quiet.say(slog.LevelWarn, "nulled", "a message is sent without its time (null): the machine was started again before its clock was known", "topic", clip(r.Topic))
}

// awaitPlausible waits before a TLS connection until the clock reads a time at
// which a certificate can be valid. It returns false if ctx ends first.
func (l *Link) awaitPlausible(ctx context.Context) bool {
	for l.endpoint.TLS() {
		changed := l.o.Clock.Changed()
		if l.o.Clock.State() != clock.Unset {
			break
		}
		v := l.o.Clock.Verdict()
		l.report(fault(NotYetValid, nil, "%s: no encrypted connection is possible before this machine's clock is set: %s", l.endpoint, v))
		l.waiting.Store(true)
		select {
		case <-changed:
		case <-ctx.Done():
		}
		l.waiting.Store(false)
		if ctx.Err() != nil {
			return false
		}
	}
	return ctx.Err() == nil
}

// clockMayHelp returns a channel that is closed when the clock changes, if that
// may be why the attempt failed; otherwise nil. before is the channel that was there
// before the attempt.
func clockMayHelp(err error, before <-chan struct{}) <-chan struct{} {
	if k := kindOf(err); k == NotYetValid || k == Expired {
		return before
	}
	return nil
}
