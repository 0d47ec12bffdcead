package mqttlink

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"pithings/mqttlink/outbox"
)

// Brokers close the connection, without a reason, upon a message that they do not
// allow. With QoS 1 it would be sent again in every session, and nothing behind
// it ever. So a link asks after each session that the broker ended: upon which
// message? If it is the same several times, it is tried by itself: first nothing
// is sent for a while, then the message alone. Only if the session survives the
// quiet, and not the message, is the message to blame.
//
// A session that ends without anything on its way tells of something else: of
// another client with the same id.

// suspect is what a broker may have closed the connection upon.
type suspect struct {
	seq     uint64 // with QoS 1: of the first message that was not acknowledged
	topic   string
	strikes int // sessions in a row
}

// trial is what sessions leave to the next about why the broker ended them.
type trial struct {
	message suspect // with QoS 1
	topic   suspect // of messages with QoS 0
	careful bool    // messages are sent one at a time
	kicks   int     // sessions that ended soon and upon nothing
}

const (
	// blameWithin is how soon after a message the end of the session is held
	// against it.
	blameWithin = 5 * time.Second
	// probation is how long, at least, a session is left quiet in a trial; at most
	// five times as long.
	probation = time.Second
	// reaction is how soon a message with QoS 0 ends a session, which has been quiet
	// until then: there is no acknowledgement whose lack would tell.
	reaction = 500 * time.Millisecond
)

// probe is a session's part in a trial. It belongs to the sender, until the
// session has ended.
type probe struct {
	quiet  bool      // the session has survived a quiet time
	until  uint64    // the last record that earlier sessions sent
	last   string    // topic of the last message with QoS 0
	lastAt time.Time // when that was sent
	any    bool      // a message was sent
}

// prepare waits, in a trial, until the session has been quiet for a while. It
// returns false if the session ends first.
func (s *session) prepare(r outbox.Record) bool {
	t, p := &s.l.trial, &s.probe
	if s.l.offended(r.Topic) {
		t.careful, p.quiet = true, false
		p.until = max(p.until, r.Seq)
	}
	if t.careful && time.Since(s.began) >= s.l.o.Backoff.Stable && !s.l.offended(r.Topic) {
		s.acquit(&t.message, &t.topic)
	}
	if !t.careful || p.quiet {
		return true
	}
	p.quiet = true
	return s.pause(quietTime(max(t.message.strikes, t.topic.strikes)))
}

// quietTime is how long a session is left quiet that may be the strike after so many.
// Another client may take over at some fixed time, and a message be sent just before:
// so three strikes in a row are further apart than a reaction takes.
func quietTime(strikes int) time.Duration {
	third := time.Duration(strikes % 3)
	return probation + third*(8*probation/5) + rand.N(4*probation/5)
}

// prove waits, in a trial, for what comes of the message that was sent. It returns
// false if the session ends.
func (s *session) prove(f flight) bool {
	t, p := &s.l.trial, &s.probe
	p.any = true
	if f.r.QoS == 0 {
		p.last, p.lastAt = f.r.Topic, f.sent
	}
	switch {
	case !t.careful:
		return true
	case f.r.QoS > 0:
		select {
		case <-f.tok.done:
		case <-s.ended:
			return false
		}
		if f.tok.err != nil {
			return false
		}
		if f.r.Seq >= p.until {
			s.acquit(&t.message)
		}
	case t.topic.topic == f.r.Topic, s.l.offended(f.r.Topic):
		if !s.pause(2 * reaction) {
			return false
		}
		s.l.pardon(f.r.Topic)
		s.acquit(&t.topic)
	}
	return true
}

// acquit ends a trial without a verdict, unless there are others to be tried.
func (s *session) acquit(who ...*suspect) {
	for _, x := range who {
		*x = suspect{}
	}
	t := &s.l.trial
	need := s.l.o.PoisonAfter
	t.careful = need > 0 && max(t.message.strikes, t.topic.strikes) >= need-1
}

