package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/clock/clocktest"
)

// A Pi that boots in 1970, from the sensor to a subscriber: nothing arrives that has
// a time until the clock is known, also over a restart of the program, and then
// everything does, in order, with the times at which it was measured.
func TestBootIn1970(t *testing.T) {
	text := `
broker: {listen: "127.0.0.1:0"}
http: {listen: "127.0.0.1:0"}
things: [{name: bme680, type: environment, interval: 100ms, schema: script}]`
	cfg, _, err := config.Parse("test", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	machine, state := clocktest.New(), t.TempDir()
	log := &syncBuffer{}
	start := func() (a *Agent, stop func()) {
		board := mock.New(mock.Options{})
		ready := make(chan struct{})
		a, err := New(Options{Config: cfg, Board: board, State: state, Ready: func() { close(ready) },
			Clock: clock.Options{Machine: machine.Machine()}, Log: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		<-ready
		return a, func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			board.Close()
		}
	}
	health := func(a *Agent) ClockState {
		t.Helper()
		r, err := http.Get("http://" + a.WebAddr() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var h struct{ Clock ClockState }
		if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
			t.Fatal(err)
		}
		return h.Clock
	}
	queued := func(a *Agent, n int) {
		t.Helper()
		for deadline := time.Now().Add(patience); a.links.shared.Queued() < n; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d messages, want %d\n%s", a.links.shared.Queued(), n, log)
			}
		}
	}

	began := time.Now()
	a, stop := start()
	queued(a, 10)
	if h := health(a); h.State != "unset" || !strings.Contains(h.Why, "1970") || h.Since.Year() != 1970 {
		t.Errorf("/healthz says %+v", h)
	}
	if q := a.links.queueStates()["shared"]; q.Oldest != nil {
		t.Errorf("the oldest message is said to be of %v", q.Oldest)
	}
	stop()
	a, stop = start()
	defer func() { stop() }()
	queued(a, 30)
	heard := make(chan mqttlink.Message, 1000)
	o := mqttlink.DefaultOptions()
	o.Endpoint = a.Endpoint()
	listener, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listener.Subscribe("bme680/#", 1, func(_ context.Context, m mqttlink.Message) { heard <- m }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- listener.Run(ctx) }()
	defer func() { cancel(); <-done }()
	// A message of its own comes back: it is subscribed, and nothing was there before.
	if err := listener.Publish(ctx, mqttlink.Message{Topic: "bme680/listening", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	if m := next(t, heard); m.Topic != "bme680/listening" {
		t.Fatalf("before the time is known arrived %s %s", m.Topic, m.Payload)
	}

	today := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	machine.Synchronise(today)
	synced := time.Now()
	sequence, before := -1, time.Time{}
	for n := 0; n < 60; {
		m := next(t, heard)
		if m.Topic != "bme680/temperature" {
			continue
		}
		n++
		var r struct {
			Sequence int
			Time     string `json:"timestamp_utc"`
		}
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			t.Fatalf("%v in %s", err, m.Payload)
		}
		at, err := time.Parse("2006-01-02T15:04:05.000000Z", r.Time)
		if err != nil {
			t.Fatal(err)
		}
		if first, last := today.Add(began.Sub(synced)), today.Add(time.Since(synced)); at.Before(first) || at.After(last) {
			// What is made after the clock is known has the time of this computer, which
			// the simulated machine cannot set.
			if time.Until(at).Abs() < time.Minute {
				break
			}
			t.Errorf("dated %v, but it was made between %v and %v", at, first, last)
		}
		if !at.After(before) {
			t.Errorf("dated %v behind %v", at, before)
		}
		if r.Sequence != sequence+1 && r.Sequence != 0 { // 0 after the restart
			t.Errorf("sequence %d behind %d", r.Sequence, sequence)
		}
		sequence, before = r.Sequence, at
	}
	if h := health(a); h.State != "known" || h.Since.Year() != 2026 {
		t.Errorf("/healthz says %+v", h)
	}
	if s := a.links.shared.Stats(); s.Dated < 30 || s.Nulled != 0 || s.Resent != 0 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(fmt.Sprint(log), "messages wait until this machine's clock is known"); n != 2 { // once in each process
		t.Errorf("logged %d times:\n%s", n, log)
	}
}

// next waits for a message.
func next(t *testing.T, heard <-chan mqttlink.Message) mqttlink.Message {
	t.Helper()
	select {
	case m := <-heard:
		return m
	case <-time.After(patience):
		t.Fatal("no message comes")
		return mqttlink.Message{}
	}
}
