package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pithings/history"
)

// noted writes what a store is given as text: seconds since the test's beginning, and the value.
type noted struct{ lines []string }

func (n *noted) second(t time.Time) float64 { return t.Sub(time.Unix(1000, 0)).Seconds() }

func (n *noted) Put(_ history.Key, _ int, at time.Time, v float64) {
	n.lines = append(n.lines, fmt.Sprintf("%g=%g", n.second(at), v))
}

func (n *noted) Hold(_ history.Key, _ int, from, until time.Time, v float64) {
	n.lines = append(n.lines, fmt.Sprintf("%g-%g=%g", n.second(from), n.second(until), v))
}

// What is on or off is noted for all of the time in which that is known, and for no other.
func TestHeldStates(t *testing.T) {
	k := history.Key{Thing: "relay", Quantity: "state"}
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	for name, tc := range map[string]struct {
		do   func(h *held)
		want string
	}{
		"a switch": {func(h *held) {
			h.happened(k, at(5), false, false)
			h.happened(k, at(20), true, false)
			h.fill(at(60))
			h.fill(at(60))
			h.fill(at(120))
		}, "5=0 6-20=0 20=1 21-60=1 60-120=1"},
		"twice in a second": {func(h *held) {
			h.happened(k, at(5), false, false)
			h.happened(k, at(9.2), true, false)
			h.happened(k, at(9.7), false, false)
			h.fill(at(12))
		}, "5=0 6-9.2=0 9.2=1 9.7=0 10.7-12=0"},
		"before an event": {func(h *held) {
			h.works("relay", true, nil, at(1))
			h.fill(at(60))
		}, ""},
		"a part that ceases to work": {func(h *held) {
			h.happened(k, at(1), true, false)
			h.works("relay", false, nil, at(2)) // it has its state before it works
			h.works("relay", true, nil, at(3))
			h.works("other", false, nil, at(4))
			h.works("relay", false, nil, at(10))
			h.works("relay", false, nil, at(11))
			h.fill(at(60))
			h.happened(k, at(70), true, false)
			h.works("relay", true, nil, at(71))
			h.fill(at(80))
		}, "1=1 2-10=1 70=1 71-80=1"},
		"one that rests": {func(h *held) {
			h.works("relay", true, []history.Key{k}, at(10))
			h.works("relay", true, []history.Key{k}, at(20))
			h.happened(k, at(30), true, false)
			h.works("relay", true, []history.Key{k}, at(40))
			h.fill(at(50))
		}, "10-30=0 30=1 31-50=1"},
		"one that is over after a while": {func(h *held) {
			h.works("relay", true, []history.Key{k}, at(10))
			h.happened(k, at(30), true, true)
			h.fill(at(50))
		}, "10-30=0 30=1 31-50=0"},
		"one that leaves": {func(h *held) {
			h.happened(k, at(1), true, false)
			h.only(func(thing string) bool { return thing != "relay" })
			h.fill(at(50))
		}, "1=1"},
	} {
		n := &noted{}
		tc.do(&held{store: n})
		if got := strings.Join(n.lines, " "); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestSwitchedOn(t *testing.T) {
	two := func() []string { return []string{"off", "on"} }
	none := func() []string { return nil }
	for _, tc := range []struct {
		v      any
		texts  func() []string
		on, ok bool
	}{
		{true, none, true, true}, {false, none, false, true}, {"on", two, true, true}, {"off", two, false, true},
		{"open", two, false, false}, {"on", none, false, false}, {nil, two, false, false}, {1.0, two, false, false},
		{"b", func() []string { return []string{"a", "b", "c"} }, false, false},
	} {
		if on, ok := switchedOn(tc.v, tc.texts); on != tc.on || ok != tc.ok {
			t.Errorf("%v: %v, %v", tc.v, on, ok)
		}
	}
}

// The history of outputs and motion is kept, with the share of the time on, and begins when their
// parts work.
func TestHistoryOfStates(t *testing.T) {
	s := serveThings(t, "things: [{name: relay, type: output, pin: GPIO27}, {name: pir, type: motion, pin: GPIO17, warm_up: 0s}]\nhistory: {enabled: true}\n")
	s.up(t)
	if status, text := s.answer(t, "act", "POST", "/api/v1/things/relay/actions/set", `{"state": "on"}`, nil); status != 200 {
		t.Fatal(text)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // a second of it has to pass
		var relay, pir history.Answer
		one, _ := s.answer(t, "look", "GET", "/api/v1/history/relay/state?from=10m&points=1", "", &relay)
		two, _ := s.answer(t, "look", "GET", "/api/v1/history/pir/motion?from=10m&points=1", "", &pir)
		if one == 200 && two == 200 && len(relay.Mean) > 0 && len(pir.Mean) > 0 && *relay.Max[0] == 1 && *relay.Mean[0] > 0 {
			if *pir.Mean[0] != 0 {
				t.Errorf("motion: %v", *pir.Mean[0])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("relay %d %+v, motion %d %+v", one, relay, two, pir)
		}
	}
}
