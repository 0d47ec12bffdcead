package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
)

// queue is the outbox, and what is known in this process of the messages in it. Sessions
// and callers of Publish share it.
type queue struct {
	*base
	box        outbox.Box
	dead       deadLetters
	expiries   expiries
	deliveries deliveries

	first    uint64        // record that this link has taken; those before it are of earlier ones
	appended chan struct{} // has a token when something was appended
	waiting  atomic.Bool   // for the clock
	flushing atomic.Int32  // how many callers wait for the outbox to be empty

	mu      sync.Mutex
	emptied chan struct{} // closed, and made anew, when an acknowledgement empties the outbox
	looked  time.Time     // whether messages were dropped
}

func newQueue(b *base) *queue {
	q := &queue{base: b, box: b.o.Outbox, dead: deadLetters{base: b}, appended: make(chan struct{}, 1), emptied: make(chan struct{})}
	if q.box == nil {
		q.box = outbox.NewMemory(outbox.Limits{Messages: max(b.o.MaxQueued, 0), Drop: b.o.Drop})
	}
	q.first = q.box.NextSeq()
	q.expiries.clock = b.o.Clock
	return q
}

// Accepted reports whether Publish has taken the message: it returned nil, or said
// by ErrUnsaved that the message is in memory only for the time being.
func Accepted(err error) bool { return err == nil || errors.Is(err, ErrUnsaved) }

// put appends r for the sender.
func (q *queue) put(r *outbox.Record, delivered func()) error {
	seq, err := q.expiries.append(q.box, r, q.box.Append)
	if Accepted(err) {
		q.deliveries.expect(q.box, seq, delivered, true)
		q.wake()
	}
	return err
}

// stage gives r its place in the outbox before it is safe. The caller is the sender, and
// settles it.
func (q *queue) stage(r *outbox.Record, delivered func()) (uint64, error) {
	seq, err := q.expiries.append(q.box, r, q.box.Stage)
	if Accepted(err) {
		q.deliveries.expect(q.box, seq, delivered, false)
	}
	return seq, err
}

// wake wakes the sender.
func (q *queue) wake() {
	select {
	case q.appended <- struct{}{}:
	default: // it has been woken already
	}
}

// overLimit returns why the broker would not take r, or nil. Publish has checked what this
// link has taken; what an earlier one has left may have been taken before the broker, and
// with it its limits, was known (greengrass-nucleus#852, mqtt5#37), and goes to another
// topic if it is late.
func (q *queue) overLimit(r *outbox.Record) error {
	if r.Seq >= q.first {
		return nil
	}
	return q.o.Limits.check(Message{Topic: r.Topic, Payload: r.Payload, QoS: r.QoS, Retain: r.Retain, Expiry: r.Expiry})
}

// ack takes a record out of the outbox, and reports whether that could be noted.
func (q *queue) ack(f *outgoing) bool {
	if f.staged {
		_ = q.box.Settle(f.r.Seq) // the answer may come before the message is on the disk
	}
	ack := q.box.AckLater
	if f.alone || f.r.QoS == 0 && q.o.LiveFirst {
		ack = q.box.AckOneLater
	}
	if err := ack(f.r.Seq); err != nil {
		q.quiet.Say(slog.LevelError, "ack", "outbox cannot note what was delivered: it will be sent again", "err", err)
		return false
	}
	return true
}

// remove takes out a record that is done with.
func (q *queue) remove(f *outgoing) {
	if f.reason != "" {
		q.dead.add(f.r, f.reason, f.sessions)
	}
	if !q.ack(f) {
		return
	}
	q.expiries.forget(f.r)
	q.deliveries.settle(f.r.Seq, f.fate == sent || f.fate == handed)
	switch f.fate {
	case sent, handed:
		q.counts.add(func(s *Stats) { s.Acked++ })
	case expired:
		q.counts.add(func(s *Stats) { s.Expired++ })
		q.quiet.Say(slog.LevelInfo, "expired", "message dropped: it expired before it could be sent", "topic", short(f.r.Topic), "expiry", f.r.Expiry)
	}
	if q.box.Len() == 0 {
		q.mu.Lock()
		close(q.emptied)
		q.emptied = make(chan struct{})
		q.mu.Unlock()
	}
}

// flush waits until the outbox is empty. ended is closed when nothing is sent any more.
func (q *queue) flush(ctx context.Context, ended <-chan struct{}) error {
	for {
		q.mu.Lock()
		emptied := q.emptied
		q.mu.Unlock()
		n := q.box.Len()
		if n == 0 {
			return nil
		}
		if q.holding.Load() {
			return fmt.Errorf("%d messages are not delivered: %w", n, ErrHeld)
		}
		select {
		case <-emptied:
		case <-ctx.Done():
			return fmt.Errorf("%d messages are not delivered yet: %w", n, ctx.Err())
		case <-ended:
			if n := q.box.Len(); n > 0 {
				return fmt.Errorf("%d messages are not delivered: %w", n, ErrEnded)
			}
			return nil
		}
	}
}

