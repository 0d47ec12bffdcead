package pub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/clock/clocktest"
	"pithings/mqttlink/outbox"
	"pithings/spool/state"
)

// What an agent measured before its machine's clock was known waits for that in a
// drain too, is dated then, and is not sent with a wrong time or none.
func TestDrainKnowsTheTime(t *testing.T) {
	machine, dir := clocktest.New(), t.TempDir()
	newClock := func() *clock.Clock { return clock.New(clock.Options{Machine: machine.Machine(), Dir: dir}) }
	s := state.Folder{Dir: dir}
	agents := newClock()
	box, err := outbox.Open(s.QueueDir("pi"), outbox.DiskOptions{Now: agents.Now})
	if err != nil {
		t.Fatal(err)
	}
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.Outbox, o.Clock = "mqtt://127.0.0.1", "pi", box, agents
	link, err := mqttlink.New(o) // the agent's, never connected
	if err != nil {
		t.Fatal(err)
	}
	made := time.Now()
	if err := link.Publish(t.Context(), mqttlink.Message{Topic: "t", Payload: []byte("12"), QoS: 1, Time: made,
		TimeField: mqttlink.TimeField{Offset: 0, Length: 2, Format: mqttlink.UnixMillis}}); err != nil {
		t.Fatal(err)
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}

	b, err := broker.Start("127.0.0.1:0", broker.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	o.Endpoint, o.ClientID, o.Outbox, o.Clock = b.Endpoint(), "listener", nil, nil
	listener, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 10)
	if _, err := listener.Subscribe("t", 1, func(_ context.Context, m mqttlink.Message) { heard <- string(m.Payload) }); err != nil {
		t.Fatal(err)
	}
	if err := listener.Publish(t.Context(), mqttlink.Message{Topic: "t", Payload: []byte("listening"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error)
	go func() { ended <- listener.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	if got := <-heard; got != "listening" {
		t.Fatal(got)
	}

	drain := func(within time.Duration) (waits bool, err error) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		o := Options{State: dir, Link: mqttlink.DefaultOptions(), Log: slog.New(slog.DiscardHandler)}
		o.Link.Endpoint, o.Link.Clock = b.Endpoint(), newClock()
		err = Drain(ctx, o, func(p Progress) { waits = waits || strings.Contains(p.Trouble, "clock") })
		return waits, err
	}
	var left *NotEmptyError
	if waits, err := drain(1500 * time.Millisecond); !errors.As(err, &left) || left.Left != 1 || !waits || !strings.Contains(left.Trouble, "reads 1970") {
		t.Errorf("before the time is known: reported %v, %v", waits, err)
	}
	today := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	machine.Synchronise(today)
	synced := time.Now()
	if _, err := drain(15 * time.Second); err != nil {
		t.Fatal(err)
	}
	var ms int64
	got := <-heard
	if _, err := fmt.Sscan(got, &ms); err != nil {
		t.Fatalf("%v in %q", err, got)
	}
	if want := today.Add(made.Sub(synced)); time.UnixMilli(ms).Sub(want).Abs() > 5*time.Millisecond {
		t.Errorf("dated %v, want %v", time.UnixMilli(ms).UTC(), want)
	}
}
