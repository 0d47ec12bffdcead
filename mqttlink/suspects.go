package mqttlink

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pithings/mqttlink/internal/blame"
)

// suspects is the state of package blame behind a lock, and words for what it finds.
type suspects struct {
	*base

	// rest is State.AtRest. Almost always it is true, and messages with QoS 1 need not ask.
	rest atomic.Bool

	mu    sync.Mutex
	state blame.State
}

// unlock ends what began with j.mu.Lock().
func (j *suspects) unlock() {
	j.rest.Store(j.state.AtRest())
	j.mu.Unlock()
}

func newSuspects(b *base) *suspects {
	return &suspects{base: b, state: blame.New(blame.Options{
		After: b.o.PoisonAfter, Stable: b.o.Backoff.Stable,
		Random: func(n time.Duration) time.Duration { return rand.N(n) },
	})}
}

// with calls f with the state. It must return at once.
func (j *suspects) with(f func(*blame.State)) {
	j.mu.Lock()
	defer j.unlock()
	f(&j.state)
}

// calm reports whether a message to a topic needs no care.
func (j *suspects) calm(topic string) bool {
	j.mu.Lock()
	defer j.unlock()
	return j.state.Calm(topic)
}

// excluded reports whether messages to a topic become dead letters without being sent.
func (j *suspects) excluded(topic string) bool {
	j.mu.Lock()
	defer j.unlock()
	return j.state.Excluded(topic, time.Now())
}

// announces reports whether will, birth and close are used now.
func (j *suspects) announces() bool {
	j.mu.Lock()
	defer j.unlock()
	return j.state.Announces(time.Now())
}

// accused returns m as the state knows it.
func suspected(f *outgoing) blame.Message {
	return blame.Message{Seq: f.r.Seq, Topic: f.r.Topic, Bytes: len(f.r.Topic) + len(f.r.Payload), QoS: f.r.QoS, Sent: f.sent}
}

// before returns how long to leave the session quiet before a message is sent.
func (j *suspects) before(f *outgoing) time.Duration {
	j.mu.Lock()
	defer j.unlock()
	return j.state.Before(time.Now(), suspected(f))
}

// sent notes that a message has been sent, and returns what to wait for.
func (j *suspects) sent(f *outgoing) blame.Proof {
	j.mu.Lock()
	defer j.unlock()
	return j.state.Sent(suspected(f))
}

// exclusion is why a message to an excluded topic is a dead letter.
func (j *suspects) exclusion(f *outgoing) string {
	limits := &j.o.Limits
	return "its topic is excluded for the time being, because the broker closed the connection upon earlier messages to it: " + limits.permission(f.r.Topic, false) + " is most likely not allowed" + limits.orTooMuch(f.r.Topic, len(f.r.Topic)+len(f.r.Payload))
}

// closed explains a session that lived so long until the broker closed it, upon no
// SUBSCRIBE. m is the first message with QoS 1 that was not acknowledged, or nil; if that is
// poison, it is a dead letter now. The result is nil if there is no explanation.
func (j *suspects) closed(e *ending, lived time.Duration, m *outgoing) (f *Fault, poisoned bool) {
	end := blame.End{At: e.at, Lived: lived}
	if m != nil {
		a := suspected(m)
		end.Unacked = &a
	}
	var v blame.Verdict
	j.with(func(s *blame.State) { v = s.Ended(end) })
	lacks := func() string { return j.lacks(v.Topic) + j.o.Limits.orTooMuch(v.Topic, v.Bytes) }
	switch v.Cause {
	case blame.Suspected:
		return fault(Lost, e.err, "%s closed the connection just after a message to %s; it is opened again and the message repeated: if that does not end, %s", j.endpoint, short(v.Topic), lacks()), false
	case blame.Poison:
		f := fault(Poison, e.err, "%s closes the connection upon messages to %s, and not without them: most likely %s", j.endpoint, short(v.Topic), lacks())
		if v.Message {
			m.fate, m.reason, m.sessions = poison, f.Line, v.Strikes
		}
		return f, true
	case blame.OtherClient:
		return fault(TakenOver, e.err, "%s closes the connection soon after each CONNECT, and upon no message: another client uses %s; give each its own. Until then the pauses between attempts are longer, and the log is silent about them",
			j.endpoint, quoteID(j.o.ClientID)), false
	}
	return nil, false
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

// proved notes that the session has survived a message.
func (j *suspects) proved(f *outgoing) {
	j.mu.Lock()
	defer j.unlock()
	j.state.Proved(suspected(f))
}

// delivered notes that a message with QoS 1 to a topic has been acknowledged.
func (j *suspects) delivered(topic string) {
	j.mu.Lock()
	defer j.unlock()
	j.state.Delivered(topic)
}
