// Package store keeps what an MQTT broker must remember, within one budget of bytes:
// retained messages, the queues of sessions, what waits to be written to connections
// and what is being read from them.
//
// Every byte is counted when it is kept and given back when it is dropped. A payload
// that many clients wait for is in memory once and counted once; each place in a queue
// costs a little more. Whatever goes over the budget makes room: the client that costs
// most is disconnected, or dropped if it is absent. Which client that is, is decided
// among the user or the address whose clients cost most together, so that one of them
// cannot push out the others by numbers. In this comparison a client costs all that it
// waits for, as if it were the only one.
//
// One lock guards all of it. Nothing is called under it but Options.Forget and the
// connections' wake and shut, none of which may block or call the store.
package store

import (
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"pithings/mqttlink/broker/internal/access"
)

// What is counted for things besides their own bytes. TestCostsAreTrue measures them.
const (
	connCost       = 24 << 10 // the library's client, three goroutines, buffers
	tlsCost        = 40 << 10 // of crypto/tls
	sessionCost    = 6 << 10  // the library's client, which is kept for absent ones, too
	messageCost    = 192
	propertiesCost = 512
	slotCost       = 128 // twice a slot: slices grow
	retainedCost   = 128
)

// Costs that the broker counts.
const (
	FilterCost  = 1536 // of a subscription, besides its text
	LevelCost   = 640  // of each of its levels
	InboundCost = 1536 // of a QoS 2 message that its sender has not released
)

// Options of a store. All are needed.
type Options struct {
	Max    int64 // bytes
	Window int   // messages sent to a client and not acknowledged
	// Forget makes the library forget what a client has, and the client itself if it
	// is not connected. It is called with the store locked.
	Forget func(client any, connected bool)
	// Evicted is called after a client was dropped, without the lock.
	Evicted func(Eviction)
	Now     func() time.Time
}

// Eviction is a client that was dropped because the budget was spent.
type Eviction struct {
	Client string // "" before CONNECT
	Group  string // its user or address
	Cost   int64  // what it had cost
	Absent bool
}

// Stats are a store's figures.
type Stats struct {
	Used, Max         int64 // bytes
	Connections       int
	Sessions          int // with and without a connection
	Absent            int // of Sessions
	Retained          int
	RetainedBytes     int64
	Evicted           uint64 // clients
	RetainedRefused   uint64
	Dropped           uint64 // messages that a client did not get because of its own limits
	SubscriptionsOver uint64 // refused for their number or size
}

// Store keeps messages. See the package's description.
type Store struct {
	o Options

	mu       sync.Mutex
	used     int64
	conns    map[*Conn]struct{}
	sessions map[string]*Session
	retained map[string]*Message
	others   int64 // bytes of retained messages that are not ours
	ours     int64
	stats    Stats
	evicted  []Eviction // to be reported when the lock is released
}

// New returns an empty store.
func New(o Options) *Store {
	return &Store{o: o, conns: map[*Conn]struct{}{}, sessions: map[string]*Session{}, retained: map[string]*Message{}}
}

func (s *Store) lock() { s.mu.Lock() }

// unlock releases the lock after a change that may have gone over the budget.
func (s *Store) unlock() {
	s.evict()
	evicted := s.evicted
	s.evicted = nil
	s.mu.Unlock()
	for _, e := range evicted {
		s.o.Evicted(e)
	}
}

// Stats returns the present figures.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Used, st.Max = s.used, s.o.Max
	st.Connections, st.Sessions = len(s.conns), len(s.sessions)
	st.Retained, st.RetainedBytes = len(s.retained), s.others+s.ours
	for _, sess := range s.sessions {
		if sess.conn == nil {
			st.Absent++
		}
	}
	return st
}

// RefusedSubscription counts one.
func (s *Store) RefusedSubscription() {
	s.mu.Lock()
	s.stats.SubscriptionsOver++
	s.mu.Unlock()
}

func (s *Store) bill(c *Conn, n int64) {
	c.cost += n
	s.used += n
}

// charge counts bytes of a session, and bytes of a message that it shares.
func (s *Store) charge(sess *Session, n, shared int64) {
	sess.cost += n + shared
	s.used += n
}

func (s *Store) hold(m *Message) {
	if m.refs == 0 {
		s.used += m.size()
	}
	m.refs++
}

func (s *Store) release(m *Message) {
	if m.refs--; m.refs == 0 {
		s.used -= m.size()
	}
}

// Established describes a connection whose client was let in.
type Established struct {
	Client    any // the library's
	ID        string
	Rights    *access.Rights
	Clean     bool // whether what was kept for the id is dropped
	V5        bool
	MaxPacket int   // largest that the client takes; 0: any
	Window    int   // most messages that it takes unacknowledged; 0: any
	Held      int64 // bytes of its CONNECT, which the library keeps with the session
}

