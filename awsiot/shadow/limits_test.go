package shadow

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/internal/jsonvalue"
)

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	v := map[string]any{}
	if err := jsonvalue.Decode([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// What a shadow cannot hold is refused when it is reported, by the name of what is wrong, and
// the rest is still reported.
func TestReportRefuses(t *testing.T) {
	long := strings.Repeat("x", 9000)
	for _, c := range []struct{ name, values, why string }{
		{"large", `{"small":1,"log":"` + long + `"}`, "reported.log is the largest, with 9008"},
		{"deep", `{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}`, `"a" has values 6 keys deep, at most 5`},
		{"null in an array", `{"a":{"b":[1,null]}}`, `"a" has null in an array`},
		{"no name", `{"":1}`, "a key is empty"},
	} {
		m := NewMachine(Config{})
		if err := m.Report(object(t, c.values)); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(m.want) != 0 {
			t.Errorf("%s: %v is kept", c.name, m.want)
		}
	}
	m := NewMachine(Config{})
	if err := m.Report(map[string]any{"c": make(chan int)}); err == nil {
		t.Error("a channel was reported")
	}
	if err := m.Report(object(t, `{"a":{"b":{"c":{"d":{"e":[{"f":1}]}}}}}`)); err == nil {
		t.Error("an object in an array is not counted")
	}
	if err := m.Report(object(t, `{"a":{"b":{"c":{"d":{"e":[1,2]}}}}}`)); err != nil {
		t.Error(err)
	}
}

// A document that only desired makes too large is not sent, and the part that does is named.
func TestTooLargeWithDesired(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := NewMachine(Config{Session: "s"})
	m.Online(now)
	m.Next(now)
	doc := `{"state":{"desired":{"text":"` + strings.Repeat("x", 5000) + `"}},"version":1,"clientToken":"s-1"}`
	if err := m.Receive(now, GetAccepted, []byte(doc)); err != nil {
		t.Fatal(err)
	}
	if err := m.Report(map[string]any{"log": strings.Repeat("y", 4000)}); err != nil {
		t.Fatal(err)
	}
	if r := m.Next(now); r != nil {
		t.Errorf("sent: %s", r.Payload)
	}
	if p := m.Status().Problem; !strings.Contains(p, "desired.text is the largest, with 5009: make it smaller") {
		t.Error(p)
	}
	if err := m.Report(map[string]any{"log": "short"}); err != nil {
		t.Fatal(err)
	}
	if r := m.Next(now); r == nil || m.Status().State != Behind {
		t.Error("what fits is not sent")
	}
}

// Numbers stay as they are, and equal ones are not sent again.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{{"1", "1.0", true}, {"100", "1e2", true}, {"0", "-0", true}, {"9007199254740993", "9007199254740992", false}, {"1", "2", false}, {"0.1", "0.10", true}, {"1", `"1"`, false}, {"[1]", "[1.0]", true}, {"[1]", "1", false}, {"1", "[1]", false}, {`[{"a":1}]`, `[{"a":1,"b":2}]`, false}} {
		a, b := object(t, `{"v":`+c.a+`}`), object(t, `{"v":`+c.b+`}`)
		if got := diff(a, b) == nil; got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
	m := NewMachine(Config{Session: "s"})
	if err := m.Report(map[string]any{"n": json.Number("12345678901234567890"), "m": int64(1) << 60}); err != nil {
		t.Fatal(err)
	}
	if got := string(jsonvalue.Encode(m.patch())); got != `{"m":1152921504606846976,"n":12345678901234567890}` {
		t.Error(got)
	}
}

// Reasons for a rejection are bounded, however many keys are desired.
func TestReasonsAreBounded(t *testing.T) {
	rejected := map[string]string{}
	for i := range 500 {
		rejected[strings.Repeat("k", 200)+string(rune('a'+i%26))+string(rune('a'+i/26))] = strings.Repeat("why\n", 500)
	}
	m := NewMachine(Config{Session: "s"})
	if err := m.Applied(Outcome{Rejected: rejected}); err != nil {
		t.Fatal(err)
	}
	if n := len(jsonvalue.Encode(m.patch())); n > MaxDocument/2 {
		t.Errorf("%d bytes", n)
	}
	short := map[string]string{}
	for i := range 20 {
		short[string(rune('a'+i))] = "why"
	}
	if err := m.Applied(Outcome{Rejected: short}); err != nil {
		t.Fatal(err)
	}
	if got := string(jsonvalue.Encode(m.patch())); !strings.Contains(got, `"…":"and 4 more"`) {
		t.Error(got)
	}
}

// A connection that ends upon the first request, as when a policy forbids it, is left alone for
// longer each time, because other features are on it.
func TestLeavesAConnectionAlone(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := NewMachine(Config{Session: "s"})
	var waits []time.Duration
	for range 12 {
		began := now
		m.Online(now)
		for m.Next(now) == nil {
			now = m.Wake()
		}
		waits = append(waits, now.Sub(began))
		now = now.Add(time.Second)
		m.Offline(now)
	}
	for i, want := range []time.Duration{0, 0, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
		if waits[i] != want {
			t.Errorf("%v", waits)
			break
		}
	}
	if waits[11] != time.Hour {
		t.Errorf("%v", waits)
	}
	slow := NewMachine(Config{Session: "s"}) // a network that fades away is no such connection
	for range 5 {
		slow.Online(now)
		if slow.Next(now) == nil {
			t.Error("the first get waits")
		}
		now = now.Add(30 * time.Second)
		slow.Offline(now)
	}
}

// What cannot be published is tried again later.
func TestFailed(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := NewMachine(Config{Session: "s"})
	m.Online(now)
	m.Next(now)
	m.Failed(now, errors.New("no room"))
	if m.Next(now) != nil || m.Status().Problem == "" || m.Wake() != now.Add(pauseTime) {
		t.Errorf("%+v, %s", m.Status(), m.Wake())
	}
	if m.Next(now.Add(pauseTime)) == nil {
		t.Error("not tried again")
	}
}

func TestNamesAreChecked(t *testing.T) {
	for _, o := range []Options{
		{Thing: ""}, {Thing: "pi/+"}, {Thing: strings.Repeat("x", 129)},
		{Thing: "pi", Shadows: []Shadow{{Name: "a/b"}}}, {Thing: "pi", Shadows: []Shadow{{Name: strings.Repeat("x", 65)}}},
		{Thing: "pi", Shadows: []Shadow{{Name: "a"}, {Name: "a"}}}, {Thing: "pi", Shadows: make([]Shadow, 101)},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%.80v is accepted", o)
		}
	}
}

