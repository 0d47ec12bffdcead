package store

import (
	"slices"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"pithings/mqttlink/broker/internal/access"
)

// slot is a message's place in the queue of one session.
type slot struct {
	m        *Message
	ids      []int // subscription identifiers
	id       uint16
	qos      byte
	retain   bool
	dup      bool // was sent before
	released bool // QoS 2: PUBREC has come, PUBREL is due until PUBCOMP comes
}

// Session is what the broker keeps for a client id: the messages that the client has
// not acknowledged, and what its subscriptions cost. All of it is under Store.mu.
type Session struct {
	ID     string
	Rights *access.Rights
	Client any // the library's client

	group string // clients of one user or one address compete with each other first
	own   bool   // of this process
	conn  *Conn  // nil: absent
	left  time.Time

	queue  []slot // not sent
	sent   []slot // not acknowledged, in the order in which they were sent
	resend int    // those of sent from here on are to be sent again
	lastID uint16
	window int // most of sent

	filters int64 // bytes of its subscriptions
	inbound int64 // bytes of its own unfinished QoS 2 messages
	held    int64 // bytes of its CONNECT
	cost    int64 // of all of it
	gone    bool
}

// push queues a message.
func (s *Store) push(sess *Session, m *Message, qos byte, retain bool, ids []int) {
	if sess.gone || qos == 0 && sess.conn == nil {
		return
	}
	if sess.own && s.used > s.o.Max { // ours is never disconnected
		s.stats.Dropped++
		return
	}
	s.hold(m)
	s.charge(sess, slotCost+int64(8*len(ids)), m.size())
	sess.queue = append(sess.queue, slot{m: m, qos: qos, retain: retain, ids: ids})
	if c := sess.conn; c != nil && c.open {
		c.start()
	}
}

// next moves a message from the queue to those sent, if the window has room.
func (s *Store) next(sess *Session) (slot, bool) {
	if sess.resend < len(sess.sent) {
		sl := &sess.sent[sess.resend]
		sess.resend++
		was := *sl
		sl.dup = true
		return was, true
	}
	now := s.o.Now()
	for len(sess.queue) > 0 {
		sl := sess.queue[0]
		if sl.qos > 0 && len(sess.sent) >= sess.window {
			return slot{}, false
		}
		sess.queue[0] = slot{}
		if sess.queue = sess.queue[1:]; len(sess.queue) == 0 {
			sess.queue = nil
		}
		if sl.m.expired(now) { // [MQTT-3.3.2-5]
			s.free(sess, &sl)
			continue
		}
		if sl.qos > 0 {
			sl.id = sess.freeID()
			sess.sent = append(sess.sent, sl)
			sess.resend++
			sess.sent[len(sess.sent)-1].dup = true // if it is sent again
		}
		return sl, true
	}
	return slot{}, false
}

// freeID returns a packet identifier that no message of the window has.
func (sess *Session) freeID() uint16 {
	for {
		if sess.lastID++; sess.lastID != 0 && sess.find(sess.lastID) < 0 {
			return sess.lastID
		}
	}
}

// find returns the index in sent of a packet identifier, or -1.
func (sess *Session) find(id uint16) int {
	return slices.IndexFunc(sess.sent, func(sl slot) bool { return sl.id == id })
}

// free gives back what a slot takes.
func (s *Store) free(sess *Session, sl *slot) {
	s.charge(sess, -slotCost-int64(8*len(sl.ids)), -sl.m.size())
	s.release(sl.m)
}

// Acknowledge takes a PUBACK, PUBREC or PUBCOMP of a client. It returns whether a
// PUBREL is the answer.
func (s *Store) Acknowledge(c *Conn, kind byte, id uint16, failed bool) (pubrel bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess := c.session
	if sess == nil || sess.conn != c {
		return false
	}
	i := sess.find(id)
	if i >= sess.resend { // not sent on this connection
		i = -1
	}
	if i < 0 {
		return kind == packets.Pubrec && !failed // the answer completes it at the other end
	}
	sl := &sess.sent[i]
	switch {
	case kind == packets.Pubrec && sl.qos == 2 && !failed:
		sl.released = true
		return true
	case kind == packets.Puback && sl.qos == 1,
		kind == packets.Pubcomp && sl.qos == 2 && sl.released,
		kind == packets.Pubrec && sl.qos == 2:
	default:
		return false
	}
	s.free(sess, sl)
	sess.sent = slices.Delete(sess.sent, i, i+1)
	sess.resend--
	if len(sess.sent) == 0 {
		sess.sent = nil
	}
	if c.open && len(sess.queue) > 0 {
		c.start()
	}
	return false
}

// clear drops all messages of a session.
func (s *Store) clear(sess *Session) {
	for i := range sess.sent {
		s.free(sess, &sess.sent[i])
	}
	for i := range sess.queue {
		s.free(sess, &sess.queue[i])
	}
	sess.sent, sess.queue, sess.resend = nil, nil, 0
}

// SetFilters sets what a session's subscriptions cost now, and SetInbound what its
// unfinished QoS 2 messages do.
func (s *Store) SetFilters(c *Conn, n int64) {
	s.set(c, func(sess *Session) *int64 { return &sess.filters }, n)
}

// SetInbound is described at SetFilters.
func (s *Store) SetInbound(c *Conn, n int64) {
	s.set(c, func(sess *Session) *int64 { return &sess.inbound }, n)
}

func (s *Store) set(c *Conn, part func(*Session) *int64, n int64) {
	s.lock()
	defer s.unlock()
	sess := c.session
	if sess == nil || sess.gone {
		return
	}
	p := part(sess)
	s.charge(sess, n-*p, 0)
	*p = n
}
