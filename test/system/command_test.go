//go:build system

package system

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	mqttcommand "pithings/awsiot/command"
	"pithings/conf"
	"pithings/device"
	"pithings/mqttlink"
	"pithings/test/binary"
	broker "pithings/test/mosquitto"
)

// relay is a thing with the action set.
type relay struct{}

func (relay) Watch(string, func(map[string]any, time.Time)) (func(), error) {
	return nil, errors.New("no events")
}

func (relay) Call(_ context.Context, _ string, input map[string]any) (map[string]any, error) {
	if input["state"] != "on" {
		return nil, fmt.Errorf("state %v is unknown; give on", input["state"])
	}
	return nil, nil
}

// The command and reply of the playground through mosquitto, with its own tool as the client:
// everything that passes the broker, in its order and to the byte.
func TestCommandThroughMosquitto(t *testing.T) {
	pub := binary.Need(t, "mosquitto_pub")
	b := broker.Start(t)
	log := slog.New(slog.DiscardHandler)
	subscribed := make(chan struct{}, 1)
	link, err := mqttlink.New(mqttlink.Options{Endpoint: "mqtt://127.0.0.1:" + strconv.Itoa(b.Port), ClientID: "dev-QAUE", CleanSession: true, MaxQueued: -1, Log: log,
		OnSuback: func(filters, _ []string) {
			if slices.Contains(filters, mqttcommand.RequestTopic("dev-QAUE")) {
				subscribed <- struct{}{}
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	var settings mqttcommand.Settings
	conf.Fill(&settings)
	settings.Enabled = true
	s := mqttcommand.New(mqttcommand.Options{Settings: settings, Device: "dev-QAUE", Link: link, Dir: t.TempDir(), Log: log, Things: func() []mqttcommand.Thing {
		return []mqttcommand.Thing{{Name: "lamp", Actor: relay{}, Model: device.Model{Actions: map[string]device.ActionModel{
			"set": {Topic: "{thing}/set", Params: map[string]device.ValueType{"state": device.StringType}}}}}}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- s.Run(ctx) }()
	go func() { ended <- link.Run(ctx) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()
	var want []broker.Message
	send := func(qos, request, answer string) {
		t.Helper()
		if out, err := exec.Command(pub, "-p", strconv.Itoa(b.Port), "-q", qos, "-t", "cmd/ac/dev-QAUE/req", "-m", request).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_pub: %v\n%s", err, out)
		}
		want = append(want, broker.Message{Topic: "cmd/ac/dev-QAUE/req", Payload: request}, broker.Message{Topic: "cmd/ac/dev-QAUE/res", Payload: answer})
		b.Wait(answer, func(all []broker.Message) bool { return len(all) >= len(want) })
	}
	<-subscribed
	send("1", `{"type":"lamp/set","session-id":"c0ffee","response-topic":"cmd/ac/dev-QAUE/res","params":{"state":"on"}}`, `{"session-id":"c0ffee","status":"OK"}`)
	send("1", `{"type":"lamp/set","session-id":"c0ffee","response-topic":"cmd/ac/dev-QAUE/res","params":{"state":"on"}}`, `{"session-id":"c0ffee","status":"OK"}`)
	send("0", `{"type":"lamp/set","session-id":"2","response-topic":"cmd/ac/dev-QAUE/res","params":{"state":"dim"}}`,
		`{"session-id":"2","status":"ERROR","code":"Failed","error":"state dim is unknown; give on"}`)
	send("0", `{"type":"tamper","session-id":"3","response-topic":"cmd/ac/dev-QAUE/res"}`,
		`{"session-id":"3","status":"ERROR","code":"UnknownType","error":"there is no type \"tamper\"; known: diagnose, lamp/set, read, reconfigure, restart"}`)
	if got := b.Messages(); !slices.Equal(got, want) {
		t.Errorf("mosquitto has delivered\n%q\nwant\n%q", got, want)
	}
}
