package fleet

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/fleet/internal/rogue"
	"pithings/mqttlink/broker"
)

// A single rogue device is guarded as a thousand others are.
func TestRogueIsGuarded(t *testing.T) {
	o := small("mqtt://203.0.113.9", "telemetry", "rogue")
	var guard *GuardError
	if _, err := New(t.Context(), o); !errors.As(err, &guard) || !strings.Contains(err.Error(), "--target-is-mine 203.0.113.9") || !guard.Rogue {
		t.Errorf("%v", err)
	}
	o.TargetIsMine, o.Ramp = "203.0.113.9", 100
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if plan := f.Plan(); !strings.Contains(plan, "1 device (rogue) attack mqtt://203.0.113.9:1883") || !strings.Contains(plan, "at most 100 messages and begin at most 50 connections in a second") ||
		!strings.Contains(plan, "1 device (telemetry) connect") || strings.Contains(plan, "AWS") {
		t.Errorf("%s", plan)
	}
	f.Broker.Endpoint = "mqtts://a1b2c3-ats.iot.eu-west-1.amazonaws.com"
	if plan := f.Plan(); !strings.Contains(plan, "that is about 2364 messages, once, which AWS bills") {
		t.Errorf("%s", plan)
	}
	o = small("mqtt://127.0.0.1:1", "rogue")
	o.StolenIDs = []string{"a", "b"}
	if f, err = New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if plan := f.Plan(); !strings.Contains(plan, "at most 1000 messages") || !strings.Contains(plan, "take the client ids of 2 clients") || strings.Contains(plan, "telemetry") {
		t.Errorf("%s", plan)
	}
}

// Beside rogue devices the others are the engine's, which never connects a rogue one.
func TestRogueAmongOthers(t *testing.T) {
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	o := small(b.Endpoint(), "telemetry", "rogue", "telemetry")
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	meter := f.Meter()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r := f.Report()
		if _, _, tested := r.LetThrough(); tested > 0 && r.Connected == 2 && r.Acked > 2 && r.ConnectedSeconds > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", r)
		}
	}
	if line := meter.Line(); !strings.Contains(line, "2 of 2 connected") || !strings.Contains(line, "behaviours tried") {
		t.Errorf("%s", line)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r := f.Report()
	if r.Devices != 3 || r.Rogues != 1 || r.Sessions != 2 || len(r.Rogue) != len(rogue.List()) || r.Rogue[len(r.Rogue)-1].Verdict != rogue.NotTested {
		t.Errorf("%+v", r)
	}
	if text := r.String(); !strings.Contains(text, "all 2 after") || !strings.Contains(text, "What to configure:") || !strings.Contains(text, "the run ended before") {
		t.Errorf("%s", text)
	}
}

// The table has the worst first, and one remedy once.
func TestRogueReport(t *testing.T) {
	r := Report{Devices: 1, Rogues: 1, Seed: 7, Seconds: 12, Rogue: []RogueResult{
		{Behaviour: "b1", Verdict: rogue.Stopped, How: rogue.Dropped, Detail: "acknowledged"},
		{Behaviour: "b2", Verdict: rogue.Through, Severity: rogue.Low, Detail: "it came", Remedy: "cure 1", Left: []string{"a/b"}},
		{Behaviour: "b3", Verdict: rogue.NotTested, Detail: "no witness"},
		{Behaviour: "b4", Verdict: rogue.Through, Severity: rogue.Critical, Detail: "it came", Remedy: "cure 1"},
		{Behaviour: "b5", Verdict: rogue.Stopped, How: rogue.Closed},
	}}
	const want = `time           12s, seed 7
rogue          2 of 5 behaviours let through (1 of low severity), 1 not tested

let through  critical  b4                    it came
let through  low       b2                    it came
                       b2                    a retained message could not be removed: a/b
not tested             b3                    no witness
stopped                b1                    dropped without a word: acknowledged
stopped                b5                    closed the connection

What to configure:
  b4, b2
    cure 1
`
	if got := r.String(); got != want {
		t.Errorf("%s", got)
	}
	if low, more, tested := r.LetThrough(); low != 1 || more != 1 || tested != 4 {
		t.Errorf("%d, %d, %d", low, more, tested)
	}
}

func TestRogueOptions(t *testing.T) {
	o := small("mqtt://127.0.0.1:1", "telemetry")
	o.StolenIDs = []string{"x"}
	if err := o.Check(); err == nil || !strings.Contains(err.Error(), "rogue") {
		t.Errorf("stolen ids without a rogue device: %v", err)
	}
	o = small("mqtt://127.0.0.1:1", "rogue")
	o.Devices = MaxRogues + 1
	if err := o.Check(); err == nil || !strings.Contains(err.Error(), "at most 100") {
		t.Errorf("%v", err)
	}
	o.Devices, o.Factory = 1, true
	if err := o.Check(); err == nil || !strings.Contains(err.Error(), "factory") {
		t.Errorf("%v", err)
	}
	o.Factory, o.StolenIDs = false, make([]string, MaxStolenIDs+1)
	if err := o.Check(); err == nil || !strings.Contains(err.Error(), "at most 100") {
		t.Errorf("%v", err)
	}
	if !slices.Contains(Types(), "rogue") {
		t.Errorf("%q", Types())
	}
}
