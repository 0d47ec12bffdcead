package mqttlink

import (
	"time"

	"pithings/mqttlink/outbox"
)

// flight is a record of the outbox that the sender has done with.
type flight struct {
	r      outbox.Record
	ahead  bool // acknowledged by itself
	staged bool // may not be safe yet: Publish has sent it itself
	fate   fate
	tok    *receipt // if it was sent
	sent   time.Time
}

// fate is what the sender has done with a record.
type fate int

const (
	sent    fate = iota
	handed       // QoS 0, given to the network in an earlier session
	expired      // its life has passed
	barred       // the broker hangs up upon its topic: it goes aside
	aside        // the broker hangs up upon it: it has gone aside
)

// fate says what is to be done with r.
func (l *Link) fate(r outbox.Record, handedUpTo uint64) fate {
	switch {
	case r.QoS == 0 && r.Seq <= handedUpTo:
		return handed
	case l.lives.over(r):
		return expired
	case l.barred(r.Topic):
		return barred
	}
	return sent
}

// send publishes from the outbox, in the order of Options.LiveFirst, beginning anew
// with each session. It holds s.sending but for when there is nothing to send.
func (s *session) send() {
	s.sending.Lock()
	defer func() {
		s.closed = true
		close(s.flights)
		s.note()
		s.sending.Unlock()
	}()
	l := s.l
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.ended:
			return
		}
		t, ok := s.next()
		if !ok {
			return
		}
		s.order.passed(&t)
		r := t.Record
		f := flight{r: r, ahead: t.ahead, fate: l.fate(r, s.handed)}
		if f.fate == sent {
			l.fillIn(&r)
			f.r = r
			if !t.ahead && !s.pace.wait(s.ended) || !s.throttled(r) || !s.prepare(r) {
				return
			}
			f.fate = l.fate(r, s.handed) // it may have waited for long
		}
		if f.fate != sent {
			s.flights <- f
			s.note()
			continue
		}
		select {
		case <-s.ended:
			return
		default:
		}
		if l.stranded[r.Seq] {
			delete(l.stranded, r.Seq)
			l.count(func(st *Stats) { st.Resent++ })
		} else {
			l.noteFilledIn(r)
		}
		f.sent = time.Now()
		f.tok = s.wire.publish(&r)
		if s.away(f); !s.prove(f) {
			return
		}
	}
}

// away notes that a message is on its way.
func (s *session) away(f flight) {
	s.l.sent = max(s.l.sent, f.r.Seq)
	if f.r.QoS == 0 {
		s.mu.Lock()
		s.unconfirmed = append(s.unconfirmed, f)
		s.mu.Unlock()
	}
	s.flights <- f
	if done(f.tok) { // before it could be found among the flights
		s.note()
	} else {
		s.watch()
	}
}
