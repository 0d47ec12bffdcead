package mqttlink

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/mqttlink/internal/blame"
	"pithings/mqttlink/wire"
	"pithings/pulse"
)

// parts are what outlasts a link's sessions.
type parts struct {
	*base
	queue    *queue
	subs     *subscriptions
	suspects *suspects
	carry    *carry
	turns    *pulse.Loop // of Run
}

// session is one connection from CONNACK to its end. It has three goroutines: one sends
// from the outbox, one waits for the acknowledgements in order, one keeps the subscriptions
// as they are wanted. run waits for all of them, so that sessions never overlap.
//
//	Publish → queue → sender → wire.Conn → broker → PUBACK → acker → queue
//	                            wire.Conn ← broker
//	            subscriptions ←────┘
type session struct {
	parts
	ending
	about  about
	client mqtt.Client
	gone   chan struct{} // closed when the client library has ended after a loss
	began  time.Time

	mu   sync.Mutex // of conn, until the session is connected
	conn *wire.Conn

	out        *inflight
	sender     sender
	acker      acker
	subscriber subscriber
	announcer  announcer
}

// owner is what a session asks of its link.
type owner interface {
	// online hands over the sender of the session that runs; nil: none runs.
	online(s *sender)
	// held is called when the session has held for blame.KickedStill.
	held()
	Flush(ctx context.Context) error
	// close lets Publish refuse from now on.
	close()
	// awaitPast waits, after close, for what is being published past the outbox.
	awaitPast(ctx context.Context)
}

// assemble makes the session's parts when it is connected.
func (s *session) assemble() {
	s.began = time.Now()
	until, suspect := s.carry.sent, uint64(0)
	s.suspects.with(func(state *blame.State) {
		suspect = state.Suspect()
		if s.o.LiveFirst {
			until = suspect
		}
		state.Begin(s.began, until)
	})
	s.subscriber.client, s.subscriber.conn = s.client, s.conn
	s.announcer = announcer{base: s.base, ending: &s.ending, suspects: s.suspects, conn: s.conn}
	s.acker = acker{base: s.base, ending: &s.ending, queue: s.queue, suspects: s.suspects, carry: s.carry, out: s.out, progress: s.began}
	s.sender.conn, s.sender.handed = s.conn, s.carry.handed
	s.sender.order = newOrder(s.queue.box, s.o.LiveFirst, suspect)
}

// localAddr returns this machine's address in the connection.
func (s *session) localAddr() netip.Addr { return addrOf(s.conn.LocalAddr()) }

// run keeps the session until it is lost or ctx ends, and returns the reason.
func (s *session) run(ctx context.Context, l owner) error {
	defer s.out.stop()
	s.turns.Wait() // for Options.AckTimeout
	s.announcer.announce(ctx)
	s.turns.Work()
	var wg sync.WaitGroup
	wg.Go(s.sender.run)
	wg.Go(s.acker.run)
	l.online(&s.sender)
	defer l.online(nil)
	wg.Go(s.subscriber.run)
	held := time.NewTimer(blame.KickedStill)
	defer held.Stop()
	for waiting := true; waiting; {
		s.turns.Wait()
		select {
		case <-s.ended:
			waiting = false
		case <-held.C:
			s.turns.Work()
			l.held()
		case <-ctx.Done():
			s.turns.Work()
			s.flush(l)
			s.announcer.farewell()
			waiting = false
		}
	}
	s.turns.Work()
	s.end(errEnding)
	if errors.Is(s.err, errEnding) {
		s.conn.Hurry(min(s.o.WriteTimeout, time.Second))
		s.join(&wg)
		s.client.Disconnect(uint(min(s.o.WriteTimeout, time.Second) / time.Millisecond))
		s.conn.Kill(errEnding) // if the broker did not let DISCONNECT through
		s.acker.noteHanded()
		return errEnding
	}
	s.conn.Kill(s.err)
	s.join(&wg)
	select {
	case <-s.gone:
	case <-time.After(2 * s.o.WriteTimeout):
		s.o.Log.Debug("client library is slow to end after a loss")
	}
	s.acker.noteHanded()
	s.carry.strand(s.acker.unacked, s.o.Window)
	s.carry.patience.Ended(s.acker.acks, kindOf(s.err) == NoAck)
	return s.explain()
}

// join waits for the session's other loops. They are watched themselves: on a slow disk they may
// have much to save.
func (s *session) join(others *sync.WaitGroup) {
	s.turns.Wait()
	others.Wait()
	s.turns.Work()
}

// explain returns why the session was lost.
func (s *session) explain() error {
	s.about.now = s.o.now()
	lived, subscribing := s.at.Sub(s.began), s.subscriber.pendingFilters()
	if f, leftOut := s.announcer.closed(); f != nil {
		s.carry.fresh = s.carry.fresh || leftOut
		return f
	}
	if hungUp(s.err) && subscribing == "" { // else the network, our own time-outs, or explained
		m := s.acker.firstUnacked()
		f, poisoned := s.suspects.closed(&s.ending, lived, m)
		s.carry.fresh = s.carry.fresh || poisoned
		if m != nil && m.fate == poison {
			s.queue.remove(&outgoing{r: m.r, alone: m.alone, fate: poison, reason: m.reason, sessions: m.sessions})
		}
		if f != nil {
			return f
		}
	}
	return explainLost(s.err, s.about, lived, subscribing)
}

// flush gives the outbox a bounded time to empty at the end.
func (s *session) flush(l owner) {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.FlushTimeout)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		select {
		case <-s.ended: // a lost connection flushes nothing
			cancel()
		case <-ctx.Done():
		}
	})
	// First what is there, while the handlers still publish their last words; then, with the
	// door closed, what came in meanwhile.
	_ = l.Flush(ctx) // the link's end logs what is left
	l.close()
	_ = l.Flush(ctx)
	l.awaitPast(ctx)
	cancel()
}
