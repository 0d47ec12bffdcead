package mqttlink

import (
	"errors"
	"fmt"
	"strings"
)

// Limits are a broker's, checked before anything is sent, because some brokers
// answer a breach by closing the connection without a word. A zero value means
// MQTT's own limit.
type Limits struct {
	By string // whose limits these are, for messages: "AWS IoT Core"

	MaxPayload       int // bytes of a payload
	MaxTopicBytes    int // bytes of a topic or filter
	MaxTopicLevels   int // levels of a topic or filter: slashes + 1
	MaxClientID      int // bytes of a client id
	MaxSubscriptions int // different filters at a time
	MaxFilters       int // filters in one SUBSCRIBE; 8 when zero, which every broker takes
}

// maxPacket is the largest remaining length that the fixed header can say
// (MQTT 3.1.1 section 2.2.3), in bytes.
const maxPacket = 268_435_455

// LimitError says that a message or subscription was refused before it was sent.
type LimitError struct {
	What string // "payload of TG_MS/motion"
	Unit string // "bytes"
	Got  int
	Max  int
	By   string
}

func (e *LimitError) Error() string {
	by := e.By
	if by == "" {
		by = "MQTT"
	}
	return fmt.Sprintf("%s: %d %s, but %s allows %d", e.What, e.Got, e.Unit, by, e.Max)
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
	if err := l.checkTopic("topic", m.Topic); err != nil {
		return err
	}
	limit, by := maxPacket-len(m.Topic)-4, ""
	if l.MaxPayload > 0 && l.MaxPayload < limit {
		limit, by = l.MaxPayload, l.By
	}
	if len(m.Payload) > limit {
		return &LimitError{What: "payload of " + m.Topic, Unit: "bytes", Got: len(m.Payload), Max: limit, By: by}
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
	return l.checkTopic("filter", filter)
}

func (l Limits) checkTopic(what, topic string) error {
	if l.MaxTopicBytes > 0 && len(topic) > l.MaxTopicBytes {
		return &LimitError{What: what + " " + topic, Unit: "bytes", Got: len(topic), Max: l.MaxTopicBytes, By: l.By}
	}
	if levels := strings.Count(topic, "/") + 1; l.MaxTopicLevels > 0 && levels > l.MaxTopicLevels {
		return &LimitError{What: what + " " + topic, Unit: "levels", Got: levels, Max: l.MaxTopicLevels, By: l.By}
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
