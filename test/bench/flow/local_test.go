package flow

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/engine"
	"pithings/flow/history"
	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
)

// near is three things in the engine's process. As those of package things do, they
// publish their events and answers through the link.
type near struct {
	n      *bench
	link   *mqttlink.Link
	motion func(map[string]any, time.Time)
	shown  chan struct{}
	taken  int
}

func (t *near) Watch(_ string, fn func(map[string]any, time.Time)) (func(), error) {
	t.motion = fn
	return func() {}, nil
}

func (t *near) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	if action == "display" {
		if input["imageUri"] != t.picture() {
			return nil, fmt.Errorf("display of %v", input)
		}
		t.shown <- struct{}{}
		return nil, nil
	}
	t.taken++
	return map[string]any{"lastClickedImage": t.picture()}, t.tell(ctx, "local_Camera/capture/finished", fmt.Sprintf(`{"lastClickedImage": %q}`, t.picture()))
}

func (t *near) picture() string { return fmt.Sprintf("http://127.0.0.1:8080/pictures/%d.jpg", t.taken) }

func (t *near) tell(ctx context.Context, topic, payload string) error {
	err := t.link.Publish(ctx, mqttlink.Message{Topic: topic, QoS: 1, Payload: []byte(payload)})
	if !mqttlink.Accepted(err) {
		return err
	}
	return nil
}

// local returns what times a chain within the process.
func (n *bench) local() func() time.Duration {
	box, err := outbox.Open(n.file("local-outbox"), outbox.DiskOptions{Sync: outbox.SyncInterval})
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() { box.Close() })
	kept, err := history.Open(n.file("local-history"), history.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() { kept.Close() })
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.Outbox = "mqtt://127.0.0.1:"+n.port, "local", box
	online := make(chan struct{})
	o.OnState = func(s mqttlink.State) {
		if s == mqttlink.Online {
			close(online)
		}
	}
	link, err := mqttlink.New(o)
	if err != nil {
		n.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); link.Run(ctx) }()
	n.Cleanup(func() { cancel(); <-ended })
	<-online
	t := &near{n: n, link: link, shown: make(chan struct{})}
	e := engine.New(engine.Options{
		Device:   func(*flow.Deployment, flow.Binding) (device.Actor, error) { return t, nil },
		Recorder: kept, Log: slog.New(slog.DiscardHandler),
	})
	n.Cleanup(func() { e.Close() })
	if err := e.Deploy(flow.SecurityFlow()); err != nil {
		n.Fatal(err)
	}
	detected := map[string]any{"isMotionDetected": true}
	return func() time.Duration {
		began := time.Now()
		if err := t.tell(ctx, "local_MS/motion", `{"isMotionDetected": true}`); err != nil {
			n.Fatal(err)
		}
		t.motion(detected, began)
		<-t.shown
		return time.Since(began)
	}
}
