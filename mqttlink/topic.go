package mqttlink

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxString is the length in bytes of the longest MQTT string (MQTT 3.1.1
// section 1.5.3): topics, filters, client ids.
const maxString = 65535

// ErrTopic is wrapped by the errors of ValidTopic and ValidFilter.
var ErrTopic = errors.New("not a valid MQTT topic")

// ValidTopic says why topic cannot be published to, or returns nil. Beyond the
// specification's rules (section 4.7) it refuses control characters and
// non-characters: brokers may, and some do, close the connection on them.
func ValidTopic(topic string) error {
	if err := validString(topic); err != nil {
		return err
	}
	if i := strings.IndexAny(topic, "+#"); i >= 0 {
		return topicError(topic, fmt.Sprintf("the wildcard %q is for subscriptions only", topic[i]))
	}
	return nil
}

// ValidFilter says why filter cannot be subscribed to, or returns nil.
// Shared subscriptions ($share/GROUP/FILTER) are valid.
func ValidFilter(filter string) error {
	if err := validString(filter); err != nil {
		return err
	}
	rest := filter
	if shared, ok := strings.CutPrefix(filter, "$share/"); ok {
		group, f, ok := strings.Cut(shared, "/")
		if !ok || group == "" || f == "" || strings.ContainsAny(group, "+#") {
			return topicError(filter, "a shared subscription is written $share/GROUP/FILTER")
		}
		rest = f
	}
	for len(rest) > 0 {
		level, after, more := strings.Cut(rest, "/")
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return topicError(filter, "a wildcard must stand alone between slashes")
		}
		if level == "#" && more {
			return topicError(filter, "# must be the last character")
		}
		rest = after
	}
	return nil
}

func validString(s string) error {
	switch {
	case s == "":
		return topicError(s, "it is empty")
	case len(s) > maxString:
		return topicError(s, fmt.Sprintf("it has %d bytes, at most %d are allowed", len(s), maxString))
	case !utf8.ValidString(s):
		return topicError(s, "it is not UTF-8")
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return topicError(s, fmt.Sprintf("it holds the control character %U", r))
		}
		if r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return topicError(s, fmt.Sprintf("it holds the non-character %U", r))
		}
	}
	return nil
}

// topicError quotes no more of the topic than a log line can bear.
func topicError(topic, why string) error {
	return fmt.Errorf("%w: %q: %s", ErrTopic, clip(topic), why)
}

// Match reports whether a message on topic reaches a subscription to filter
// (MQTT 3.1.1 section 4.7): + stands for one level, a final # for any number
// including none, and neither, as a filter's first level, for a topic that begins
// with $. Both must be valid.
func Match(filter, topic string) bool {
	if shared, ok := strings.CutPrefix(filter, "$share/"); ok {
		if _, f, ok := strings.Cut(shared, "/"); ok {
			filter = f
		}
	}
	if strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	for {
		level, restOfFilter, moreFilter := strings.Cut(filter, "/")
		if level == "#" {
			return true
		}
		name, restOfTopic, moreTopic := strings.Cut(topic, "/")
		if level != "+" && level != name {
			return false
		}
		switch {
		case moreFilter && moreTopic:
			filter, topic = restOfFilter, restOfTopic
		case moreFilter:
			return restOfFilter == "#" // a/# includes a itself
		default:
			return !moreTopic
		}
	}
}
