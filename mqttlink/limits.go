package mqttlink

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits are a broker's, checked before anything is sent, because some brokers
// answer a breach by closing the connection, or by discarding the message,
// without a word. A zero value means MQTT's own limit.
type Limits struct {
	By     string // whose limits these are, for messages: "AWS IoT Core"
	Source string // where they are written, for messages

	MaxPayload       int // bytes of a payload
	MaxTopicBytes    int // bytes of a topic or filter
	MaxTopicLevels   int // levels of a topic or filter: slashes + 1
	MaxClientID      int // bytes of a client id
	MaxSubscriptions int // different filters at a time
	MaxFilters       int // filters in one SUBSCRIBE; 8 when zero, which every broker takes
	MaxUnacked       int // messages on their way at a time: the largest Options.Window
	MaxKeepAlive     time.Duration

	// What is published faster than this waits for its turn, in order.
	Rate     int // messages a second
	ByteRate int // bytes a second, topics and payloads together

	// ConnectEvery is the least time between two attempts to connect.
	ConnectEvery time.Duration

	Rules Rules // what else is to be heeded; nil: nothing
}

// Rules are what a broker forbids beyond sizes and numbers. The methods are called
// with topics and filters that are valid, from several goroutines at once.
type Rules interface {
	// CheckPublish says why the broker would not take m, or returns nil.
	CheckPublish(m Message) error
	// CheckFilter says why the broker would refuse filter, or returns nil.
	CheckFilter(filter string) error
	// CheckClientID says why the broker would refuse id, or returns nil.
	CheckClientID(id string) error
	// FreePrefix returns how many bytes at the start of a topic or filter do not
	// count against MaxTopicBytes and MaxTopicLevels.
	FreePrefix(topic string) int
	// Permission names what the broker's policy must allow for a topic to be
	// published to, or, with subscribe, for a filter to be subscribed to.
	Permission(topic string, subscribe bool) string
}

// maxPacket is the largest remaining length that the fixed header can say
// (MQTT 3.1.1 section 2.2.3), in bytes.
const maxPacket = 268_435_455

// LimitError says that a message or subscription was refused before it was sent.
type LimitError struct {
	What   string // "payload of TG_MS/motion"
	Unit   string // "bytes"
	Got    int
	Max    int
	By     string
	Source string
}

func (e *LimitError) Error() string {
	by := e.By
	if by == "" {
		by = "MQTT"
	}
	return fmt.Sprintf("%s: %d %s, but %s allows %d%s", e.What, e.Got, e.Unit, by, e.Max, source(e.Source))
}

// RuleError says that a message, filter or client id was refused before it was
// sent because of a rule of the broker's.
type RuleError struct {
	What   string // "publish to $aws/x"
	Why    string // "the topic is not one of those reserved for clients"
	By     string // "AWS IoT Core"
	Source string
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("%s: %s does not allow it: %s%s", e.What, e.By, e.Why, source(e.Source))
}

func source(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func (l Limits) exceeded(what, unit string, got, max int) *LimitError {
	return &LimitError{What: what, Unit: unit, Got: got, Max: max, By: l.By, Source: l.Source}
}

// ErrQoS is wrapped when a quality of service other than 0 or 1 is asked for.
var ErrQoS = errors.New("only QoS 0 and 1 are supported (2 is left unanswered by AWS IoT Core): use 1")

// check says why m cannot be published under the limits, or returns nil.
func (l Limits) check(m Message) error {
	if err := ValidTopic(m.Topic); err != nil {
		return err
	}
	if m.QoS > 1 {
		return fmt.Errorf("publish to %s with QoS %d: %w", m.Topic, m.QoS, ErrQoS)
	}
	if m.Life < 0 {
		return fmt.Errorf("publish to %s: its life is %s: give a positive time, or 0 for ever", clip(m.Topic), m.Life)
	}
	if err := l.checkTopic("topic", m.Topic); err != nil {
		return err
	}
	if err := m.TimeField.Check(m.Payload); err != nil {
		return fmt.Errorf("publish to %s: %w", clip(m.Topic), err)
	}
	n := len(m.Payload) + m.TimeField.grows()
	if l.MaxPayload > 0 && n > l.MaxPayload {
		return l.exceeded("payload of "+clip(m.Topic), "bytes", n, l.MaxPayload)
	}
	if max := maxPacket - len(m.Topic) - 4; n > max {
		return &LimitError{What: "payload of " + clip(m.Topic), Unit: "bytes", Got: n, Max: max}
	}
	if l.Rules != nil {
		return l.Rules.CheckPublish(m)
	}
	return nil
}

// checkFilter says why filter cannot be subscribed to, or returns nil.
func (l Limits) checkFilter(filter string, qos byte) error {
	if err := ValidFilter(filter); err != nil {
		return err
	}
	if qos > 1 {
		return fmt.Errorf("subscribe to %s with QoS %d: %w", filter, qos, ErrQoS)
	}
	if err := l.checkTopic("filter", filter); err != nil {
		return err
	}
	if l.Rules != nil {
		return l.Rules.CheckFilter(filter)
	}
	return nil
}

func (l Limits) checkTopic(what, topic string) error {
	counts := topic
	if l.Rules != nil {
		counts = topic[l.Rules.FreePrefix(topic):]
	}
	if l.MaxTopicBytes > 0 && len(counts) > l.MaxTopicBytes {
		return l.exceeded(what+" "+clip(topic), "bytes", len(counts), l.MaxTopicBytes)
	}
	if slashes := strings.Count(counts, "/"); l.MaxTopicLevels > 0 && slashes >= l.MaxTopicLevels {
		return l.exceeded(what+" "+clip(topic), "slashes", slashes, l.MaxTopicLevels-1)
	}
	return nil
}

// filters returns how many filters may go in one SUBSCRIBE.
func (l Limits) filters() int {
	if l.MaxFilters <= 0 {
		return 8
	}
	return l.MaxFilters
}

// permission is what the broker must allow for a topic to be published to, in
// its own words if they are known.
func (l Limits) permission(topic string, subscribe bool) string {
	if l.Rules != nil {
		return l.Rules.Permission(topic, subscribe)
	}
	if subscribe {
		return "subscribing to " + clip(topic)
	}
	return "publishing to " + clip(topic)
}
