package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"pithings/mqttlink/outbox"
)

// Publish puts m into the outbox, or gives it to the network at once if that is all that
// its QoS asks for. The payload may be reused when it returns.
func (l *Link) Publish(ctx context.Context, m Message) error {
	if err := l.takes(ctx, m); err != nil {
		return err
	}
	l.publishing.RLock()
	defer l.publishing.RUnlock()
	if l.ended {
		return ErrEnded
	}
	r := record(m)
	waits := l.date(&r, m)
	err := ErrOffline
	switch {
	case waits && l.o.MaxQueued == 0:
		err = ErrUndated
	case l.open():
		var sent bool
		if err, sent = l.direct(r); !sent {
			if _, err = l.lives.append(l.box, r, l.box.Append); Accepted(err) {
				l.wake()
			}
		}
	}
	if err != nil {
		err = fmt.Errorf("publish to %s: %w", m.Topic, err)
	}
	if !Accepted(err) {
		l.refused(m, err)
		return err
	}
	l.taken(1)
	return err
}

// PublishAll puts messages into the outbox in one commit, if the outbox can do
// that, and in any case in their order and up to the first one that is not taken,
// for which err gives the reason. An error that wraps ErrHeld says that the last
// of those taken are in memory only. Messages with a life are not for it.
func (l *Link) PublishAll(ctx context.Context, ms []Message) (t outbox.Appended, err error) {
	rs := make([]outbox.Record, 0, len(ms))
	var refusal error
	for _, m := range ms {
		if m.Life != 0 {
			refusal = fmt.Errorf("publish to %s: a message with a life is published by itself", m.Topic)
		} else {
			refusal = l.takes(ctx, m)
		}
		r := record(m)
		if waits := l.date(&r, m); refusal == nil && waits && l.o.MaxQueued == 0 {
			refusal = fmt.Errorf("publish to %s: %w", m.Topic, ErrUndated)
		}
		if refusal != nil {
			break
		}
		rs = append(rs, r)
	}
	if len(rs) == 0 {
		return t, refusal
	}
	l.publishing.RLock()
	defer l.publishing.RUnlock()
	if l.ended {
		return t, ErrEnded
	}
	err = ErrOffline
	if l.open() {
		t, err = appendAll(l.box, rs)
	}
	if l.taken(t.N); t.N > 0 {
		l.wake()
	}
	if err != nil {
		err = fmt.Errorf("publish to %s: %w", rs[min(t.N, len(rs)-1)].Topic, err)
	}
	if t.N < len(rs) {
		l.refused(ms[t.N], err)
		return t, err
	}
	return t, errors.Join(err, refusal)
}

// allAppender is an outbox that appends several records in one commit.
type allAppender interface {
	AppendAll(rs []outbox.Record) (outbox.Appended, error)
}

func appendAll(box outbox.Box, rs []outbox.Record) (t outbox.Appended, err error) {
	if b, ok := box.(allAppender); ok {
		return b.AppendAll(rs)
	}
	for _, r := range rs {
		seq, err := box.Append(r)
		if !Accepted(err) {
			return t, err
		}
		if t.N++; t.N == 1 {
			t.First = seq
		}
		t.Last = seq
	}
	return t, nil
}

// takes says why m cannot be published, or returns nil.
func (l *Link) takes(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.o.Limits.check(m); err != nil || !l.o.LiveFirst {
		return err
	}
	m.Topic = l.o.historyTopic(m.Topic)
	return l.o.Limits.check(m)
}

// open reports whether messages may be put into the outbox now.
func (l *Link) open() bool { return l.o.MaxQueued != 0 || l.Connected() }

// record returns m as the outbox keeps it, undated.
func record(m Message) outbox.Record {
	r := outbox.Record{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, Life: m.Life}
	if m.Alarm {
		r.Class = outbox.Alarm
	}
	return r
}

// refused counts and tells of a message that was not taken.
func (l *Link) refused(m Message, err error) {
	l.count(func(s *Stats) {
		s.Refused++
		if errors.Is(err, ErrFull) {
			s.Full++
		}
	})
	why := errors.Unwrap(err)
	if why == nil {
		why = err
	}
	l.quiet.say(slog.LevelWarn, "publish "+why.Error(), "message not taken", "topic", clip(m.Topic), "error", Explain(err))
}

// lookPause is how often Publish looks whether older messages gave way.
const lookPause = time.Second

// taken counts messages that are in the outbox.
func (l *Link) taken(n int) {
	if n == 0 {
		return
	}
	look := false
	l.count(func(s *Stats) {
		s.Accepted += uint64(n)
		if now := time.Now(); now.Sub(l.looked) >= lookPause {
			look, l.looked = true, now
		}
	})
	if look {
		l.noteDropped()
	}
}

// wake tells the sender that something was appended.
func (l *Link) wake() {
	select {
	case l.kick <- struct{}{}:
	default: // it has been told already
	}
}
