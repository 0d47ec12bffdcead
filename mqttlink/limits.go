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
	By     string // whose limits these are, for messages
	Source string // where they are written, for messages

	MaxPayload       int // bytes of a payload
	MaxTopicBytes    int // bytes of a topic or filter
	MaxTopicLevels   int // levels of a topic or filter: slashes + 1
	MaxClientID      int // bytes of a client id
	MaxSubscriptions int // different filters at a time
	MaxFilters       int // filters in one SUBSCRIBE; 8 when zero, which every broker takes
	MaxUnacked       int // messages in flight at a time: the largest Options.Window
	MaxKeepAlive     time.Duration

	// What is published faster than this waits for its turn, in order.
	Rate     int // messages a second
	ByteRate int // bytes a second, topics and payloads together

	// ConnectEvery is the least time between two attempts to connect.
	ConnectEvery time.Duration

	Rules Rules // what else it asks for; nil: nothing
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
	What   string // "publish to $SYS/x"
	Why    string // "the topic is not one of those reserved for clients"
	By     string // whose rule it is
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
var ErrQoS = errors.New("only QoS 0 and 1 are supported: use 1")

// filters returns how many filters may go in one SUBSCRIBE.
func (l Limits) filters() int {
	if l.MaxFilters <= 0 {
		return 8
	}
	return l.MaxFilters
}

// Below these no broker that we know of has a limit: they are not suspected. Some
// take 8 levels, mosquitto 200, EMQX 128; small brokers on microcontrollers 1 KiB.
const (
	unsuspectedBytes  = 1 << 10
	unsuspectedLevels = 8
)

// orTooMuch names size and depth as reasons for which a broker whose limits are not known
// may have closed the connection: emqx#7179 (packets over 1 MiB), owntracks/recorder#524
// (200 levels).
func (l Limits) orTooMuch(topic string, bytes int) string {
	var much []string
	if bytes > unsuspectedBytes && l.MaxPayload == 0 {
		much = append(much, fmt.Sprintf("a packet of %d bytes", bytes))
	}
	if levels := strings.Count(topic, "/") + 1; levels > unsuspectedLevels && l.MaxTopicLevels == 0 {
		much = append(much, fmt.Sprintf("a topic of %d levels", levels))
	}
	if len(much) == 0 {
		return ""
	}
	return "; or " + strings.Join(much, " and ") + " is more than this broker takes"
}

// permission is what the broker must allow for a topic to be published to, in
// its own words if they are known.
func (l Limits) permission(topic string, subscribe bool) string {
	if l.Rules != nil {
		return l.Rules.Permission(topic, subscribe)
	}
	if subscribe {
		return "subscribing to " + short(topic)
	}
	return "publishing to " + short(topic)
}
