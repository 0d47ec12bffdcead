package topic

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"pithings/quietlog"
)

// MaxBytes is the length of the longest MQTT string (MQTT 3.1.1 section 1.5.3): topics,
// filters, client ids.
const MaxBytes = 65535

// ErrInvalid is what each Error is, as errors.Is has it.
var ErrInvalid = errors.New("not a valid MQTT topic")

// Rule is what a topic or filter breaks.
type Rule int

// The rules.
const (
	Empty     Rule = iota // it has at least one character [MQTT-4.7.3-1]
	Long                  // it has at most MaxBytes bytes [MQTT-4.7.3-3]
	Character             // it is UTF-8 without control characters and non-characters
	Wildcard              // a topic has none, and in a filter they stand alone [MQTT-4.7.1-1 to 3]
	Group                 // a shared subscription names its group
)

// Error says why a text is no topic or filter.
type Error struct {
	Text string
	Rule Rule
	Why  string // "it is empty"
}

// Error quotes no more of the text than a log line can bear.
func (e *Error) Error() string {
	return fmt.Sprintf("%v: %q: %s", ErrInvalid, strings.ToValidUTF8(quietlog.Clip(e.Text, 80), "?"), e.Why)
}

// Is reports whether target is ErrInvalid.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// Check returns why nothing can be published to a topic, an *Error, or nil.
func Check(topic string) error {
	if err := CheckString(topic); err != nil {
		return err
	}
	if i := strings.IndexAny(topic, "+#"); i >= 0 {
		return &Error{topic, Wildcard, fmt.Sprintf("the wildcard %q is for subscriptions only", topic[i])}
	}
	return nil
}

// CheckFilter returns why a filter cannot be subscribed to, an *Error, or nil. Shared
// subscriptions are valid.
func CheckFilter(filter string) error {
	if err := CheckString(filter); err != nil {
		return err
	}
	rest := filter
	if IsShared(filter) {
		group, f, ok := strings.Cut(filter[len(share):], "/")
		if !ok || group == "" || f == "" || strings.ContainsAny(group, "+#") {
			return &Error{filter, Group, "a shared subscription is written $share/GROUP/FILTER"}
		}
		rest = f
	}
	for len(rest) > 0 {
		level, after, more := strings.Cut(rest, "/")
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return &Error{filter, Wildcard, "a wildcard must stand alone between slashes"}
		}
		if level == "#" && more {
			return &Error{filter, Wildcard, "# must be the last character"}
		}
		rest = after
	}
	return nil
}

// CheckString returns why a text cannot be an MQTT string of at least one character, such
// as a client id, or nil. Beyond the specification's rules (section 1.5.3) it refuses
// control characters and non-characters: brokers may, and some do, close the connection on
// them.
func CheckString(s string) error {
	switch {
	case s == "":
		return &Error{s, Empty, "it is empty"}
	case len(s) > MaxBytes:
		return &Error{s, Long, fmt.Sprintf("it has %d bytes, at most %d are allowed", len(s), MaxBytes)}
	case !utf8.ValidString(s):
		return &Error{s, Character, "it is not UTF-8"}
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return &Error{s, Character, fmt.Sprintf("it holds the control character %U", r)}
		}
		if r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return &Error{s, Character, fmt.Sprintf("it holds the non-character %U", r)}
		}
	}
	return nil
}
