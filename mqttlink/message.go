package mqttlink

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
	"pithings/mqttlink/topic"
)

// Message is an MQTT application message.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte // 0 or 1
	Retain  bool // to publish: keep at the broker; received: was kept by the broker
	Dup     bool // received: the broker may have sent it before (MQTT 3.1.1 section 3.3.1.1)
	// PacketID is that of a message received with QoS 1 (MQTT 3.1.1 section 2.3.1).
	PacketID uint16

	// Alarm marks a message about an event that happens once (motion, not
	// temperature): the outbox may bound alarms apart from all else.
	Alarm bool

	// Time is when the message was made, as time.Now returned it, with its monotonic
	// reading: the wall clock may be set before Publish. Zero is now. Received
	// messages have none.
	Time time.Time
	// TimeField is where Time stands in Payload, if it does: if the clock was not
	// known at that time, the link fills it in when it is (see Options.Clock).
	TimeField TimeField

	// Expiry is how long after Publish the message is worth being sent: if it is still
	// in the outbox then, it is dropped. 0 is for ever. Received messages have none.
	// One that the network takes at once is written up to 2 ms later, unless the outbox
	// syncs always: a caller that waits for its effect ends with this process.
	Expiry time.Duration
	// Unqueued says that a message with QoS 0 is worth nothing later: if the network
	// does not take it at once, Publish returns ErrUnqueued. No disk is written for it.
	Unqueued bool

	// Delivered, if not nil, is called once when the broker has the message: with QoS 1
	// when it has acknowledged it, with QoS 0 when the network has taken it. It is not
	// called for one that is dropped or becomes a dead letter, nor by a later process. It
	// must return at once, and not publish.
	Delivered func()
}

// size is what a message counts for in limits, in bytes.
func size(m Message) int { return len(m.Topic) + len(m.Payload) }

// check says why m cannot be published under the limits, or returns nil.
func (l Limits) check(m Message) error {
	if err := topic.Check(m.Topic); err != nil {
		return err
	}
	if m.QoS > 1 {
		return fmt.Errorf("publish to %s with QoS %d: %w", m.Topic, m.QoS, ErrQoS)
	}
	if m.Expiry < 0 {
		return fmt.Errorf("publish to %s: its life is %s: give a positive time, or 0 for ever", short(m.Topic), m.Expiry)
	}
	if err := l.checkTopic("topic", m.Topic); err != nil {
		return err
	}
	if err := m.TimeField.Check(m.Payload); err != nil {
		return fmt.Errorf("publish to %s: %w", short(m.Topic), err)
	}
	n := len(m.Payload) + m.TimeField.grows()
	if l.MaxPayload > 0 && n > l.MaxPayload {
		return l.exceeded("payload of "+short(m.Topic), "bytes", n, l.MaxPayload)
	}
	if max := maxPacket - len(m.Topic) - 4; n > max {
		return &LimitError{What: "payload of " + short(m.Topic), Unit: "bytes", Got: n, Max: max}
	}
	if l.Rules != nil {
		return l.Rules.CheckPublish(m)
	}
	return nil
}

func (l Limits) checkTopic(what, topic string) error {
	counts := topic
	if l.Rules != nil {
		counts = topic[l.Rules.FreePrefix(topic):]
	}
	if l.MaxTopicBytes > 0 && len(counts) > l.MaxTopicBytes {
		return l.exceeded(what+" "+short(topic), "bytes", len(counts), l.MaxTopicBytes)
	}
	if slashes := strings.Count(counts, "/"); l.MaxTopicLevels > 0 && slashes >= l.MaxTopicLevels {
		return l.exceeded(what+" "+short(topic), "slashes", slashes, l.MaxTopicLevels-1)
	}
	return nil
}

// CheckTopic returns why nothing can be published to a topic under the limits, or nil.
func (l Limits) CheckTopic(topic string) error {
	if err := l.checkTopic("topic", topic); err != nil || l.Rules == nil {
		return err
	}
	return l.Rules.CheckPublish(Message{Topic: topic})
}

