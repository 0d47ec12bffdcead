package homeassistant_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// testdata/schema.json holds a message to the source of Home Assistant, and is stricter in one
// thing: a key that a component does not have is dropped in silence there, and an error here. It
// is made by testdata/schema.py, which names the places; testdata/example.json is a message
// that people have written by hand.

// rules are the schema and the abbreviations of keys (homeassistant/components/mqtt/abbreviations.py).
type rules struct {
	schema              *jsonschema.Resolved
	top, device, origin map[string]string
}

func newRules(t *testing.T) *rules {
	t.Helper()
	var s jsonschema.Schema
	decode(t, read(t, "testdata/schema.json"), &s)
	r := &rules{}
	var err error
	if r.schema, err = s.Resolve(nil); err != nil {
		t.Fatal(err)
	}
	short := map[string]map[string]string{}
	decode(t, read(t, "testdata/abbreviations.json"), &short)
	r.top, r.device, r.origin = short["top"], short["device"], short["origin"]
	return r
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
}

// check returns why Home Assistant would refuse a message, or drop a key of it.
func (r *rules) check(message map[string]any) error {
	full := long(message, r.top)
	for key, short := range map[string]map[string]string{"device": r.device, "origin": r.origin} {
		if inner, ok := full[key].(map[string]any); ok {
			full[key] = long(inner, short)
		}
	}
	r.availability(full)
	components, _ := full["components"].(map[string]any)
	expanded := map[string]any{}
	triggers := map[string]string{}
	for id, v := range components {
		c, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("component %s is no object", id)
		}
		c = long(c, r.top)
		r.availability(c)
		expanded[id] = c
		if kind, ok := c["type"]; ok { // mqtt/device_trigger.py, MqttDeviceTrigger.trigger_id
			name := fmt.Sprint(kind, " of ", c["subtype"])
			if other, again := triggers[name]; again {
				return fmt.Errorf("%s and %s are both the trigger %s", id, other, name)
			}
			triggers[name] = id
		}
	}
	full["components"] = expanded
	return r.schema.Validate(full)
}

func (r *rules) availability(of map[string]any) {
	if list, ok := of["availability"].([]any); ok {
		list = slices.Clone(list)
		for i := range list {
			if one, ok := list[i].(map[string]any); ok {
				list[i] = long(one, r.top)
			}
		}
		of["availability"] = list
	}
}

// long returns an object with its keys in full, as _replace_abbreviations of mqtt/discovery.py.
func long(short map[string]any, names map[string]string) map[string]any {
	full := map[string]any{}
	for key, v := range short {
		if name, ok := names[key]; ok {
			key = name
		}
		full[key] = v
	}
	return full
}

// The schema takes a message that is known to be right.
func TestSchemaTakesTheExample(t *testing.T) {
	var example map[string]any
	decode(t, read(t, "testdata/example.json"), &example)
	if err := newRules(t).check(example); err != nil {
		t.Error(err)
	}
}
