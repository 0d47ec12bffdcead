package queue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	"pithings/mqttlink/topic"
)

// Line is a message as one line of JSON: what `queue export` writes, `queue import`
// reads, and dead letters are kept as.
type Line struct {
	Seq     uint64  `json:"seq,omitempty"`  // in the outbox it comes from; not read
	Time    string  `json:"time,omitempty"` // when it was made, RFC 3339; now if it is missing
	Topic   string  `json:"topic"`
	Payload *string `json:"payload,omitempty"`        // if it is text, else
	Base64  []byte  `json:"payload_base64,omitempty"` // RFC 4648
	QoS     byte    `json:"qos"`                      // 1 if it is missing
	Retain  bool    `json:"retain,omitempty"`
	Alarm   bool    `json:"alarm,omitempty"`

	// Of a dead letter; not read.
	Reason   string `json:"reason,omitempty"`
	Sessions int    `json:"sessions,omitempty"`
}

// timeFormat is RFC 3339 with the milliseconds that an outbox keeps.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// FromRecord returns a record as a line.
func FromRecord(r *outbox.Record) Line {
	l := newLine(r.Topic, r.Payload, r.QoS, r.Retain, r.Class == outbox.Alarm, r.Time)
	l.Seq = r.Seq
	return l
}

// FromMessage returns a message as a line.
func FromMessage(m *mqttlink.Message) Line {
	return newLine(m.Topic, m.Payload, m.QoS, m.Retain, m.Alarm, m.Time)
}

// FromDeadLetter returns a dead letter as a line.
func FromDeadLetter(a *mqttlink.DeadLetter) Line {
	m := &a.Message
	l := newLine(m.Topic, m.Payload, m.QoS, m.Retain, m.Alarm, a.Time)
	l.Reason, l.Sessions = a.Reason, a.Sessions
	return l
}

func newLine(topic string, payload []byte, qos byte, retain, alarm bool, t time.Time) Line {
	l := Line{Topic: topic, QoS: qos, Retain: retain, Alarm: alarm}
	if !t.IsZero() {
		l.Time = t.UTC().Format(timeFormat)
	}
	if isText(payload) {
		text := string(payload)
		l.Payload = &text
	} else {
		l.Base64 = payload
	}
	return l
}

// isText reports whether a payload is text: UTF-8 without control characters but tabs
// and ends of lines. The others take six bytes each as JSON.
func isText(payload []byte) bool {
	control := func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }
	return utf8.Valid(payload) && bytes.IndexFunc(payload, control) < 0
}

// LineOverhead is at most what a line has besides two bytes for each of its payload.
const LineOverhead = 1 << 20

// String returns the line without a line break.
func (l Line) String() string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)              // which takes six bytes for each <, > and &
	if err := e.Encode(l); err != nil { // strings and bytes always can be
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ParseLine reads a line. What is wrong with it is reported in one line.
func ParseLine(text []byte) (mqttlink.Message, error) {
	l := Line{QoS: 1} // as pub has it
	var m mqttlink.Message
	if err := json.Unmarshal(text, &l); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return m, fmt.Errorf("%q is a JSON %s; a %s is wanted", wrong.Field, wrong.Value, wrong.Type)
		}
		return m, errors.New(`this is not a line of an export: write {"topic": "a/b", "payload": "text", "qos": 1}`)
	}
	m = mqttlink.Message{Topic: l.Topic, QoS: l.QoS, Retain: l.Retain, Alarm: l.Alarm, Payload: l.Base64}
	if l.Payload != nil {
		if l.Base64 != nil {
			return m, errors.New("it has both payload and payload_base64")
		}
		m.Payload = []byte(*l.Payload)
	}
	if err := topic.Check(m.Topic); err != nil {
		return m, err
	}
	if m.QoS > 1 {
		return m, mqttlink.ErrQoS
	}
	if l.Time != "" {
		t, err := time.Parse(time.RFC3339, l.Time)
		if err != nil {
			return m, fmt.Errorf("time %.40q is not of the form 2006-01-02T15:04:05.000Z", l.Time)
		}
		m.Time = t
	}
	return m, nil
}
