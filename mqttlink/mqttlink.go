package mqttlink

import (
	"context"
	"errors"
	"time"
)

// Message is an MQTT application message.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte // 0 or 1
	Retain  bool // to publish: keep at the broker; received: was kept by the broker
	Dup     bool // received: the broker may have sent it before (MQTT 3.1.1 section 3.3.1.1)

	// Alarm says that the message tells of what happens once (motion, not
	// temperature): the outbox may bound alarms apart from all else.
	Alarm bool

	// Time is when the message was made, as time.Now returned it, with its monotonic
	// reading: the wall clock may be set before Publish. Zero is now. Received
	// messages have none.
	Time time.Time
	// TimeField is where Time stands in Payload, if it does: if the clock was not
	// known at that time, the link fills it in when it is (see Options.Clock).
	TimeField TimeField

	// Life is how long after Publish the message is worth being sent: if it is still
	// in the outbox then, it is dropped. 0 is for ever. Received messages have none.
	// One that the network takes at once is written up to 2 ms later, unless the outbox
	// syncs always: who waits for its effect ends with this process.
	Life time.Duration
}

// Accepted reports whether Publish has taken the message: it returned nil, or said
// by ErrHeld that the message is in memory only for the time being.
func Accepted(err error) bool { return err == nil || errors.Is(err, ErrHeld) }

// Handler takes a received message. It is called in the order of arrival, one
// at a time for each subscription, on a goroutine of the link's, never on the
// network's: it may publish and may wait, until ctx is done. The message
// belongs to the handler.
type Handler func(ctx context.Context, m Message)

// Client is what things and flows need of a link. A *Link is one; tests can
// hand in linktest's, which keeps the messages in memory.
type Client interface {
	// Publish returns when m is safe: in the outbox (but see Message.Life). An error
	// says that m was refused (too large, bad topic, outbox full) and will never be
	// sent, unless it wraps ErrHeld: then m is in memory only, and is sent all the same.
	Publish(ctx context.Context, m Message) error
	// Subscribe calls h for each message whose topic matches filter, now and
	// after every reconnect. It returns as soon as the subscription is noted;
	// a broker's refusal is reported by the link. cancel ends it and waits for
	// a handler that is running, unless it is called from that handler.
	Subscribe(filter string, qos byte, h Handler) (cancel func(), err error)
	// SubscribeAll is Subscribe with several filters for one handler, which gets
	// their messages in the order in which they arrive, and each once.
	SubscribeAll(filters []string, qos byte, h Handler) (cancel func(), err error)
}

// Prompt is a Client for handlers that return at once and wait for nothing: neither for
// others nor for a Publish.
type Prompt interface {
	// SubscribePrompt is Subscribe, but h is called by whoever reads from the network,
	// which saves waking somebody else. It may still be called once while cancel
	// returns, for which cancel does not wait.
	SubscribePrompt(filter string, qos byte, h Handler) (cancel func(), err error)
}
