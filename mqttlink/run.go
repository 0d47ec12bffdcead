package mqttlink

import (
	"context"
	"errors"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/internal/blame"
)

// Run keeps the connection until ctx ends. It then gives the outbox Options.FlushTimeout to
// empty, if there is a connection, disconnects from the broker (so that the will is not
// published), waits for the handlers that are running, and returns nil. A link runs once.
func (l *Link) Run(ctx context.Context) error {
	if !l.running.CompareAndSwap(false, true) {
		return errors.New("the link is running already, or has ended")
	}
	l.turns = l.loop("")
	defer l.turns.End()
	for failed := 0; ctx.Err() == nil; failed++ {
		l.turns.Work()
		if !l.awaitPlausible(ctx) {
			break
		}
		began, clockChanged := time.Now(), l.o.Clock.Changed()
		lived, err := l.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		l.journal.lost(err)
		l.setState(Offline)
		if lived >= l.o.Backoff.Stable || l.carry.fresh {
			failed, l.carry.fresh = 0, false
		}
		var pause time.Duration
		l.suspects.with(func(s *blame.State) { pause = s.Pause() })
		least := began.Add(l.o.Limits.ConnectEvery)
		wait := max(l.o.Backoff.wait(failed), pause, time.Until(least))
		l.o.Log.Debug("next attempt", "endpoint", l.endpoint.String(), "in", wait.Round(time.Millisecond))
		l.counts.add(func(s *Stats) { s.Next = time.Now().Add(wait) })
		l.turns.Wait()
		select {
		case <-time.After(wait):
		case <-clockMayHelp(err, clockChanged):
			pauseUntil(ctx, least)
		case <-ctx.Done():
		}
		l.counts.add(func(s *Stats) { s.Next = time.Time{} })
	}
	l.end()
	return nil
}

// pauseUntil waits until t, or ctx ends.
func pauseUntil(ctx context.Context, t time.Time) {
	select {
	case <-time.After(time.Until(t)):
	case <-ctx.Done():
	}
}

// attempt connects and, if that succeeds, keeps the session until it ends. It returns how
// long the session held and why it ended.
func (l *Link) attempt(ctx context.Context) (lived time.Duration, err error) {
	l.setState(Connecting)
	l.counts.add(func(s *Stats) { s.Attempts++ })
	l.turns.Wait() // for Options.ConnectTimeout
	s, err := connect(ctx, l.parts)
	l.turns.Work()
	if err != nil {
		if k := kindOf(err); k == Refused || k == Unreachable {
			l.suspects.with((*blame.State).NoBroker)
		}
		return 0, err
	}
	if a := s.localAddr(); a.IsValid() {
		l.local.Store(&a)
	}
	began := time.Now()
	l.counts.add(func(s *Stats) { s.Connects++; s.LastError = "" })
	l.setState(Online)
	l.journal.connected(ctx)
	err = s.run(ctx, l)
	return time.Since(began), err
}

// Break ends the session as a failure of the network would, so that the broker publishes the will and
// the link connects again. It returns false if there is no session.
func (l *Link) Break() bool {
	s := l.current.Load()
	if s == nil || s.over() { // it has ended, and the link is about to notice
		return false
	}
	s.end(fault(Lost, nil, "the connection was broken on request"))
	return true
}

// awaitPlausible waits before a TLS connection until the clock reads a time at which a
// certificate can be valid. It returns false if ctx ends first.
func (l *Link) awaitPlausible(ctx context.Context) bool {
	for l.endpoint.TLS() {
		changed := l.o.Clock.Changed()
		if l.o.Clock.State() != clock.Unset {
			break
		}
		v := l.o.Clock.Verdict()
		l.journal.lost(fault(NotYetValid, nil, "%s: no encrypted connection is possible before this machine's clock is set: %s", l.endpoint, v))
		l.queue.waiting.Store(true)
		l.turns.Wait()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		l.turns.Work()
		l.queue.waiting.Store(false)
		if ctx.Err() != nil {
			return false
		}
	}
	return ctx.Err() == nil
}

// online implements owner.
func (l *Link) online(s *sender) {
	l.current.Store(s)
	l.beginning.Lock()
	defer l.beginning.Unlock()
	close(l.began)
	l.began = make(chan struct{})
}

// held implements owner.
func (l *Link) held() {
	l.suspects.with((*blame.State).Held)
	l.journal.held()
}

// close implements owner.
func (l *Link) close() {
	l.publishing.Lock()
	l.closed = true
	l.publishing.Unlock()
}

// end refuses further messages, stops the handlers and waits for them.
func (l *Link) end() {
	l.close()
	l.cancel()
	l.turns.Wait() // for the handlers, which are loops of their own
	l.subs.stop()
	l.turns.Work()
	l.setState(Ended)
	switch n := l.Queued(); {
	case n == 0:
	case l.o.Outbox != nil: // whose owner decides how long it keeps them
		l.o.Log.Info("messages stay in the outbox until there is a connection again", "n", n)
	default:
		l.o.Log.Warn("messages were not delivered and are lost", "n", n)
	}
}

func (l *Link) setState(s State) {
	if State(l.state.Swap(int32(s))) == s {
		return
	}
	l.counts.add(func(st *Stats) { st.Since = time.Now() })
	if l.o.OnState != nil {
		l.o.OnState(s)
	}
}

// clockMayHelp returns a channel that is closed when the clock changes, if that may be why
// the attempt failed; otherwise nil. before is the channel that was there before the attempt.
func clockMayHelp(err error, before <-chan struct{}) <-chan struct{} {
	if k := kindOf(err); k == NotYetValid || k == Expired {
		return before
	}
	return nil
}
