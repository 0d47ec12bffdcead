package mqttlink

import (
	"context"
	"errors"
	"fmt"

	"pithings/mqttlink/outbox"
	"pithings/mqttlink/topic"
)

// Publish puts m into the outbox, or gives it to the network at once if that is all that
// its QoS asks for. The payload may be reused when it returns.
func (l *Link) Publish(ctx context.Context, m Message) error {
	if err := l.takes(ctx, m); err != nil {
		return err
	}
	l.publishing.RLock()
	defer l.publishing.RUnlock()
	if l.closed {
		return ErrEnded
	}
	r := record(m)
	waits := date(l.o.Clock, &r, &m)
	err := ErrOffline
	switch {
	case waits && l.o.MaxQueued == 0:
		err = ErrUndated
	case l.open():
		var done bool
		if err, done = l.offer(&r, m.Delivered); !done {
			if m.Unqueued && l.queue.box.Safety() > outbox.InMemory {
				return fmt.Errorf("publish to %s: %w", m.Topic, ErrUnqueued)
			}
			err = l.queue.put(&r, m.Delivered)
		}
	}
	if err != nil {
		err = fmt.Errorf("publish to %s: %w", m.Topic, err)
	}
	if !Accepted(err) {
		l.queue.refused(m, err)
		return err
	}
	l.queue.accepted(1)
	l.passes(false, &m)
	return err
}

// PublishAll puts messages into the outbox with its AppendAll, in their order and up to
// the first one that is not taken,
// for which err gives the reason. An error that wraps ErrUnsaved says that the last
// of those taken are in memory only. Messages with a life are not for it, and
// Delivered is not called.
func (l *Link) PublishAll(ctx context.Context, ms []Message) (t outbox.Appended, err error) {
	rs := make([]outbox.Record, 0, len(ms))
	var refusal error
	for _, m := range ms {
		if m.Expiry != 0 {
			refusal = fmt.Errorf("publish to %s: a message with a life is published by itself", m.Topic)
		} else {
			refusal = l.takes(ctx, m)
		}
		r := record(m)
		if waits := date(l.o.Clock, &r, &m); refusal == nil && waits && l.o.MaxQueued == 0 {
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
	if l.closed {
		return t, ErrEnded
	}
	err = ErrOffline
	if l.open() {
		t, err = l.queue.box.AppendAll(rs)
	}
	if l.queue.accepted(t.N); t.N > 0 {
		l.queue.wake()
	}
	for i := range t.N {
		l.passes(false, &ms[i])
	}
	if err != nil {
		err = fmt.Errorf("publish to %s: %w", rs[min(t.N, len(rs)-1)].Topic, err)
	}
	if t.N < len(rs) {
		l.queue.refused(ms[t.N], err)
		return t, err
	}
	return t, errors.Join(err, refusal)
}

// takes says why m cannot be published, or returns nil.
func (l *Link) takes(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.o.Limits.check(m); err != nil || !l.o.LiveFirst {
		return err
	}
	m.Topic = topic.ExpandOwn(l.o.HistoryTopic, m.Topic)
	return l.o.Limits.check(m)
}

// offer offers r to the session that runs.
func (l *Link) offer(r *outbox.Record, delivered func()) (err error, done bool) {
	s := l.current.Load()
	if s == nil {
		return nil, false
	}
	return s.offer(r, delivered)
}

// open reports whether messages may be put into the outbox now.
func (l *Link) open() bool { return l.o.MaxQueued != 0 || l.Connected() && !l.holding.Load() }

// record returns m as the outbox keeps it, undated.
func record(m Message) outbox.Record {
	r := outbox.Record{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, Expiry: m.Expiry}
	if m.Alarm {
		r.Class = outbox.Alarm
	}
	return r
}
