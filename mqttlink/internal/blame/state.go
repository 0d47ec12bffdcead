package blame

import (
	"slices"
	"time"
)

// Message is a message that is sent.
type Message struct {
	Seq   uint64 // its number in the outbox; rises
	Topic string
	Bytes int // of topic and payload
	QoS   byte
	Sent  time.Time
}

// suspect is why the broker may have closed the connection.
type suspect struct {
	seq     uint64 // with QoS 1: of the first message that was not acknowledged
	topic   string
	bytes   int
	strikes int // sessions in a row
}

// Options say how sure State has to be.
type Options struct {
	// After is how many sessions in a row a message must have ended; negative: it is never
	// found to be the cause.
	After int
	// Stable is how long a session holds that shows that no message ends it.
	Stable time.Duration
	// Random returns a time in [0, n).
	Random func(n time.Duration) time.Duration
}

// State is what is known of the sessions so far. Make it with New.
type State struct {
	o       Options
	message suspect // with QoS 1
	topic   suspect // of messages with QoS 0
	careful bool    // messages are sent one at a time
	kicks   int     // sessions that ended soon and upon no message
	topics  topics
	birth   birth

	// Of the present session.
	began time.Time
	quiet bool    // it has survived a quiet time
	until uint64  // the last message that earlier sessions sent
	last  Message // the last one with QoS 0
	any   bool    // a message was sent
}

const (
	// blameWithin is how soon after a message the session must end for the message to be
	// suspected.
	blameWithin = 5 * time.Second
	// probation is how long, at least, a session is left quiet while a message is probed;
	// at most five times as long.
	probation = time.Second
	// reaction is how soon a message with QoS 0 ends a session that has been quiet until
	// then: no lack of an acknowledgement shows it.
	reaction = 500 * time.Millisecond
)

// New returns the state before the first session.
func New(o Options) State { return State{o: o, topics: topics{}} }

// Begin starts a session. until is the last message that earlier sessions have sent.
func (s *State) Begin(now time.Time, until uint64) {
	s.began, s.until = now, until
	s.quiet, s.last, s.any = false, Message{}, false
}

// Suspect returns the number of the suspected message with QoS 1; 0 if there is none.
func (s *State) Suspect() uint64 { return s.message.seq }

// Calm reports whether a message to a topic needs no care.
func (s *State) Calm(topic string) bool { return !s.careful && s.topics[topic] == nil }

// AtRest reports whether messages with QoS 1 need no care, whatever their topics, and neither
// Sent nor Delivered changes anything.
func (s *State) AtRest() bool { return s.any && !s.careful && len(s.topics) == 0 }

// Before returns how long to leave the session quiet before m is sent.
func (s *State) Before(now time.Time, m Message) (quiet time.Duration) {
	suspected := s.topics[m.Topic] != nil
	if suspected {
		s.careful, s.quiet = true, false
		s.until = max(s.until, m.Seq)
	}
	if s.careful && !suspected && now.Sub(s.began) >= s.o.Stable {
		s.clear(&s.message, &s.topic)
	}
	if !s.careful || s.quiet {
		return 0
	}
	s.quiet = true
	return s.quietTime(max(s.message.strikes, s.topic.strikes))
}

// quietTime is how long a session is left quiet that may be the strike after so many.
// Another client may take over at some fixed time, and a message be sent just before: so
// three strikes in a row are further apart than a reaction takes.
func (s *State) quietTime(strikes int) time.Duration {
	third := time.Duration(strikes % 3)
	return probation + third*(8*probation/5) + s.o.Random(4*probation/5)
}

// Proof is what a sender waits for before it sends the next message.
type Proof struct {
	Ack   bool          // the acknowledgement; call Proved when it has come
	Quiet time.Duration // this long; call Proved if the session has lasted
}

// Sent notes that m has been sent, and returns what the sender waits for.
func (s *State) Sent(m Message) Proof {
	s.any = true
	if m.QoS == 0 {
		s.last = m
	}
	switch {
	case !s.careful:
	case m.QoS > 0:
		return Proof{Ack: true}
	case s.topic.topic == m.Topic, s.topics[m.Topic] != nil:
		return Proof{Quiet: 2 * reaction}
	}
	return Proof{}
}

// Proved notes that the session has survived m.
func (s *State) Proved(m Message) {
	if m.QoS == 0 {
		delete(s.topics, m.Topic)
		s.clear(&s.topic)
	} else if m.Seq >= s.until {
		s.clear(&s.message)
	}
}

// Delivered notes that a message with QoS 1 has been acknowledged: its topic is allowed.
func (s *State) Delivered(topic string) { delete(s.topics, topic) }

// clear drops suspicions. The state stays careful if another one is left.
func (s *State) clear(who ...*suspect) {
	for _, x := range who {
		*x = suspect{}
	}
	s.careful = s.o.After > 0 && max(s.message.strikes, s.topic.strikes) >= s.o.After-1
}

