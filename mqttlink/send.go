package mqttlink

import (
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/mqttlink/outbox"
)

// flight is a record of the outbox that the sender has done with.
type flight struct {
	r    outbox.Record
	fate fate
	tok  mqtt.Token // if it was sent
	sent time.Time
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

// send publishes from the outbox, from the first unacknowledged record on.
func (s *session) send() {
	defer close(s.flights)
	l := s.l
	pace := pacer{rate: l.o.Drain}
	for pos := uint64(0); ; {
		select {
		case s.slots <- struct{}{}:
		case <-s.ended:
			return
		}
		r, ok := s.next(pos, &pace)
		if !ok {
			return
		}
		pos = r.Seq + 1
		f := flight{r: r, fate: l.fate(r, s.handed)}
		if f.fate == sent {
			l.fillIn(&r)
			f.r = r
			if !pace.wait(s.ended) || !s.throttled(r) || !s.prepare(r) {
				return
			}
			f.fate = l.fate(r, s.handed) // it may have waited for long
		}
		if f.fate == sent {
			// After the end the library would keep Publish waiting for its time-out.
			select {
			case <-s.ended:
				return
			default:
			}
			if r.Seq <= l.sent {
				l.count(func(st *Stats) { st.Resent++ })
			}
			l.sent = max(l.sent, r.Seq)
			f.sent = time.Now()
			f.tok = s.taken(func() mqtt.Token { return s.client.Publish(r.Topic, r.QoS, r.Retain, r.Payload) })
			if r.QoS == 0 {
				s.mu.Lock()
				s.unconfirmed = append(s.unconfirmed, f)
				s.mu.Unlock()
			}
		}
		s.flights <- f
		if f.fate == sent && !s.prove(f) {
			return
		}
	}
}

// next waits for the record at pos, and for the subscriptions made before it.
func (s *session) next(pos uint64, pace *pacer) (r outbox.Record, ok bool) {
	for {
		r, ok, err := s.l.box.Next(pos)
		switch {
		case err != nil:
			s.end(fault(Lost, err, "the outbox cannot be read (%v): the connection is opened again", err))
			return r, false
		case ok && !s.awaitTime(r):
			select {
			case <-s.ended:
				return r, false
			default:
			}
			continue // in the meantime the box may have dropped it
		case ok:
			return r, s.waitSettled()
		}
		pace.rest()
		select {
		case <-s.l.kick:
		case <-s.ended:
			return r, false
		}
	}
}