func TestTopics(t *testing.T) {
	for _, c := range []struct {
		topic, name string
		op          Op
		ok          bool
	}{
		{"$aws/things/pi/shadow/get/accepted", "", GetAccepted, true},
		{"$aws/things/pi/shadow/update/delta", "", UpdateDelta, true},
		{"$aws/things/pi/shadow/name/lamp/update/rejected", "lamp", UpdateRejected, true},
		{"$aws/things/pi/shadow/update/documents", "", "", false},
		{"$aws/things/pi2/shadow/get/accepted", "", "", false},
		{"$aws/things/pi/shadow/name/get/accepted", "", "", false},
		{"$aws/things/pi/shadow/name//get/accepted", "", "", false},
		{"$aws/things/pi/shadow/name/a/b/get/accepted", "", "", false},
	} {
		if name, op, ok := parseTopic("pi", c.topic); ok != c.ok || name != c.name || op != c.op {
			t.Errorf("%s: %q %q %v", c.topic, name, op, ok)
		}
	}
	if n := len(filters("pi", []string{"", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"})); n != 10 {
		t.Errorf("%d filters", n)
	}
	if got := filters("pi", []string{"lamp"}); len(got) != 5 || got[0] != "$aws/things/pi/shadow/name/lamp/get/accepted" {
		t.Error(got)
	}
}
