package command

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"pithings/conf/suggest"
	"pithings/device"
	"pithings/mqttlink/topic"
	"pithings/quietlog"
)

// The bounds of a request.
const (
	MaxRequest = 32 << 10 // bytes
	MaxDepth   = 16       // objects and lists in each other
	MaxSession = 128      // bytes of a session id
	MaxType    = 256      // bytes of a type
)

// The bounds of a response topic: those of AWS IoT Core.
const (
	maxReplyBytes   = 256
	maxReplySlashes = 7
)

// ownPrefix is where all response topics may lie.
const ownPrefix = "cmd/"

// requests matches the request topics of all devices. No answer goes there: the other
// device would take it for a request, and its own answer could come back for ever.
const requests = "cmd/ac/+/req"

// RequestTopic is where a device takes its requests.
func RequestTopic(device string) string { return "cmd/ac/" + device + "/req" }

// request is a request that can be answered.
type request struct {
	session string
	reply   string // topic of the answer
	kind    string // the type
	params  device.Values
	sum     sum
}

// sum is what makes two requests the same: their type and parameters.
type sum [16]byte

// requestKeys are the keys of a request.
var requestKeys = []string{"type", "session-id", "response-topic", "params"}

// errUnanswerable is of a request that names no place for an answer.
var errUnanswerable = errors.New("command cannot be answered")

func unanswerable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errUnanswerable, fmt.Errorf(format, args...))
}

// parse reads a request. An error that is no errUnanswerable is a *Fault, and r can be
// answered with it.
func parse(payload []byte, prefixes []string) (r request, err error) {
	if len(payload) > MaxRequest {
		return r, unanswerable("it has %d bytes; at most %d are read", len(payload), MaxRequest)
	}
	if !utf8.Valid(payload) {
		return r, unanswerable("it is not UTF-8")
	}
	if deeper(payload, MaxDepth) {
		return r, unanswerable("objects and lists are more than %d deep", MaxDepth)
	}
	var keys map[string]json.RawMessage
	if err := decode(payload, &keys); err != nil {
		return r, unanswerable("it is not an object of JSON: %w", err)
	}
	if err := text(keys, "session-id", &r.session); err != nil {
		return r, unanswerable("%w", err)
	}
	if err := checkSession(r.session); err != nil {
		return r, unanswerable("session-id: %w", err)
	}
	if err := text(keys, "response-topic", &r.reply); err != nil {
		return r, unanswerable("%w", err)
	}
	if err := checkReply(r.reply, prefixes); err != nil {
		return r, unanswerable("response-topic: %w", err)
	}
	return r, r.rest(keys)
}

// rest reads what may be wrong in a request that can be answered.
func (r *request) rest(keys map[string]json.RawMessage) error {
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(requestKeys, key) {
			return fault(InvalidRequest, "there is no key %q in a request%s; the keys are %s", quietlog.Short(key), suggest.From(key, requestKeys), strings.Join(requestKeys, ", "))
		}
	}
	if err := text(keys, "type", &r.kind); err != nil {
		return fault(InvalidRequest, "%w", err)
	}
	if r.kind == "" || len(r.kind) > MaxType {
		return fault(InvalidRequest, "type has %d bytes; give 1 to %d", len(r.kind), MaxType)
	}
	r.params = device.Values{}
	if p := keys["params"]; len(p) > 0 && !bytes.Equal(p, []byte("null")) {
		if p[0] != '{' {
			return fault(InvalidRequest, "params is no object of JSON")
		}
		if err := json.Unmarshal(p, &r.params); err != nil {
			return fault(InvalidRequest, "params: %w", err) // such as 1e999
		}
	}
	same, err := json.Marshal([]any{r.kind, r.params}) // keys of objects in order
	if err != nil {
		return fault(InvalidRequest, "params: %w", err)
	}
	all := sha256.Sum256(same)
	r.sum = sum(all[:len(r.sum)])
	return nil
}

// decode reads one JSON value and nothing behind it.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more behind the first value")
	}
	return nil
}

// text reads the text of a key.
func text(keys map[string]json.RawMessage, key string, to *string) error {
	raw, given := keys[key]
	if !given {
		return fmt.Errorf("it has no %s", key)
	}
	if len(raw) == 0 || raw[0] != '"' {
		return fmt.Errorf("%s is no text", key)
	}
	return json.Unmarshal(raw, to)
}

// deeper reports whether objects and lists are more than so many in each other, in what may
// be JSON.
func deeper(b []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// checkSession says why a text is no session id, or returns nil. It is written to a log and
// to a file, so it is bounded and has no control characters.
func checkSession(id string) error {
	if len(id) > MaxSession {
		return fmt.Errorf("it has %d bytes; at most %d are taken", len(id), MaxSession)
	}
	return topic.CheckString(id)
}

// CheckResponse says why the answer to something that came from afar may not be published to a
// topic, or returns nil: it lies below cmd/ or one of the prefixes, and no thing takes commands
// there.
func CheckResponse(name string, prefixes []string, things []Thing) error {
	err := checkReply(name, prefixes)
	if err == nil && listens(things, name) {
		err = fmt.Errorf("%s is where a thing takes commands", name)
	}
	if err != nil {
		return fmt.Errorf("response-topic: %w", err)
	}
	return nil
}

// checkReply says why no answer may be published to a topic, or returns nil.
func checkReply(name string, prefixes []string) error {
	if err := topic.Check(name); err != nil {
		return err
	}
	switch slashes := strings.Count(name, "/"); {
	case name[0] == '$':
		return fmt.Errorf("%s begins with $: brokers keep these topics for themselves", quietlog.Short(name))
	case len(name) > maxReplyBytes:
		return fmt.Errorf("it has %d bytes; at most %d are taken", len(name), maxReplyBytes)
	case slashes > maxReplySlashes:
		return fmt.Errorf("it has %d slashes; at most %d are taken", slashes, maxReplySlashes)
	case topic.Match(requests, name):
		return fmt.Errorf("%s is where a device takes requests", quietlog.Short(name))
	}
	begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) && len(name) > len(prefix) }
	if !begins(ownPrefix) && !slices.ContainsFunc(prefixes, begins) {
		return fmt.Errorf("%s lies neither below cmd/ nor below one of reply_prefixes", quietlog.Short(name))
	}
	return nil
}
