package store

import (
	"github.com/mochi-mqtt/server/v2/packets"

	"pithings/mqttlink/topic"
)

// Shares of the budget for retained messages: half of it for those of clients, so
// that they cannot push out the clients; a quarter more for our own.
const (
	retainedShare = 2 // Max / 2
	ownShare      = 4 // Max / 4
)

// Retain keeps a message for later subscribers to its topic; one without payload ends
// that. It returns false if there is no room. Then a message of QoS 0 ends the one
// that was kept before, which is not true any more [MQTT-3.3.1-7]; one of a higher QoS
// changes nothing, and is not to be acknowledged.
func (s *Store) Retain(m *Message) bool {
	s.lock()
	defer s.unlock()
	old := s.retained[m.Topic]
	if len(m.Payload) == 0 {
		s.unretain(old)
		return true
	}
	if !s.fits(m, old) && !(s.purge() && s.fits(m, s.retained[m.Topic])) {
		if m.QoS == 0 {
			s.unretain(s.retained[m.Topic])
		}
		s.stats.RetainedRefused++
		return false
	}
	s.unretain(s.retained[m.Topic])
	s.hold(m)
	s.used += retainedCost
	s.retained[m.Topic] = m
	*s.share(m) += m.size() + retainedCost
	return true
}

// share is the count that a message belongs to.
func (s *Store) share(m *Message) *int64 {
	if m.Own {
		return &s.ours
	}
	return &s.others
}

// fits reports whether there is room for a message in the place of an old one.
func (s *Store) fits(m, old *Message) bool {
	n := *s.share(m) + m.size() + retainedCost
	if old != nil && old.Own == m.Own {
		n -= old.size() + retainedCost
	}
	if m.Own {
		return n <= s.o.Max/ownShare
	}
	return n <= s.o.Max/retainedShare
}

// unretain ends the keeping of a message; nil does nothing.
func (s *Store) unretain(m *Message) {
	if m == nil {
		return
	}
	delete(s.retained, m.Topic)
	s.used -= retainedCost
	*s.share(m) -= m.size() + retainedCost
	s.release(m)
}

// purge drops the messages that have expired. It reports whether there were any.
func (s *Store) purge() (any bool) {
	now := s.o.Now()
	for _, m := range s.retained {
		if m.expired(now) {
			s.unretain(m)
			any = true
		}
	}
	return any
}

// SendRetained queues the retained messages of a new subscription.
func (s *Store) SendRetained(c *Conn, sub packets.Subscription) {
	s.lock()
	defer s.unlock()
	sess := c.session
	if sess == nil {
		return
	}
	now := s.o.Now()
	one := s.retained[sub.Filter] // most filters have no wildcard
	if one != nil && !one.expired(now) && sess.Rights.MayReceive(one.Topic) {
		s.push(sess, one, min(one.QoS, sub.Qos), true, identifiers(sub))
	}
	if one != nil || !wild(sub.Filter) {
		return
	}
	for name, m := range s.retained {
		if !topic.IsShared(sub.Filter) && topic.Match(sub.Filter, name) && !m.expired(now) && sess.Rights.MayReceive(name) {
			s.push(sess, m, min(m.QoS, sub.Qos), true, identifiers(sub))
		}
	}
}

func wild(filter string) bool {
	for i := range len(filter) {
		if filter[i] == '+' || filter[i] == '#' {
			return true
		}
	}
	return false
}