// Handler takes a received message. It is called in the order of arrival, one
// at a time for each subscription, on a goroutine of the link's, never on the
// network's: it may publish and may wait, until ctx is done. The message
// belongs to the handler.
type Handler func(ctx context.Context, m Message)

// Client is what things and flows need of a link. A *Link is one; tests can
// hand in linktest's, which keeps the messages in memory.
type Client interface {
	// Publish returns when m is safe: in the outbox (but see Message.Expiry). An error
	// says that m was refused (too large, bad topic, outbox full) and will never be
	// sent, unless it wraps ErrUnsaved: then m is in memory only, and is sent all the same.
	Publish(ctx context.Context, m Message) error
	// Subscribe calls h for each message whose topic matches filter, now and
	// after every reconnect. It returns as soon as the subscription is noted;
	// a broker's refusal is reported by the link. cancel ends it and waits for
	// a handler that is running; a handler that ends its own subscription calls it
	// on another goroutine.
	Subscribe(filter string, qos byte, h Handler) (cancel func(), err error)
	// SubscribeAll is Subscribe with several filters for one handler, which gets
	// their messages in the order in which they arrive, and each once.
	SubscribeAll(filters []string, qos byte, h Handler) (cancel func(), err error)
}

// Inline is a Client for handlers that return at once and wait for nothing: neither for
// others nor for a Publish.
type Inline interface {
	// SubscribeInline is Subscribe, but h is called by the goroutine that reads from the
	// network, which saves waking another one. It may still be called once while cancel
	// returns, for which cancel does not wait.
	SubscribeInline(filter string, qos byte, h Handler) (cancel func(), err error)
}

// Stats is a link at one moment; counts are since New.
type Stats struct {
	State       State
	Since       time.Time // of the state
	Next        time.Time // when the next attempt to connect begins; zero: none is waited for
	Connects    uint64    // sessions established
	Attempts    uint64    // connections attempted
	Accepted    uint64    // messages taken by Publish
	Refused     uint64    // messages not taken because the outbox was full or queueing off
	Full        uint64    // those of Refused for which the outbox was full; Dropped has them, too
	Acked       uint64    // messages that left the outbox because they were delivered
	Expired     uint64    // messages dropped because they had expired
	DeadLetters uint64    // messages that became dead letters
	Resent      uint64    // messages sent once more after a loss
	Dropped     uint64    // messages dropped because of a limit of the outbox
	Dated       uint64    // messages whose time was filled in when the clock was known
	Nulled      uint64    // messages sent with null for their time, which is not known
	Waiting     int       // messages that wait for the clock: those in the outbox, while the first of them does
	Throttled   uint64    // messages that waited so as to keep the broker's rate
	Queued      int       // messages in the outbox
	Outbox      outbox.Stats
	Received    uint64   // messages from the broker
	Missed      uint64   // messages dropped because a handler was slow
	TooLarge    uint64   // messages from the broker larger than Options.MaxInbound
	LastError   string   // in one line; "" while online
	Refusals    []string // filters that the broker refuses
	Excluded    []string // topics whose messages become dead letters without being sent
	TakenOver   bool     // another client uses the client id
	Held        bool     // see Link.Hold
}

// counts are a link's Stats as far as they are counted.
type counts struct {
	mu sync.Mutex
	s  Stats
}

func (c *counts) add(f func(*Stats)) {
	c.mu.Lock()
	f(&c.s)
	c.mu.Unlock()
}

func (c *counts) get() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.s
}

// A message that was made before the clock was known waits in the outbox, and all behind it:
// the order is that of Publish. It has a stamp and the place of its time field, and gets its
// time when the clock is known. Only messages with a time field wait by themselves. A
// message that was made in an earlier boot in which the clock was never known is sent with
// null.

// TimeField says where in a payload the time stands at which the message was made.
// The link fills it in if the clock was not known then, and changes nothing else.
// The zero value is no field.
type TimeField struct {
	Offset, Length int // bytes; the quotes of a text are part of it
	Format         TimeFormat
}

// TimeFormat is how a time is written. All are valid JSON.
type TimeFormat uint8

