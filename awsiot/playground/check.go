package playground

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pithings/mqttlink/topic"
)

// Bounds of what is given.
const (
	MaxPayload = 8 << 10 // bytes of a payload
	MaxDepth   = 16      // objects and arrays in each other, in it
	maxTopic   = 256     // bytes of a topic, as AWS IoT Core takes them
	maxSlashes = 7       // in it
)

// Expand makes a topic of a template.
func Expand(template, name string) string { return strings.ReplaceAll(template, "{}", name) }

// CheckTopic returns why a device must not publish to a topic that others choose: a broker would end its
// session, or take it for its own.
func CheckTopic(t string) error {
	if err := topic.Check(t); err != nil {
		return err
	}
	switch {
	case len(t) > maxTopic:
		return fmt.Errorf("a topic of %d bytes: at most %d are taken", len(t), maxTopic)
	case strings.Count(t, "/") > maxSlashes:
		return fmt.Errorf("a topic with %d slashes: brokers take %d", strings.Count(t, "/"), maxSlashes)
	case t[0] == '$':
		return errors.New("a topic that begins with $: those are the broker's own")
	}
	return nil
}

// CheckPayload returns why a text is no payload for telemetry.
func CheckPayload(text []byte) error {
	if len(text) > MaxPayload {
		return fmt.Errorf("a payload of %d bytes: at most %d are taken", len(text), MaxPayload)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	depth, first := 0, true
	for {
		t, err := decoder.Token()
		switch {
		case first && t != json.Delim('{'):
			return errors.New(`a payload that is no JSON object: give one such as {"temp": 31}`)
		case err != nil:
			return fmt.Errorf("a payload that is no JSON object: %w", err)
		}
		first = false
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		switch {
		case depth > MaxDepth:
			return fmt.Errorf("a payload with more than %d objects in each other", MaxDepth)
		case depth == 0 && len(bytes.TrimSpace(text[decoder.InputOffset():])) > 0:
			return errors.New("a payload with more behind its object")
		case depth == 0:
			return nil
		}
	}
}
