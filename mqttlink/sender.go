package mqttlink

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/internal/pace"
	"pithings/mqttlink/outbox"
	"pithings/mqttlink/wire"
	"pithings/pulse"
)

// sender publishes from the outbox in one session, in the order of Options.LiveFirst. Its
// goroutine does, and Publish itself if it can send at once (offer): the lock is the right
// to send.
type sender struct {
	*base
	*ending
	queue    *queue
	suspects *suspects
	carry    *carry
	subs     *subscriber
	conn     *wire.Conn
	out      *inflight

	mu     sync.Mutex // the right to send
	closed bool       // out.flights is
	order  order
	drain  pace.Drain
	handed uint64 // the last record with QoS 0 that earlier sessions gave to the network
	turns  *pulse.Loop
}

// run sends until the session ends, beginning anew with each session. It holds s.mu but for
// when there is nothing to send.
func (s *sender) run() {
	s.turns = s.loop("sender")
	defer s.turns.End()
	s.mu.Lock()
	defer func() {
		s.closed = true
		close(s.out.messages)
		s.out.note()
		s.mu.Unlock()
	}()
	for {
		select {
		case s.out.window <- struct{}{}:
		case <-s.ended:
			return
		}
		t, ok := s.next()
		if !ok {
			return
		}
		s.turns.Work()
		s.order.passed(&t)
		f := outgoing{r: t.Record, alone: t.ahead}
		if s.decide(&f); f.fate == sent {
			s.fillIn(&f.r)
			s.turns.Wait()
			if !s.waitTurn(&f) {
				return
			}
			s.turns.Work()
			s.decide(&f) // it may have waited for long
		}
		if f.fate != sent {
			s.out.pass(f)
			s.turns.Wait()
			continue
		}
		if s.over() {
			return
		}
		if s.carry.resent(f.r.Seq) {
			s.counts.add(func(st *Stats) { st.Resent++ })
		} else {
			s.noteFilledIn(&f.r)
		}
		s.publish(&f)
		s.out.add(&f)
		s.turns.Wait()
		if !s.prove(&f) {
			return
		}
	}
}

// publish gives f to the network.
func (s *sender) publish(f *outgoing) {
	f.sent = time.Now()
	f.receipt = s.conn.Publish(&wire.Message{Topic: f.r.Topic, Payload: f.r.Payload, QoS: f.r.QoS, Retain: f.r.Retain})
	s.carry.sent = max(s.carry.sent, f.r.Seq)
}

// decide decides what is to be done with f.
func (s *sender) decide(f *outgoing) {
	f.fate = s.fate(&f.r)
	switch f.fate {
	case excluded:
		f.reason = s.suspects.exclusion(f)
	case sent:
		if err := s.queue.overLimit(&f.r); err != nil {
			f.fate, f.reason = overLimit, Explain(err)
		}
	}
}

func (s *sender) fate(r *outbox.Record) fate {
	switch {
	case r.QoS == 0 && r.Seq <= s.handed:
		return handed
	case s.queue.expiries.over(*r):
		return expired
	case s.suspects.excluded(r.Topic):
		return excluded
	}
	return sent
}

// waitTurn waits until f may be sent: for the drain rate, for the broker's limits a second,
// and for quiet if the message is probed. It returns false if the session ends first.
func (s *sender) waitTurn(f *outgoing) bool {
	if !f.alone && !s.pause(s.drain.Take(time.Now())) {
		return false
	}
	n, rates := len(f.r.Topic)+len(f.r.Payload), &s.carry.rates
	return s.throttle("bytes", s.o.Limits.ByteRate, func() time.Duration { return rates.TakeBytes(n, time.Now()) }) &&
		s.throttle("messages", s.o.Limits.Rate, func() time.Duration { return rates.TakeMessage(time.Now()) }) &&
		s.pause(s.suspects.before(f))
}

