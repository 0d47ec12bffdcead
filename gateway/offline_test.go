package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/gateway"
	"pithings/gateway/field"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/outbox"
)

// The broker is away for an hour: three groups at different rates and an alarm that flaps are
// kept on the disk, and everything arrives then by the time of collection. With lower limits
// the oldest of each class is dropped, whatever the other has.
func TestBrokerAwayForAnHour(t *testing.T) {
	for name, tt := range map[string]struct {
		readings, alarms         int // limits
		wantReadings, wantAlarms int
	}{
		"the usual limits": {100_000, 2_000, 3600 + 514 + 60, 719},
		"low limits":       {1_000, 100, 1_000, 100},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && tt.alarms > 100 {
				t.Skip("thousands of messages")
			}
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { hourAway(t, dir, tt.readings, tt.alarms) })
			readings, alarms := arrive(t, dir, tt.wantReadings+tt.wantAlarms)
			if readings != tt.wantReadings || alarms != tt.wantAlarms {
				t.Errorf("%d readings and %d alarms, want %d and %d", readings, alarms, tt.wantReadings, tt.wantAlarms)
			}
		})
	}
}

func box(t *testing.T, dir string, limits outbox.Limits) *outbox.Disk {
	t.Helper()
	d, err := outbox.Open(dir, outbox.DiskOptions{Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// hourAway runs a gateway for an hour without a broker.
func hourAway(t *testing.T, dir string, readings, alarms int) {
	kept := box(t, dir, outbox.Limits{Messages: readings, Drop: outbox.DropOldest, Alarms: &outbox.Limits{Messages: alarms, Drop: outbox.DropOldest}})
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.Outbox, o.Log = "mqtt://away", "gateway", kept, slog.New(slog.DiscardHandler)
	o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("the network is away") }
	link, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- link.Run(ctx) }()
	bus := new(device.Bus)
	g := gateway.New(gateway.Options{Events: bus, Things: []field.Thing{{Name: "env", Model: sensor}}, Up: func(string) bool { return true },
		Link: link, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Settings: settings(t, `
groups: [{name: fast, polling: 1s}, {name: middle, polling: 7s}, {name: slow, polling: 1s, upload: 60s}]
variables:
  - {device: env, name: a, value: temperature, group: fast}
  - {device: env, name: b, value: temperature, group: middle}
  - {device: env, name: c, value: temperature, group: slow}
alarms: [{name: Hot, device: env, variable: a, condition1: Gt, operand1: "30"}]
publish:
  - {name: readings, topic: reading, groups: [fast, middle, slow], code: "def main(d, w):\n  return d"}
  - {name: alarms, topic: alarm, groups: [alarm]}
`)})
	go func() { ended <- g.Run(ctx) }()
	for i := range 3600 {
		bus.Emit(device.Event{Thing: "env", Name: "state", Values: device.Values{"t": float64(25 + i%10)}, At: time.Now()})
		time.Sleep(time.Second)
	}
	synctest.Wait()
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
}

// arrive connects to a broker, and returns how many readings and alarms arrive; each must be
// as old as the one before, or newer.
func arrive(t *testing.T, dir string, n int) (readings, alarms int) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	kept := box(t, dir, outbox.Limits{})
	defer kept.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.Outbox, o.Log = b.Endpoint(), "gateway", kept, log
	link, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	all := make(chan struct{})
	if _, err := link.SubscribeAll([]string{"reading", "alarm"}, 1, func(_ context.Context, m mqttlink.Message) {
		var d struct {
			Timestamp float64 `json:"timestamp"`
		}
		if err := json.Unmarshal(m.Payload, &d); err != nil || d.Timestamp < last {
			t.Errorf("%s %s after %v: %v", m.Topic, m.Payload, last, err)
		}
		last = d.Timestamp
		if strings.HasPrefix(m.Topic, "alarm") {
			alarms++
		} else {
			readings++
		}
		if readings+alarms == n {
			close(all)
		}
	}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	select {
	case <-all:
	case <-ctx.Done():
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return readings, alarms
}