// The formats. Their numbers are stored in outboxes on disk.
const (
	UnixSeconds TimeFormat = 1 + iota // 1581417910
	UnixMillis                        // 1581417910123
	TextMillis                        // "2020-02-12T07:30:05.123Z", RFC 3339
	TextMicros                        // "2020-02-12T07:30:05.123456Z", as strftime's %Y-%m-%dT%H:%M:%S.%fZ
)

// Append appends t, in UTC and cut to the format's resolution.
func (f TimeFormat) Append(b []byte, t time.Time) []byte {
	switch f {
	case UnixSeconds:
		return strconv.AppendInt(b, t.Unix(), 10)
	case UnixMillis:
		return strconv.AppendInt(b, t.UnixMilli(), 10)
	case TextMillis:
		return t.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`)
	case TextMicros:
		return t.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000000Z"`)
	}
	return append(b, "null"...) // of a later version
}

// size returns how long a time is in this century and the next; 0 if there is no
// such format.
func (f TimeFormat) size() int {
	switch f {
	case UnixSeconds:
		return len("1581417910")
	case UnixMillis:
		return len("1581417910123")
	case TextMillis:
		return len(`"2006-01-02T15:04:05.000Z"`)
	case TextMicros:
		return len(`"2006-01-02T15:04:05.000000Z"`)
	}
	return 0
}

// grows returns by how much a payload may become longer when the field is filled in.
func (f TimeField) grows() int { return max(0, f.Format.size()-f.Length) }

// Check says why the field cannot be one of payload, or returns nil.
func (f TimeField) Check(payload []byte) error {
	switch {
	case f == TimeField{}:
		return nil
	case f.Offset < 0 || f.Length <= 0 || f.Offset > len(payload) || f.Length > len(payload)-f.Offset:
		return fmt.Errorf("its time is said to be the %d bytes at %d of a payload of %d: give its place", f.Length, f.Offset, len(payload))
	case f.Format.size() == 0:
		return fmt.Errorf("its time has the unknown format %d: use one of UnixSeconds to TextMicros", f.Format)
	}
	return nil
}

// stored returns the field as an outbox keeps it.
func (f TimeField) stored() outbox.TimeField {
	return outbox.TimeField{Offset: uint32(f.Offset), Length: uint32(f.Length), Format: uint8(f.Format)}
}

// fill returns a copy of payload with t in its field, or null if t is not known.
// Of a field that is none of the payload's it returns the payload as it is.
func fill(payload []byte, f outbox.TimeField, t time.Time, known bool) []byte {
	begin, end := uint64(f.Offset), uint64(f.Offset)+uint64(f.Length)
	if end > uint64(len(payload)) {
		return payload
	}
	b := make([]byte, 0, len(payload)+32)
	b = append(b, payload[:begin]...)
	if known {
		b = TimeFormat(f.Format).Append(b, t)
	} else {
		b = append(b, "null"...)
	}
	return append(b, payload[end:]...)
}

// date notes in r when m was made, as far as that is known, or that it is to be filled in
// later. It reports whether r must wait for the clock.
func date(c *clock.Clock, r *outbox.Record, m *Message) (waits bool) {
	if calendar := !m.Time.IsZero() && m.Time == m.Time.Round(0); calendar && m.Expiry == 0 && m.TimeField.stored().Length == 0 {
		r.Time = m.Time // as in an import: no clock of this machine has to do with it
		return false
	}
	if c.KnownAt(m.Time) {
		if now := c.Now(); m.Time.IsZero() {
			r.Time = now.Round(0)
		} else { // by the monotonic clock, if m.Time has its reading
			r.Time = now.Round(0).Add(-time.Since(m.Time))
		}
		if m.Expiry > 0 {
			r.Stamp = outbox.Stamp(c.Stamp(m.Time)) // so that a later process can compute its age
		}
		return false
	}
	r.Stamp = outbox.Stamp(c.Stamp(m.Time))
	r.Field = m.TimeField.stored()
	return r.Field.Length > 0 && !c.Known()
}

// undated reports whether the time field of r is to be filled in.
func undated(r *outbox.Record) bool { return r.Field.Length > 0 && r.Stamp.Boot != [16]byte{} }
