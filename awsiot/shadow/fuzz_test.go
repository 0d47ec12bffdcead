package shadow

import (
	"testing"
	"time"
)

// A topic that is taken is one that a shadow of the thing has.
func FuzzTopic(f *testing.F) {
	for _, s := range []string{"$aws/things/pi/shadow/get/accepted", "$aws/things/pi/shadow/name/lamp/update/delta", "$aws/things/pi/shadow/name/+/get/accepted"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		if name, op, ok := parseTopic("pi", topic); ok && (Topic("pi", name, op) != topic || name != "" && !shadowName.MatchString(name)) {
			t.Errorf("%q: %q, %q", topic, name, op)
		}
	})
}

// Whatever the cloud or another client sends, the machine stays able to work: the next document
// brings it into step.
func FuzzReceive(f *testing.F) {
	for _, s := range []struct {
		op   string
		text string
	}{
		{"get/accepted", `{"state":{"desired":{"a":1},"reported":{"b":[1,{}]}},"version":3,"clientToken":"s-1"}`},
		{"get/rejected", `{"code":404,"message":"No shadow exists with name: 'x'","timestamp":1,"clientToken":"s-1"}`},
		{"update/accepted", `{"state":{"desired":null,"reported":{"a":{"b":null}}},"version":6}`},
		{"update/delta", `{"state":{"a":{"b":1e999}},"version":6}`},
		{"update/delta", `{"state":{"a":1},"version":9223372036854775807}`},
		{"update/rejected", `{"code":409,"clientToken":"s-2"}`},
	} {
		f.Add(s.op, []byte(s.text), []byte(s.text))
	}
	f.Fuzz(func(t *testing.T, op string, first, second []byte) {
		now := time.Unix(1e9, 0)
		m := NewMachine(Config{Session: "s"})
		if err := m.Report(map[string]any{"a": 1}); err != nil {
			t.Fatal(err)
		}
		m.Online(now)
		m.Next(now)
		for _, payload := range [][]byte{first, second} {
			_ = m.Receive(now, Op(op), payload)
			for _, op := range answers {
				_ = m.Receive(now, op, payload)
				if r := m.Next(now); r != nil && len(r.Payload) > MaxDocument+200 {
					t.Fatalf("a request of %d bytes", len(r.Payload))
				}
			}
			m.Take()
			m.Status()
		}
		m.Online(now)
		for m.Next(now) == nil {
			now = m.Wake()
		}
		doc := `{"state":{"reported":{"a":1}},"version":1,"clientToken":"` + m.flight.token + `"}`
		if err := m.Receive(now, GetAccepted, []byte(doc)); err != nil || m.Status().State != InStep {
			t.Fatalf("%+v, %v", m.Status(), err)
		}
	})
}