// Attach makes a connection that of a session.
func (s *Store) Attach(c *Conn, e Established) {
	s.lock()
	defer s.unlock()
	if c.closed {
		return
	}
	if e.Rights.User != "" {
		c.group = "user " + e.Rights.User
	}
	sess := s.sessions[e.ID]
	if sess == nil {
		sess = &Session{ID: e.ID}
		s.sessions[e.ID] = sess
		s.charge(sess, sessionCost+int64(len(e.ID)), 0)
	} else if e.Clean {
		s.clear(sess)
		s.charge(sess, -sess.filters-sess.inbound, 0)
		sess.filters, sess.inbound = 0, 0
	}
	if old := sess.conn; old != nil {
		old.session = nil // the library closes it
	}
	s.charge(sess, e.Held-sess.held, 0)
	sess.held = e.Held
	sess.Client, sess.Rights, sess.group, sess.own, sess.conn, sess.resend = e.Client, e.Rights, c.group, c.own, c, 0
	if sess.window = s.o.Window; e.Window > 0 {
		sess.window = min(e.Window, s.o.Window)
	}
	c.session, c.v5, c.maxPacket = sess, e.V5, e.MaxPacket
}

// Open lets messages follow: CONNACK has been queued.
func (c *Conn) Open() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.open = true
	if sess := c.session; sess != nil && (len(sess.sent) > 0 || len(sess.queue) > 0) {
		c.start()
	}
}

// End is called when a connection is over. The session stays if keep. It reports whether
// there is a session now: it may have been expelled, or never begun.
func (s *Store) End(c *Conn, keep bool) (kept bool) {
	s.lock()
	defer s.unlock()
	s.close(c)
	sess := c.session
	if sess == nil || sess.conn != c {
		return false
	}
	sess.conn, sess.left = nil, s.o.Now()
	if sess.gone {
		return false
	}
	if !keep {
		s.drop(sess)
		return false
	}
	queue := sess.queue
	sess.queue = nil
	for i := range queue { // QoS 0 is for clients that are there
		if queue[i].qos > 0 {
			sess.queue = append(sess.queue, queue[i])
		} else {
			s.free(sess, &queue[i])
		}
	}
	return true
}

// drop forgets a session.
func (s *Store) drop(sess *Session) {
	s.clear(sess)
	sess.gone = true
	s.used -= sess.cost
	sess.cost = 0
	if s.sessions[sess.ID] == sess {
		delete(s.sessions, sess.ID)
	}
}

// Drop forgets the session of an absent client, if that is still the one.
func (s *Store) Drop(client any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		if sess.Client == client && sess.conn == nil {
			s.drop(sess)
			return
		}
	}
}

// Owner returns whose session an id is, and whether there is one: of the user, of
// all users (""), or of this process.
func (s *Store) Owner(id string) (user string, own, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess := s.sessions[id]
	if sess == nil {
		return "", false, false
	}
	return sess.Rights.User, sess.own, true
}

// Expel drops the session of an id, and closes its connection, whose end the caller
// awaits.
func (s *Store) Expel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess := s.sessions[id]; sess != nil {
		s.expel(sess)
	}
}

func (s *Store) expel(sess *Session) {
	s.drop(sess)
	connected := sess.conn != nil
	if connected {
		s.close(sess.conn) // its goroutine makes the library forget the client later
	}
	s.o.Forget(sess.Client, connected)
}

// Deliver queues a message for all its subscribers.
func (s *Store) Deliver(m *Message, subs map[string]packets.Subscription) {
	s.lock()
	defer s.unlock()
	s.hold(m) // for as long as the queues are filled
	defer s.release(m)
	for id, sub := range subs {
		sess := s.sessions[id]
		if sess == nil || sub.NoLocal && m.Origin == id || !sess.Rights.MayReceive(m.Topic) {
			continue // [MQTT-3.8.3-3]
		}
		// [MQTT-3.3.1-12], [MQTT-3.3.1-13], and [MQTT-3.3.1-9] of 3.1.1
		s.push(sess, m, min(m.QoS, sub.Qos), m.Retain && sub.RetainAsPublished, identifiers(sub))
	}
}

// identifiers returns those of a subscription that has them [MQTT-3.3.4-3].
func identifiers(sub packets.Subscription) (ids []int) {
	if len(sub.Identifiers) == 0 && sub.Identifier > 0 {
		return []int{sub.Identifier}
	}
	for _, id := range sub.Identifiers {
		if id > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}
