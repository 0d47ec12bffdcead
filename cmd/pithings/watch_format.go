package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pithings/mqttlink"
	"pithings/things"
)

// The formats of mosquitto_sub's -F: % and a letter is something of the message, @ and
// a letter its time by strftime(3), \ and a letter a character.

// printer makes of a message what is printed for it.
type printer func(m mqttlink.Message, at time.Time) ([]byte, error)

// piece appends a part of the output.
type piece func(b []byte, m *mqttlink.Message, at time.Time) ([]byte, error)

// formatLongest bounds a field's width, in characters.
const formatLongest = 4096

// parseFormat reads a format. With tty what comes from the network cannot play tricks
// on a terminal.
func parseFormat(format string, tty, indent bool) ([]piece, error) {
	var pieces []piece
	literal := func(s string) {
		pieces = append(pieces, func(b []byte, _ *mqttlink.Message, _ time.Time) ([]byte, error) { return append(b, s...), nil })
	}
	for len(format) > 0 {
		i := strings.IndexAny(format, `%@\`)
		if i < 0 {
			literal(format)
			break
		}
		if i > 0 {
			literal(format[:i])
		}
		sign := format[i]
		if format = format[i+1:]; format == "" {
			return nil, fmt.Errorf("something is missing behind the last %c; write %c%c for the sign itself", sign, sign, sign)
		}
		var p piece
		var err error
		switch sign {
		case '%':
			p, format, err = parameter(format, tty, indent)
		case '@':
			p, format, err = timePiece(format)
		default:
			p, format, err = character(format)
		}
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
	}
	return pieces, nil
}

// mustFormat is a printer by a format that has been checked.
func mustFormat(format string, tty, indent bool) printer {
	pieces, err := parseFormat(format, tty, indent)
	return func(m mqttlink.Message, at time.Time) (b []byte, _ error) {
		err := err
		for _, p := range pieces {
			if err != nil {
				return nil, err
			}
			b, err = p(b, &m, at)
		}
		return b, err
	}
}

// character reads what stands behind \.
func character(format string) (piece, string, error) {
	i := strings.IndexByte(`\0aenrtv`, format[0])
	if i < 0 {
		return nil, "", fmt.Errorf(`\%.1s is not known; there are \\ \0 \a \e \n \r \t \v`, format)
	}
	c := "\\\x00\a\x1b\n\r\t\v"[i]
	return func(b []byte, _ *mqttlink.Message, _ time.Time) ([]byte, error) { return append(b, c), nil }, format[1:], nil
}

// timePiece reads what stands behind @.
func timePiece(format string) (piece, string, error) {
	set, err := strftime(format[0])
	if err != nil {
		return nil, "", err
	}
	return func(b []byte, _ *mqttlink.Message, at time.Time) ([]byte, error) { return append(b, set(at)...), nil }, format[1:], nil
}

// field is how a parameter is set: %-010.5t.
type field struct {
	left, zero bool
	width      int
	most       int // -1: no limit
}

// parameter reads what stands behind %.
func parameter(format string, tty, indent bool) (piece, string, error) {
	if format[0] == '@' { // "%@s", as an example of mosquitto_sub(1) has it
		if format = format[1:]; format == "" {
			return nil, "", fmt.Errorf("something is missing behind the last @; write @@ for the sign itself")
		}
		return timePiece(format)
	}
	f, rest, err := parseField(format)
	if err != nil {
		return nil, "", err
	}
	name := rest[0]
	rest = rest[1:]
	if set := fieldPieces[name]; set != nil {
		return func(b []byte, m *mqttlink.Message, at time.Time) ([]byte, error) {
			return f.append(b, set(m, at, tty), name), nil
		}, rest, nil
	}
	switch name {
	case '%':
		return func(b []byte, _ *mqttlink.Message, _ time.Time) ([]byte, error) { return append(b, '%'), nil }, rest, nil
	case 'j', 'J':
		return func(b []byte, m *mqttlink.Message, at time.Time) ([]byte, error) {
			j, err := messageJSON(m, at, name == 'J', indent)
			return append(b, j...), err
		}, rest, nil
	}
	return nil, "", fmt.Errorf("%%%c is not known; there are %%t topic, %%p payload, %%x and %%X payload in hex, %%l its length, %%q QoS, %%r retained, %%m message id, %%I and %%U time, %%j and %%J JSON", printed(name))
}

func parseField(format string) (f field, rest string, err error) {
	f.most = -1
	for len(format) > 0 && (format[0] == '-' || format[0] == '0') {
		f.left = f.left || format[0] == '-'
		f.zero = f.zero || format[0] == '0'
		format = format[1:]
	}
	f.width, format = number(format)
	if strings.HasPrefix(format, ".") {
		f.most, format = number(format[1:])
	}
	switch {
	case f.width > formatLongest || f.most > formatLongest:
		return f, "", fmt.Errorf("a field may have %d characters at most", formatLongest)
	case format == "":
		return f, "", fmt.Errorf("something is missing behind the last %%; write %%%% for the sign itself")
	}
	return f, format, nil
}

// number reads digits; what is longer than formatLongest is only that.
func number(s string) (n int, rest string) {
	for len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
		n = min(n*10+int(s[0]-'0'), formatLongest+1)
		s = s[1:]
	}
	return n, s
}

// append sets text into the field of a parameter.
func (f field) append(b []byte, text string, name byte) []byte {
	if n := utf8.RuneCountInString(text); f.most >= 0 && n > f.most && strings.IndexByte("CIRtpxX", name) >= 0 {
		text = string([]rune(text)[:f.most])
	}
	pad := f.width - utf8.RuneCountInString(text)
	if pad <= 0 {
		return append(b, text...)
	}
	with := " "
	if f.zero && !f.left && strings.IndexByte("AEFlmSXx", name) >= 0 {
		with = "0"
	}
	if f.left {
		return append(append(b, text...), strings.Repeat(with, pad)...)
	}
	return append(append(b, strings.Repeat(with, pad)...), text...)
}

// fieldPieces are the parameters that are text. Those of MQTT 5 are always empty, as
// mosquitto_sub prints them without one.
var fieldPieces = map[byte]func(m *mqttlink.Message, at time.Time, tty bool) string{
	'A': none, 'C': none, 'D': none, 'E': none, 'F': none, 'P': none, 'R': none, 'S': none,
	't': func(m *mqttlink.Message, _ time.Time, tty bool) string {
		if tty {
			return things.Escape(m.Topic)
		}
		return m.Topic
	},
	'p': func(m *mqttlink.Message, _ time.Time, tty bool) string {
		if tty {
			return string(safe(m.Payload))
		}
		return string(m.Payload)
	},
	'x': func(m *mqttlink.Message, _ time.Time, _ bool) string { return hex.EncodeToString(m.Payload) },
	'X': func(m *mqttlink.Message, _ time.Time, _ bool) string {
		return strings.ToUpper(hex.EncodeToString(m.Payload))
	},
	'l': func(m *mqttlink.Message, _ time.Time, _ bool) string { return strconv.Itoa(len(m.Payload)) },
	'q': func(m *mqttlink.Message, _ time.Time, _ bool) string { return strconv.Itoa(int(m.QoS)) },
	'm': func(m *mqttlink.Message, _ time.Time, _ bool) string { return strconv.Itoa(int(m.PacketID)) },
	'r': func(m *mqttlink.Message, _ time.Time, _ bool) string { return strconv.Itoa(number01(m.Retain)) },
	'I': func(_ *mqttlink.Message, at time.Time, _ bool) string { return at.Format("2006-01-02T15:04:05-0700") },
	'U': func(_ *mqttlink.Message, at time.Time, _ bool) string {
		return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond())
	},
}

func none(*mqttlink.Message, time.Time, bool) string { return "" }

func number01(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// messageObject is a message as mosquitto_sub's %j has it, in its order.
type messageObject struct {
	Time     string `json:"tst"`
	Topic    string `json:"topic"`
	QoS      byte   `json:"qos"`
	Retain   int    `json:"retain"`
	Length   int    `json:"payloadlen"`
	PacketID uint16 `json:"mid,omitempty"`
	Payload  any    `json:"payload,omitempty"`
	Base64   []byte `json:"payload_base64,omitempty"` // of a payload that is not text
}

// messageJSON is a message as JSON; nested has the payload as the JSON that it is.
func messageJSON(m *mqttlink.Message, at time.Time, nested, indent bool) ([]byte, error) {
	o := messageObject{Time: at.Format("2006-01-02T15:04:05.000000-0700"), Topic: m.Topic, QoS: m.QoS,
		Retain: number01(m.Retain), Length: len(m.Payload), PacketID: m.PacketID}
	switch {
	case nested && !json.Valid(m.Payload):
		return nil, fmt.Errorf("the payload on topic %s is not JSON", things.Escape(m.Topic))
	case nested:
		o.Payload = json.RawMessage(m.Payload)
	case utf8.Valid(m.Payload):
		o.Payload = string(m.Payload)
	default:
		o.Base64 = m.Payload
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	err := e.Encode(o)
	// Strings may hold characters that a terminal obeys; as \u… they are the same JSON.
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, l := range lines {
		lines[i] = things.Escape(l)
	}
	return []byte(strings.Join(lines, "\n")), err
}
