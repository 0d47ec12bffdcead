package rehearsal

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/provision/authority"
	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/playground"
	"pithings/fleet/scenario"
	"pithings/mqttlink/packet"
)

func planned(t *testing.T, text string) *scenario.Plan {
	t.Helper()
	s, err := scenario.Parse("s.yaml", []byte("name: x\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := scenario.NewPlan(s, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wire is a device's way out.
type wire struct {
	now  time.Duration
	free int
	sent []string
	did  string
}

func (w *wire) Publish(m packet.Message) {
	w.sent = append(w.sent, fmt.Sprintf("%v %s", w.now, m.Topic))
}
func (w *wire) Free() int  { return w.free }
func (w *wire) Reconnect() { w.did += " reconnect" }
func (w *wire) Break()     { w.did += " break" }
func (w *wire) Leave()     { w.did += " leave" }
func (w *wire) Join()      { w.did += " join" }

// telemetry runs a device to a time, and counts what it sends meanwhile.
func (w *wire) telemetry(a engine.Client, end time.Duration) int {
	before := len(w.sent)
	for at := a.Wake(); at >= 0 && at <= end; at = a.Wake() {
		w.now = max(w.now, at)
		a.Tick(w.now, w)
		w.now += 10 * time.Millisecond // a step of the engine
	}
	w.now = max(w.now, end)
	return len(w.sent) - before
}

func follower(t *testing.T, text string) (*Rehearsal, engine.Client) {
	t.Helper()
	r, err := New(planned(t, text), Options{Devices: 10})
	if err != nil {
		t.Fatal(err)
	}
	set := &playground.Settings{Interval: time.Second, QoS: 1}
	return r, r.Client(playground.New(set, playground.Device{Name: "d", Kind: playground.Telemetry, Driven: true}), 0)
}

// A device that was without a session catches up at twice its pace, and then keeps the pace again.
func TestCatchUp(t *testing.T) {
	_, a := follower(t, "interval: 1s\nphases: [{name: a}]")
	w := &wire{free: engine.Window}
	a.Online(0, w)
	if n := w.telemetry(a, 10*time.Second); n < 9 || n > 11 {
		t.Fatalf("%d messages in 10 s", n)
	}
	a.Offline(w.now)
	w.now = 30 * time.Second // 20 messages later
	a.Online(w.now, w)
	if n := w.telemetry(a, 40*time.Second); n < 17 || n > 22 {
		t.Errorf("%d messages in 10 s while it catches up, want about 20", n)
	}
	if n := w.telemetry(a, 60*time.Second); n < 28 || n > 32 {
		t.Errorf("%d messages in the 20 s behind them, want about 30: the rest of those that were late, and 20", n)
	}
	if n := w.telemetry(a, 70*time.Second); n < 9 || n > 11 {
		t.Errorf("%d messages in 10 s", n)
	}
}

// A message that the engine would drop waits, and is not lost.
func TestFullWindow(t *testing.T) {
	_, a := follower(t, "interval: 100ms\nphases: [{name: a}]")
	w := &wire{free: engine.Window}
	a.Online(0, w)
	w.telemetry(a, time.Second)
	before := len(w.sent)
	w.free = 0
	if n := w.telemetry(a, 2*time.Second); n != 0 {
		t.Fatalf("%d messages into a full window", n)
	}
	w.free = 1
	if n := w.telemetry(a, 3*time.Second); n < 18 {
		t.Errorf("%d messages when there is room again, want about 20; %d before", n, before)
	}
}

// What becomes of a session.
func TestBecome(t *testing.T) {
	const away, wrong, expired = scenario.Away, scenario.Wrong, scenario.Expired
	for _, tc := range []struct {
		name  string
		was   scenario.State
		is    scenario.State
		pulse scenario.Kind
		did   string
		join  bool
	}{
		{"leaves", 0, away, 0, " leave", false},
		{"comes", away, 0, 0, "", true},
		{"breaks", 0, 0, scenario.Break, " break", false},
		{"restarts", 0, 0, scenario.Restart, " break", false},
		{"connects anew", 0, 0, scenario.Reconnect, " reconnect", false},
		{"breaks while away", away, away, scenario.Break, " leave", false},
		{"forgets its password", 0, wrong, 0, " break", false},
		{"has it again", wrong, 0, 0, " leave", true},
		{"expires", 0, expired, 0, " break", false},
		{"is renewed", expired, 0, 0, " leave", true},
		{"is renewed while away", expired | away, away, 0, " leave", false},
		{"comes with a certificate that has ended", away, expired, 0, "", true},
	} {
		a := &actor{state: tc.was, online: true}
		w := &wire{}
		if join := a.become(tc.is, tc.pulse, w); join != tc.join || w.did != tc.did || a.state != tc.is {
			t.Errorf("%s: does%s, joins: %v; want%s, %v", tc.name, w.did, join, tc.did, tc.join)
		}
	}
}

// Certificates end with those of an authority only.
func TestExpiryNeedsAnAuthority(t *testing.T) {
	const text = "phases: [{name: a, for: 1m}]\nfaults: [{at: 30s, do: expire, share: 10%}]"
	if _, err := New(planned(t, text), Options{Devices: 10}); err == nil || !strings.Contains(err.Error(), "give --identities") {
		t.Errorf("without identities: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "pki")
	if err := os.MkdirAll(filepath.Join(dir, authority.Devices), 0o700); err != nil {
		t.Fatal(err)
	}
	own := make([]*tls.Config, 10)
	for _, in := range []string{dir, filepath.Join(dir, authority.Devices)} {
		_, err := New(planned(t, text), Options{Devices: 10, Identities: in, Own: own})
		if err == nil || !strings.Contains(err.Error(), "expire needs the key of the authority") || !strings.Contains(err.Error(), dir+" has no") {
			t.Errorf("without a key: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, authority.CAKey)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key was made: %v", err)
	}
	if _, err := New(planned(t, "phases: [{name: a}]"), Options{Devices: 10}); err != nil {
		t.Errorf("nothing expires: %v", err)
	}
}

// What the scenario will do, and what has come of it, in words.
func TestWords(t *testing.T) {
	p := planned(t, `phases: [{name: night, for: 1m, connected: 20%, interval: 30s}, {name: day, ramp: 5/s}]
faults: [{at: day+90s, do: reconnect, every: 5s, for: 20s, share: 50%}, {at: day, do: stuck}]`)
	const want = `scenario x: 10 devices (generic 3, bulb 1) at mqtt://h:1883
        0s  night, 1m: 2 connected, at most 100 a second; telemetry every 30s
        1m  day, until Ctrl-C: 10 connected, at most 5 a second; telemetry every 10s
     2m30s  reconnect every 5s for 20s: 5 devices
        1m  stuck: 10 devices
at most 100 connections begun and 1 messages published in a second, beside those with which a session begins
`
	if got := Outline(p, []string{"generic", "bulb", "generic", "generic"}, "mqtt://h:1883", p.Peak().Messages); got != want {
		t.Errorf("%s", got)
	}
	none, two := uint64(0), uint64(2)
	r := Report{
		Name: "x", Phases: []Phase{{Name: "night", Seconds: 60, Connected: 2, Attempts: 3, Peak: 2.5, Sessions: 2, Lost: 1, Published: 10, Acked: 8, Unacked: 1,
			Puback: engine.Latencies{P50: 1.5, P99: 20}, Errors: map[string]uint64{"time-out": 1}}},
		Faults:     []Fault{{Do: "break", Seconds: 5, Devices: 1}, {Do: "expire", Seconds: 6, Devices: 2, LetIn: &none}, {Do: "bad-login", Devices: 2, LetIn: &two}},
		Bystanders: Group{Devices: 7, Published: 70, Waiting: 1}, Hit: Group{Devices: 3, Published: 30, Lost: 1},
	}
	const report = `
scenario       x
night          60s: 2 connected at the end, 2 of 3 attempts accepted (at most 2.5/s), 1 lost
               10 published, 8 acknowledged, 1 not, PUBACK p50 1.5 ms p99 20 ms
               error: 1 × time-out
break          at 5s, of 1 device
expire         at 6s, of 2 devices: the broker let none in
bad-login      at 0s, of 2 devices: the broker LET IN 2 sessions
bystanders     7 devices: 70 published, 1 of them while an earlier one had no PUBACK, 0 sessions lost
hit            3 devices: 30 published, 0 of them while an earlier one had no PUBACK, 1 sessions lost
`
	if got := r.String(); got != report {
		t.Errorf("%s", got)
	}
}