// throttle waits until take succeeds. It returns false if the session ends first.
func (s *sender) throttle(unit string, limit int, take func() time.Duration) bool {
	for first := true; ; first = false {
		wait := take()
		if wait == 0 {
			return true
		}
		if first {
			s.counts.add(func(st *Stats) { st.Throttled++ })
			s.quiet.Say(slog.LevelInfo, "throttled "+unit, "messages wait: the broker's limit a second is reached", "of", s.o.Limits.By,
				unit+"_per_second", limit, "queued", s.queue.box.Len())
		}
		if !s.pause(wait) {
			return false
		}
	}
}

// prove waits, if a message is probed, for what comes of it. It returns false if the session
// ends.
func (s *sender) prove(f *outgoing) bool {
	if f.r.QoS > 0 && s.suspects.rest.Load() {
		return true
	}
	proof := s.suspects.sent(f)
	switch {
	case proof.Ack:
		select {
		case <-f.receipt.Done():
		case <-s.ended:
			return false
		}
		if f.receipt.Err() != nil {
			return false
		}
	case proof.Quiet > 0:
		if !s.pause(proof.Quiet) {
			return false
		}
	default:
		return true
	}
	s.suspects.proved(f)
	return true
}

// next waits for the message whose turn it is, and for the subscriptions made before it.
// While there is none, others may send: the place in the window and s.mu, which are held
// when it is called, are free meanwhile. ok is false if the session ends first.
func (s *sender) next() (t turn, ok bool) {
	for {
		s.turns.Work()
		if s.holding.Load() {
			s.turns.Wait()
			s.drain.Rest()
			if !s.rest() {
				return t, false
			}
			continue
		}
		t, ok, err := s.order.next()
		s.turns.Wait()
		switch {
		case err != nil:
			s.end(fault(Lost, err, "the outbox cannot be read (%v): the connection is opened again", err))
			return t, false
		case ok && s.order.backlog(&t) && s.drain.Spacing():
			// While the backlog waits for its turn a message may come that is ahead of it.
			if wait := s.drain.Due(time.Now()); wait > 0 {
				select {
				case <-time.After(wait):
				case <-s.queue.appended:
				case <-s.ended:
					return t, false
				}
				continue
			}
		case !ok:
			s.drain.Rest()
			if !s.rest() {
				return t, false
			}
			continue
		}
		if !s.awaitTime(&t.Record, s.order.backlog(&t)) {
			if s.over() {
				return t, false
			}
			continue // in the meantime the box may have dropped it
		}
		s.carry.states.place(&t)
		return t, s.subs.waitSettled()
	}
}

// rest waits until a message is to be sent, and lets others send meanwhile. It returns false
// if the session ends first.
func (s *sender) rest() bool {
	s.out.window.GiveBack(1)
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-s.queue.appended:
	case <-s.ended:
		return false
	}
	select {
	case s.out.window <- struct{}{}:
	case <-s.ended:
		return false
	}
	return true
}

// awaitTime reports whether r can be sent as far as its time goes. If not, it waits until
// that may have changed, or the session ends, or, if r may be overtaken, until another
// message is published.
func (s *sender) awaitTime(r *outbox.Record, mayBeOvertaken bool) (ready bool) {
	changed := s.o.Clock.Changed()
	if !s.pending(r) || s.fate(r) != sent {
		return true
	}
	s.quiet.Say(slog.LevelWarn, "undated", "messages wait until this machine's clock is known to be right", "why", s.o.Clock.Verdict().String(), "queued", s.queue.box.Len())
	s.queue.waiting.Store(true)
	defer s.queue.waiting.Store(false)
	var published <-chan struct{}
	if mayBeOvertaken {
		published = s.queue.appended
	}
	select {
	case <-changed:
	case <-published:
	case <-s.ended:
	}
	return false
}

// pending reports whether r cannot be sent yet because its time is not known.
func (s *sender) pending(r *outbox.Record) bool {
	return undated(r) && s.o.Clock.Pending(clock.Stamp(r.Stamp))
}