// judge asks, when the session has ended, upon what. It returns the explanation,
// or nil if it has none.
func (s *session) judge(lived time.Duration, subscribing string) *Fault {
	t := &s.l.trial
	if !hungUp(s.err) || subscribing != "" {
		return nil // the network, our own time-outs, or explained
	}
	f, idle := s.upon()
	switch {
	case f != nil && f.Kind == Poison:
		t.kicks = 0
		return f
	case t.named() && lived < kickedStill, idle && lived < kickedWithin:
		t.kicks++
	case lived >= kickedWithin:
		t.kicks = 0
	}
	if t.named() {
		if idle {
			s.acquit(&t.message, &t.topic)
		}
		return fault(TakenOver, s.err, "%s closes the connection soon after each CONNECT, and upon nothing that was sent: another client uses %s; give each its own. Until then the pauses between attempts are longer, and the log is silent about them",
			s.about.endpoint, quoteID(s.l.o.ClientID))
	}
	return f
}

// upon accuses what was on its way when the session ended. idle says that nothing
// was that could have done it for certain.
func (s *session) upon() (f *Fault, idle bool) {
	t, p := &s.l.trial, &s.probe
	m := s.unacknowledged()
	soon := blameWithin
	if t.careful {
		soon = reaction
	}
	qos0 := p.last != "" && s.over.Sub(p.lastAt) <= soon
	switch {
	case m != nil && s.over.Sub(m.sent) > blameWithin, m != nil && t.careful && qos0:
		return nil, false // not upon it, or upon either
	case m != nil && qos0:
		s.accuse(&t.topic, suspect{topic: p.last}, nil)
		return s.accuse(&t.message, suspect{seq: m.r.Seq, topic: m.r.Topic}, m), false
	case m != nil:
		t.topic = suspect{}
		return s.accuse(&t.message, suspect{seq: m.r.Seq, topic: m.r.Topic}, m), false
	case qos0:
		return s.accuse(&t.topic, suspect{topic: p.last}, nil), true
	}
	t.topic = suspect{}
	if t.careful && !p.any {
		t.message = suspect{} // there is another cause
	}
	return nil, true
}

// unacknowledged returns the first message with QoS 1 that was sent in this session
// and not acknowledged.
func (s *session) unacknowledged() *flight {
	for i := range s.stranded {
		if f := &s.stranded[i]; f.fate == sent && f.r.QoS > 0 {
			return f
		}
	}
	return nil
}

// accuse holds the end of the session against a message: with QoS 1 that of m,
// with QoS 0 the last one to a topic.
func (s *session) accuse(was *suspect, a suspect, m *flight) *Fault {
	l := s.l
	t := &l.trial
	if was.seq == a.seq && was.topic == a.topic {
		a.strikes = was.strikes
	}
	a.strikes++
	*was = a
	n, need := a.strikes, l.o.PoisonAfter
	if m == nil {
		need = 2*need - 1 // it takes more to prove
	}
	lacks := quoteID(l.o.ClientID) + " lacks permission: " + l.o.Limits.permission(a.topic, false)
	if need < 0 || !t.careful || n < need && !l.offended(a.topic) {
		t.careful = t.careful || need > 0 && n >= l.o.PoisonAfter-1
		return fault(Lost, s.err, "%s closed the connection just after a message to %s; it is opened again and the message repeated: if that does not end, %s", s.about.endpoint, clip(a.topic), lacks)
	}
	reason := fault(Poison, s.err, "%s closes the connection upon messages to %s, and not without them: most likely %s", s.about.endpoint, clip(a.topic), lacks)
	*was, l.fresh = suspect{}, true
	if m == nil {
		l.offend(a.topic, barAfter) // it was sent, and is not sent again; the next ones go aside
		s.acquit()
		return reason
	}
	l.offend(a.topic, 1)
	l.setAside(m.r, reason.Line, n)
	l.landed(flight{r: m.r, ahead: m.ahead, fate: aside})
	return reason
}

// hungUp reports whether the other end closed the connection.
func hungUp(err error) bool {
	var f *Fault
	if errors.As(err, &f) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) || strings.Contains(err.Error(), "forcibly closed")
}
