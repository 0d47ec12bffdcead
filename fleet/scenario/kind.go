package scenario

import (
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"

	"pithings/conf"
	"pithings/conf/suggest"
)

// Kind is what goes wrong.
type Kind uint8

// The kinds of faults: first those of a device's session, then those of its messages.
const (
	None       Kind = iota
	Break           // the connection ends without a goodbye
	Reconnect       // the session ends with a goodbye, and another one begins
	Restart         // as Break, and the device has forgotten all
	Leave           // the session ends with a goodbye, and the device stays away
	BadLogin        // the device connects with a wrong user name and password
	Expire          // the device's certificate ends
	Malformed       // payloads that are no JSON
	Oversize        // payloads that are too large
	WrongTopic      // a topic that is not the device's
	Stuck           // the same value again and again
	Silent          // no telemetry
	Flood           // far too many messages
)

// kinds has the name of each kind, and its meaning.
var kinds = [...]struct{ name, about string }{
	None:       {"", ""},
	Break:      {"break", "the connection ends without a goodbye: the broker publishes the will. The device connects again after a second, in its turn"},
	Reconnect:  {"reconnect", "the session ends with a goodbye, and the device connects again after a second, in its turn"},
	Restart:    {"restart", "as break; and the device has forgotten all: it sends its start event once more, and its temperature begins at 30"},
	Leave:      {"leave", "the session ends with a goodbye, and the device stays away"},
	BadLogin:   {"bad-login", "the connection ends, and the device tries to log in with a wrong user name and password"},
	Expire:     {"expire", "the certificate ends, the connection breaks, and the device tries to come back with it; behind \"for\" it has a new one (needs --identities)"},
	Malformed:  {"malformed", "telemetry that is no JSON: cut off before its end"},
	Oversize:   {"oversize", "telemetry of \"size\" bytes"},
	WrongTopic: {"wrong-topic", "{\"auth\":\"error\"} to the topic invalid-topic-for-error instead of telemetry, as the playground's action autherr"},
	Stuck:      {"stuck", "the same temperature again and again"},
	Silent:     {"silent", "no telemetry, in a session that is alive"},
	Flood:      {"flood", "telemetry at \"rate\" instead of the interval"},
}

// Kinds returns the kinds of faults.
func Kinds() (all []Kind) {
	for k := Break; k <= Flood; k++ {
		all = append(all, k)
	}
	return all
}

// String returns the kind's name.
func (k Kind) String() string { return kinds[k].name }

// About says what a device does.
func (k Kind) About() string { return kinds[k].about }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(text []byte) error {
	var names []string
	for _, one := range Kinds() {
		if one.String() == string(text) {
			*k = one
			return nil
		}
		names = append(names, one.String())
	}
	return fmt.Errorf("there is no fault %s%s", conf.Quote(string(text)), suggest.From(string(text), names))
}

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Schema implements conf.Schemer.
func (Kind) Schema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, k := range Kinds() {
		s.Enum = append(s.Enum, k.String())
	}
	return s
}

// session reports whether a kind ends the session.
func (k Kind) session() bool { return k >= Break && k <= Expire }

// pulse reports whether a kind is of a moment, and can be done again and again.
func (k Kind) pulse() bool { return k >= Break && k <= Restart }