// fillIn fills in the time field of a record that is to be sent.
func (s *sender) fillIn(r *outbox.Record) {
	if !undated(r) {
		return
	}
	t, known := s.o.Clock.Date(clock.Stamp(r.Stamp))
	r.Payload = fill(r.Payload, r.Field, t, known)
}

// noteFilledIn counts a record that is sent for the first time.
func (s *sender) noteFilledIn(r *outbox.Record) {
	if !undated(r) {
		return
	}
	if _, known := s.o.Clock.Date(clock.Stamp(r.Stamp)); known {
		s.counts.add(func(st *Stats) { st.Dated++ })
		return
	}
	s.counts.add(func(st *Stats) { st.Nulled++ })
	s.quiet.Say(slog.LevelWarn, "nulled", "message sent without its time (null): the machine was started again before its clock was known", "topic", short(r.Topic))
}

// On a good network the outbox holds only the message being published. Then it need not be
// handed from one goroutine to the next and be read back from the disk: Publish sends it
// itself, while it is being written. Whatever is out of the ordinary takes the usual way,
// through the sender's goroutine.
//
// A message with an expiry does not even wait for the disk: a caller in this process waits
// for its effect, and ends with it. It is written a moment later, with others.

// offer appends r and sends it at once. ok is false, and it has done nothing, if that cannot
// be done now.
func (s *sender) offer(r *outbox.Record, delivered func()) (err error, ok bool) {
	box := s.queue.box
	if s.holding.Load() || box.Safety() == outbox.InMemory || undated(r) || !s.conn.Light(len(r.Topic)+len(r.Payload)) || !s.mu.TryLock() {
		return nil, false
	}
	if free := s.free(r); !free || r.QoS == 0 {
		ok = free && s.hand(r)
		s.mu.Unlock()
		if ok && delivered != nil {
			delivered()
		}
		return nil, ok
	}
	seq, err := s.queue.stage(r, delivered)
	launched := err == nil && s.launch(seq, r)
	later := launched && r.Expiry > 0 && box.Safety() < outbox.OnDisk
	if later {
		s.out.unsafe.Store(seq)
	}
	s.mu.Unlock()
	switch {
	case later:
		s.out.later()
	case err == nil:
		err = box.Settle(seq)
	}
	if !launched && Accepted(err) {
		s.queue.wake()
	}
	return err, true
}

// free reports whether a message that is published now can be sent at once. s.mu is held.
func (s *sender) free(r *outbox.Record) bool {
	switch {
	case s.over(), s.closed, !s.order.isLast(s.queue.box.NextSeq()):
		return false
	case !s.suspects.rest.Load() && !s.suspects.calm(r.Topic), s.drain.Spacing(), s.subs.settled.Load() < s.subs.wanted.gen.Load():
		return false
	}
	return s.carry.rates.Take(len(r.Topic)+len(r.Payload), time.Now())
}

// hand gives a message with QoS 0 to the network, which is all that is promised: it need not
// be in the outbox for that. It reports whether the network has taken it. s.mu is held.
func (s *sender) hand(r *outbox.Record) bool {
	f := outgoing{r: *r}
	if s.publish(&f); f.receipt.Err() != nil {
		return false
	}
	s.prove(&f)
	s.carry.states.sent(r, s.queue.box.NextSeq())
	s.counts.add(func(st *Stats) { st.Acked++ })
	return true
}

// launch sends a message that has been staged, and reports whether it is in flight. s.mu is
// held.
func (s *sender) launch(seq uint64, r *outbox.Record) bool {
	if s.order.pos != seq { // another has overtaken it
		return false
	}
	if !s.out.window.Take() {
		return false
	}
	s.carry.states.sent(r, seq)
	f := outgoing{r: *r, staged: true}
	f.r.Seq, f.r.Payload = seq, slices.Clone(r.Payload) // the flight keeps it
	s.publish(&f)
	s.order.pos = seq + 1
	s.out.add(&f)
	return s.prove(&f)
}
