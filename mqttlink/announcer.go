package mqttlink

import (
	"context"
	"log/slog"
	"time"

	"pithings/mqttlink/internal/blame"
	"pithings/mqttlink/wire"
)

// announcer publishes a session's birth and close messages, past the outbox.
type announcer struct {
	*base
	*ending
	suspects *suspects
	conn     *wire.Conn
	birth    *wire.Receipt // nil: none was sent
}

// announce publishes the birth message and waits for its acknowledgement, so that no other
// message is sent before it, and a broker that closes the connection has no other reason. A
// broker that leaves it unanswered has had its time.
func (a *announcer) announce(ctx context.Context) {
	m := a.o.Birth
	if m == nil || !a.suspects.announces() {
		return
	}
	a.birth = a.conn.Publish(packetOf(m))
	if a.await(ctx, a.birth, a.o.AckTimeout) {
		a.suspects.with((*blame.State).BirthAcked)
	}
}

// farewell publishes the close message, while the connection still lasts.
func (a *announcer) farewell() {
	m := a.o.Close
	if m == nil || !a.suspects.announces() {
		return
	}
	a.await(context.Background(), a.conn.Publish(packetOf(m)), min(a.o.FlushTimeout, time.Second))
}

func packetOf(m *Message) *wire.Message {
	return &wire.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain}
}

// await waits until a message has been acknowledged, for a bounded time.
func (a *announcer) await(ctx context.Context, r *wire.Receipt, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-r.Done():
		return r.Err() == nil
	case <-a.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// closed explains a session that the broker ended upon the birth message, or returns nil.
// leftOut says that birth, close and will are left out from now on.
func (a *announcer) closed() (f *Fault, leftOut bool) {
	if a.birth == nil || a.birth.IsDone() || !hungUp(a.err) {
		return nil, false
	}
	topic := a.o.Birth.Topic
	a.suspects.with(func(s *blame.State) { leftOut = s.EndedUponBirth(time.Now()) })
	if leftOut {
		a.quiet.Say(slog.LevelError, "birth "+topic, "birth, close and will are left out for a while: the broker closes the connection upon the birth message",
			"topic", short(topic), "for", blame.ExcludeFor, "fix", "allow it, or set status: false")
	}
	return fault(Lost, a.err, "%s closed the connection just after the birth message to %s; it is opened again: if that does not end, %s, or leave birth (status) out", a.endpoint, short(topic), a.lacks(topic)), leftOut
}
