package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/gateway"
	"pithings/gateway/field"
	"pithings/mqttlink/linktest"
)

// breaking is a connection that comes and goes.
type breaking struct {
	*linktest.Client
	up atomic.Bool
}

func (b *breaking) Connected() bool { return b.up.Load() }

// A gateway publishes on the topics of the local bus what its groups and alarms bring, and that
// the connection stands, each time it does. A function that subscribes to the bus gets it. A
// group without variables has no round, so that the script of its rule never runs.
func TestLocalBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, log := new(device.Bus), new(strings.Builder)
		link := &breaking{Client: linktest.New()}
		defer link.Close()
		g := gateway.New(gateway.Options{Settings: settings(t, `
eventbus: true
groups: [{name: default, polling: 10s}, {name: empty, polling: 1s}]
variables: [{device: env, value: temperature}]
alarms: [{name: Hot, device: env, variable: temperature, condition1: Gt, operand1: "30", level: 5, content: hot}]
publish: [{name: never, topic: never, groups: [empty], code: "def main(d, w):\n  return 1"}]
subscribe:
  - {name: alarms, topic: "ds2/eventbus/north/alarm/+", code: "import json\ndef main(topic, payload, w):\n  w.mqtt_publish('alarm', topic.split('/')[-1] + ' ' + str(json.loads(payload)['status']), 0)"}
`), Things: []field.Thing{{Name: "env", Model: sensor}}, Events: bus, Up: func(string) bool { return true }, Link: link, Log: slog.New(slog.NewTextHandler(log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- g.Run(ctx) }()
		counts := func() string {
			synctest.Wait()
			all := map[string]int{}
			for _, m := range link.Published("#") {
				all[m.Topic]++
				if m.QoS != 0 || strings.HasPrefix(m.Topic, "ds2/") && !json.Valid(m.Payload) {
					t.Errorf("%s %d %s", m.Topic, m.QoS, m.Payload)
				}
			}
			link.Forget()
			return strings.TrimPrefix(fmt.Sprint(all), "map")
		}
		report := func(v float64) {
			bus.Emit(device.Event{Thing: "env", Name: "state", Values: device.Values{"t": v}, At: time.Now()})
		}
		report(20)
		time.Sleep(15 * time.Second)
		if got := counts(); got != "[]" {
			t.Errorf("without a connection %s", got)
		}
		link.up.Store(true)
		time.Sleep(10 * time.Second)
		const round = "ds2/eventbus/north/measures/default:1 ds2/eventbus/south/read/default:1"
		if got := counts(); got != "["+round+" ds2/eventbus/system/cloud/connection/notice:1]" {
			t.Errorf("when it stands %s", got)
		}
		report(31) // an alarm does not wait for the group
		synctest.Wait()
		if all := link.Published("alarm"); len(all) != 1 || string(all[0].Payload) != "Hot 1" {
			t.Errorf("a triggered alarm: %v", all)
		}
		report(29)
		synctest.Wait()
		if all := link.Published("alarm"); len(all) != 2 || string(all[1].Payload) != "Hot 0" {
			t.Errorf("a cleared alarm: %v", all)
		}
		counts()
		link.up.Store(false)
		time.Sleep(10 * time.Second)
		link.up.Store(true)
		time.Sleep(10 * time.Second)
		if got := counts(); got != "["+round+" ds2/eventbus/system/cloud/connection/notice:1]" {
			t.Errorf("when it stands again %s", got)
		}
		if s := g.Rules()[0]; s.Name != "never" || s.Calls != 0 {
			t.Errorf("%+v", s)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