// End is how a session ended because the broker closed the connection, and not upon a
// SUBSCRIBE.
type End struct {
	At      time.Time
	Lived   time.Duration
	Unacked *Message // the first message with QoS 1 that was sent and not acknowledged
}

// Cause is why a session ended.
type Cause int

// The causes.
const (
	Unknown     Cause = iota
	Suspected         // perhaps upon the message or topic; it is sent again
	Poison            // upon the message or topic, for certain
	OtherClient       // another client has the client id
)

// Verdict is what the end of a session shows.
type Verdict struct {
	Cause   Cause
	Topic   string // of Suspected and Poison
	Bytes   int    // of the message
	Strikes int    // sessions in a row
	// Message is set if Poison is that message with QoS 1: it becomes a dead letter.
	// Otherwise it is the topic, which is excluded.
	Message bool
}

// Ended asks upon what a session ended.
func (s *State) Ended(e End) Verdict {
	v, idle := s.upon(e)
	switch {
	case v.Cause == Poison:
		s.kicks = 0
		return v
	case s.Named() && e.Lived < KickedStill, idle && e.Lived < kickedWithin:
		s.kicks++
	case e.Lived >= kickedWithin:
		s.kicks = 0
	}
	if s.Named() {
		if idle {
			s.clear(&s.message, &s.topic)
		}
		return Verdict{Cause: OtherClient}
	}
	return v
}

// upon suspects what was in flight as the session ended. idle says that no message was
// that could be the cause for certain.
func (s *State) upon(e End) (v Verdict, idle bool) {
	m, soon := e.Unacked, blameWithin
	if s.careful {
		soon = reaction
	}
	qos0 := s.last.Topic != "" && e.At.Sub(s.last.Sent) <= soon
	switch {
	case m != nil && e.At.Sub(m.Sent) > blameWithin, m != nil && s.careful && qos0:
		return Verdict{}, false // not upon it, or upon either
	case m != nil && qos0:
		s.strike(&s.topic, &s.last, e.At)
		return s.strike(&s.message, m, e.At), false
	case m != nil:
		s.topic = suspect{}
		return s.strike(&s.message, m, e.At), false
	case qos0:
		return s.strike(&s.topic, &s.last, e.At), true
	}
	s.topic = suspect{}
	if s.careful && !s.any {
		s.message = suspect{} // there is another cause
	}
	return Verdict{}, true
}

// strike holds the end of a session against m.
func (s *State) strike(was *suspect, m *Message, now time.Time) Verdict {
	a := suspect{topic: m.Topic, bytes: m.Bytes}
	need := s.o.After
	if m.QoS > 0 {
		a.seq = m.Seq
	} else {
		need = 2*need - 1 // it takes more to prove
	}
	if was.seq == a.seq && was.topic == a.topic {
		a.strikes = was.strikes
	}
	a.strikes++
	*was = a
	v := Verdict{Cause: Suspected, Topic: a.topic, Bytes: a.bytes, Strikes: a.strikes}
	if need < 0 || !s.careful || a.strikes < need && s.topics[a.topic] == nil {
		s.careful = s.careful || need > 0 && a.strikes >= s.o.After-1
		return v
	}
	v.Cause, v.Message = Poison, m.QoS > 0
	*was = suspect{}
	if !v.Message {
		s.topics.note(a.topic, excludeAfter, now) // it was sent, and is not sent again; the next ones become dead letters
		s.clear()
		return v
	}
	s.topics.note(a.topic, 1, now)
	return v
}

// excluded is a topic upon whose messages the broker has closed the connection.
type excluded struct {
	times int       // dead letters in a row
	until time.Time // its messages become dead letters without being sent; then one is tried again
}

// After excludeAfter dead letters in a row a topic is excluded for ExcludeFor, and so many
// topics are remembered.
const (
	excludeAfter = 3
	ExcludeFor   = 10 * time.Minute
	topicsMost   = 256
)

// topics are the suspected and excluded ones.
type topics map[string]*excluded

// note notes dead letters of a topic.
func (t topics) note(topic string, times int, now time.Time) {
	x := t[topic]
	if x == nil {
		if len(t) >= topicsMost {
			clear(t)
		}
		x = new(excluded)
		t[topic] = x
	}
	if x.times += times; x.times >= excludeAfter {
		x.until = now.Add(ExcludeFor)
	}
}

// Excluded reports whether messages to a topic become dead letters without being sent.
func (s *State) Excluded(topic string, now time.Time) bool {
	if len(s.topics) == 0 {
		return false
	}
	x := s.topics[topic]
	return x != nil && now.Before(x.until)
}

// AllExcluded returns the topics that are excluded, sorted.
func (s *State) AllExcluded(now time.Time) (all []string) {
	for topic, x := range s.topics {
		if now.Before(x.until) {
			all = append(all, topic)
		}
	}
	slices.Sort(all)
	return all
}
