package things

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"pithings/device"
	"pithings/mqttlink/topic"
)

// Model describes a kind of thing as it appears at a broker, so that flows can
// use it: a thing of ours, another maker's board, or an ESPHome device. Topics
// are templates, in which {thing} stands for the thing's name.
type Model struct {
	Events  map[string]Event
	Actions map[string]Action
}

// Event is a message that the thing publishes.
type Event struct {
	Topic string
	// Read takes a payload apart, or says why it is no event.
	Read Reader
	// TimeKey is the key that gives when the event happened, if it is there; see
	// EventTime. "" stands for DefaultTimeKey.
	TimeKey string
}

// Action is a message to the thing, and one back or none.
type Action struct {
	Topic string
	// Retain has the broker keep the message, which then does not expire.
	Retain bool
	// Request makes the message of what a step gives.
	Request func(input map[string]any) ([]byte, error)
	// Answer is the topic of the answer; "" means that there is none: the action is
	// done when its message is published.
	Answer string
	Read   Reader
	// Token is the key under which a message may carry a token. Echoes says that the
	// thing puts it into its answer, so that an answer without it, or with another,
	// is another client's.
	Token  string
	Echoes bool
	// Unique says that no two answers are the same, so that one which comes again
	// was redelivered.
	Unique bool
}

// Reader takes a received payload apart. Nothing in it can be trusted; the message
// of an error holds none of its bytes.
type Reader func(payload []byte) (map[string]any, error)

// WireOf returns how the messages of a thing are written and read whose payloads are JSON
// as its model says.
func WireOf(m device.Model) Model {
	out := Model{make(map[string]Event, len(m.Events)), make(map[string]Action, len(m.Actions))}
	for name, e := range m.Events {
		out.Events[name] = Event{Topic: e.Topic, Read: readerOf(e.Payload), TimeKey: e.Time}
	}
	for name, a := range m.Actions {
		out.Actions[name] = Action{Topic: a.Topic, Request: WriteObject, Answer: a.Answer, Read: readerOf(a.Result),
			Token: a.Token, Echoes: a.Token != "", Retain: a.Retain}
	}
	return out
}

func readerOf(p device.Payload) Reader {
	if p.Bare != "" {
		return ReadBare(string(p.Bare))
	}
	keys := make(map[string]string, len(p.Keys))
	for name, kind := range p.Keys {
		keys[name] = string(kind)
	}
	return ReadObject(keys)
}

// expand fills a thing's name into the topics.
func (m Model) expand(thing string) Model {
	fill := func(template string) string { return topic.Expand(template, thing) }
	out := Model{make(map[string]Event, len(m.Events)), make(map[string]Action, len(m.Actions))}
	for name, e := range m.Events {
		e.Topic = fill(e.Topic)
		out.Events[name] = e
	}
	for name, a := range m.Actions {
		a.Topic, a.Answer = fill(a.Topic), fill(a.Answer)
		out.Actions[name] = a
	}
	return out
}

// EventTopic returns the topic of an event of a thing, and whether there is one.
func (m Model) EventTopic(thing, event string) (string, bool) {
	e, ok := device.Named(m.Events, event)
	return topic.Expand(e.Topic, thing), ok
}

// ReadObject reads JSON objects that have keys of those types: any, string,
// boolean, integer, number, object. Other keys are passed on as they are.
func ReadObject(keys map[string]string) Reader {
	names := slices.Sorted(maps.Keys(keys))
	return func(payload []byte) (map[string]any, error) {
		var values map[string]any
		if err := decode(payload, &values); err != nil {
			return nil, err
		}
		for _, name := range names {
			v, ok := values[name]
			if !ok {
				return nil, fmt.Errorf("it has no %s", name)
			}
			if !isA(v, keys[name]) {
				return nil, fmt.Errorf("its %s is no %s", name, keys[name])
			}
		}
		return values, nil
	}
}

// ReadBare reads payloads that are one JSON value, which gets the key "value". An
// object has keys of its own and is passed on as it is: a property of the type Json
// may be either. Text that is no JSON is a string, if a string or anything is wanted.
func ReadBare(kind string) Reader {
	return func(payload []byte) (map[string]any, error) {
		if len(payload) > maxPayload {
			return nil, fmt.Errorf("payload of %d bytes is longer than %d", len(payload), maxPayload)
		}
		var v any
		err := json.Unmarshal(payload, &v)
		if object, ok := v.(map[string]any); ok && isA(v, kind) {
			return object, nil
		}
		if err == nil && isA(v, kind) {
			return map[string]any{"value": v}, nil
		}
		if kind == "string" || err != nil && kind == "any" {
			return map[string]any{"value": strings.ToValidUTF8(string(payload), "�")}, nil
		}
		return nil, fmt.Errorf("it is no %s", kind)
	}
}

// isA reports whether a value of JSON is of a type.
func isA(v any, kind string) bool {
	switch kind {
	case "string":
		_, ok := v.(string)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "integer":
		f, ok := v.(float64)
		return ok && f == math.Trunc(f)
	case "number":
		_, ok := v.(float64)
		return ok
	case "object":
		_, ok := v.(map[string]any)
		return ok
	}
	return true
}

// WriteObject makes a message of values as they are.
func WriteObject(values map[string]any) ([]byte, error) {
	if values == nil {
		return []byte("{}"), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // & stays & in a URL, for those who read along
	if err := e.Encode(values); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// DefaultTimeKey is the key under which events tell their time.
const DefaultTimeKey = "time"

// EventTime returns when an event happened: an RFC 3339 text or a number under
// that key, Unix seconds, or milliseconds if it is beyond the year 5138. It is zero
// if the event has no such key. A board that never learnt the time sends a null for
// what happened before its restart. That, and a value that cannot be read, is taken for
// very old.
func EventTime(values map[string]any, key string) time.Time {
	if key == "" {
		key = DefaultTimeKey
	}
	v, there := values[key]
	if !there {
		return time.Time{}
	}
	old := time.Unix(0, 0)
	switch v := v.(type) {
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t
		}
	case float64:
		const milliseconds = 1e11
		switch {
		case math.Abs(v) < milliseconds:
			return time.UnixMicro(int64(v * 1e6))
		case math.Abs(v) < milliseconds*1000:
			return time.UnixMilli(int64(v))
		}
	}
	return old
}

// withToken adds a token to a message that is a JSON object.
func withToken(message []byte, key, token string) ([]byte, error) {
	trimmed := bytes.TrimSpace(message)
	if !bytes.HasPrefix(trimmed, []byte("{")) || !bytes.HasSuffix(trimmed, []byte("}")) {
		return nil, errors.New("a message that carries a token has to be a JSON object")
	}
	o := new(object)
	if inner := bytes.TrimSpace(trimmed[1 : len(trimmed)-1]); len(inner) > 0 {
		o = newObject(trimmed)
	}
	return o.string(key, token).bytes(), nil
}