// refused counts and logs a message that was not taken.
func (q *queue) refused(m Message, err error) {
	q.counts.add(func(s *Stats) {
		s.Refused++
		if errors.Is(err, ErrFull) {
			s.Full++
		}
	})
	why := errors.Unwrap(err)
	if why == nil {
		why = err
	}
	q.quiet.Say(slog.LevelWarn, "publish "+why.Error(), "message not taken", "topic", short(m.Topic), "err", Explain(err))
}

// lookPause is how often Publish looks whether older messages were dropped.
const lookPause = time.Second

// accepted counts messages that are in the outbox.
func (q *queue) accepted(n int) {
	if n == 0 {
		return
	}
	look, now := false, time.Now()
	q.counts.add(func(s *Stats) { s.Accepted += uint64(n) })
	q.mu.Lock()
	if now.Sub(q.looked) >= lookPause {
		look, q.looked = true, now
	}
	q.mu.Unlock()
	if look {
		q.noteDropped()
	}
}

// noteDropped logs that messages were dropped in the outbox: for others, or because of
// their age.
func (q *queue) noteDropped() {
	now := q.box.Stats().Dropped
	var before uint64
	q.counts.add(func(s *Stats) {
		now -= min(now, s.Full) // which Publish has reported
		before, s.Dropped = s.Dropped, max(s.Dropped, now)
	})
	if now > before {
		q.quiet.Say(slog.LevelWarn, "dropped", "outbox drops the oldest messages: its limit by number, bytes or age is reached", "n", now)
	}
}

// expiries knows until when the messages with an expiry are worth being sent. It
// goes by the monotonic clock: setting the time lets no message expire early or late.
type expiries struct {
	clock *clock.Clock

	mu    sync.Mutex
	until map[uint64]time.Time // by sequence number; those of this process
}

// append puts r into the box with Append or Stage. The lock is held meanwhile, so that
// the sender cannot meet the record before its end is known; only messages with an
// expiry wait for each other.
func (v *expiries) append(box outbox.Box, r *outbox.Record, put func(outbox.Record) (uint64, error)) (uint64, error) {
	if r.Expiry == 0 {
		return put(*r)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	until := time.Now().Add(r.Expiry)
	seq, err := put(*r)
	if err != nil && !errors.Is(err, outbox.ErrUnsaved) {
		return seq, err
	}
	if v.until == nil {
		v.until = make(map[uint64]time.Time)
	}
	if len(v.until) >= 1024 && len(v.until) > 2*box.Len() {
		v.sweep(box) // what was dropped in the box was never forgotten
	}
	v.until[seq] = until
	return seq, err
}

func (v *expiries) sweep(box outbox.Box) {
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

// over reports whether r has expired. That of a message from an earlier
// run is counted by its stamp, which a clock that is set does not change, or by the
// wall clock; if neither shows its age, it has expired.
func (v *expiries) over(r outbox.Record) bool {
	if r.Expiry <= 0 {
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
	return !known || age < 0 || age >= r.Expiry
}

// forget forgets a message that has left the box.
func (v *expiries) forget(r outbox.Record) {
	if r.Expiry > 0 {
		v.mu.Lock()
		delete(v.until, r.Seq)
		v.mu.Unlock()
	}
}

// deliveries knows whom to call when the broker has a message (Message.Delivered). While
// there is no such caller it costs an atomic load for each message that is delivered.
type deliveries struct {
	n atomic.Int32 // len(of)

	mu sync.Mutex
	of map[uint64]func() // by sequence number
}

// deliveriesMost bounds them: through a long outage no caller waits for each.
const deliveriesMost = 4096

// expect notes whom to call for a record in box. met says that the sender may have met
// it, so that it may have been delivered before this was noted.
func (r *deliveries) expect(box outbox.Box, seq uint64, delivered func(), met bool) {
	if delivered == nil {
		return
	}
	r.mu.Lock()
	if r.of == nil {
		r.of = map[uint64]func(){}
	}
	if len(r.of) >= deliveriesMost {
		r.sweep(box)
	}
	if len(r.of) < deliveriesMost {
		r.of[seq] = delivered
	}
	r.n.Store(int32(len(r.of)))
	r.mu.Unlock()
	if !met {
		return
	}
	if one, ok, err := box.Next(seq); err == nil && (!ok || one.Seq != seq) {
		r.settle(seq, true)
	}
}

// sweep forgets those that were dropped in the box; r.mu is held.
func (r *deliveries) sweep(box outbox.Box) {
	first, ok, err := box.Next(0)
	if err != nil {
		return
	}
	for seq := range r.of {
		if !ok || seq < first.Seq {
			delete(r.of, seq)
		}
	}
}

// settle is called when a record has left the box: because the broker has it, or not.
func (r *deliveries) settle(seq uint64, delivered bool) {
	if r.n.Load() == 0 {
		return
	}
	r.mu.Lock()
	f := r.of[seq]
	delete(r.of, seq)
	r.n.Store(int32(len(r.of)))
	r.mu.Unlock()
	if f != nil && delivered {
		f()
	}
}
