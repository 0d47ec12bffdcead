package awsiot_test

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cloudside "pithings/awsiot/cloud"
	"pithings/awsiot/jobs"
	"pithings/awsiot/shadow"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/outbox"
)

// connection returns a client of a broker with an outbox on disk, which calls online at each
// change, and connects while gate is open.
func connection(t *testing.T, b *broker.Broker, id string, gate *gate, online func(bool)) *mqttlink.Link {
	t.Helper()
	box, err := outbox.Open(filepath.Join(t.TempDir(), id), outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.Outbox = b.Endpoint(), id, box
	o.Backoff = mqttlink.Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond}
	o.OnState = func(s mqttlink.State) { online(s == mqttlink.Online) }
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := gate.pass(ctx); err != nil {
			return nil, err
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	link, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// gate keeps the device away until the cloud is there, whose answers it would await in vain.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
}

func (g *gate) shut() {
	g.mu.Lock()
	g.open = make(chan struct{})
	g.mu.Unlock()
}

func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Shadow and jobs over real connections, with the outbox on disk and a broker that is started
// anew between the two halves: what was reported and desired meanwhile is there afterwards, and a
// job that was begun before ends after it.
func TestServicesOverABroker(t *testing.T) {
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := b.Addr()
	defer func() { b.Close() }()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var work sync.WaitGroup
	run := func(f func(context.Context) error) {
		work.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}

	open, device := &gate{}, &gate{}
	open.shut()
	close(open.open)
	device.shut()
	gone := make(chan bool, 16)
	cloudLink := connection(t, b, "cloud", open, func(on bool) {
		if !on {
			gone <- true
		}
	})
	c, err := cloudside.New(cloudside.Options{Client: cloudLink})
	if err != nil {
		t.Fatal(err)
	}
	applied, begun, finish := make(chan map[string]any, 16), make(chan bool, 1), make(chan bool)
	var services []interface{ Online(bool) }
	link := connection(t, b, "pi", device, func(on bool) {
		for _, s := range services {
			s.Online(on)
		}
	})
	settings := shadow.SettingsFunc(func(_ context.Context, desired map[string]any) shadow.Outcome {
		applied <- desired
		return shadow.Outcome{Reported: map[string]any{"interval": desired["interval"]}}
	})
	sh, err := shadow.New(shadow.Options{Link: link, Thing: "pi", Every: 10 * time.Millisecond, Shadows: []shadow.Shadow{{Settings: settings, Connected: true}}})
	if err != nil {
		t.Fatal(err)
	}
	js, err := jobs.New(jobs.Options{Link: link, Thing: "pi", Now: jobs.ThisBoot(), Store: jobs.File(filepath.Join(t.TempDir(), "job.json")), Handlers: map[string]jobs.Handler{
		"wait": func(ctx context.Context, j *jobs.Job) jobs.Result {
			begun <- true
			select {
			case <-finish:
			case <-ctx.Done():
			}
			return jobs.Done(map[string]string{"id": j.ID})
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	services = append(services, sh, js)
	for _, f := range []func(context.Context) error{cloudLink.Run, c.Run, link.Run, sh.Run, js.Run} {
		run(f)
	}
	// desire writes a setting, and waits until the device has applied it.
	desire := func(interval int) {
		t.Helper()
		payload, err := json.Marshal(map[string]any{"state": map[string]any{"desired": map[string]any{"interval": interval}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := cloudLink.Publish(ctx, mqttlink.Message{Topic: shadow.Topic("pi", "", shadow.Update), Payload: payload, QoS: 1}); err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case desired := <-applied:
				if n, ok := desired["interval"].(json.Number); ok && n == json.Number(string(rune('0'+interval))) {
					return
				}
			case <-ctx.Done():
				t.Fatalf("%d is not applied; %+v", interval, sh.Status())
			}
		}
	}
	documents, updates := make(chan mqttlink.Message, 64), make(chan mqttlink.Message, 64)
	for topic, to := range map[string]chan mqttlink.Message{"$aws/things/pi/shadow/update/documents": documents, "$aws/things/pi/jobs/j1/update/accepted": updates} {
		if _, err := cloudLink.Subscribe(topic, 1, func(_ context.Context, m mqttlink.Message) { to <- m }); err != nil {
			t.Fatal(err)
		}
	}
	// await reads messages until one has a text.
	await := func(from chan mqttlink.Message, text string) {
		t.Helper()
		for last := ""; ; {
			select {
			case m := <-from:
				if last = string(m.Payload); strings.Contains(last, text) {
					return
				}
			case <-ctx.Done():
				t.Fatalf("no %s; the last message is %s; %+v, %+v", text, last, sh.Status(), js.Status())
			}
		}
	}
	// admit lets the device connect once the cloud has subscribed, which comes before what it
	// publishes then.
	admit := func() {
		t.Helper()
		there := make(chan bool)
		err := cloudLink.Publish(ctx, mqttlink.Message{Topic: "cloud", QoS: 1, Delivered: func() { close(there) }})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-there:
			close(device.open)
		case <-ctx.Done():
			t.Fatal("the cloud is not there")
		}
	}
	admit()
	desire(5)
	await(documents, `"reported":{"connected":true,"interval":5}`)
	if err := c.CreateJob(ctx, cloudside.Job{ID: "j1", Document: json.RawMessage(`{"action":"wait"}`), Things: []string{"pi"}}); err != nil {
		t.Fatal(err)
	}
	<-begun

	for len(gone) > 0 {
		<-gone
	}
	device.shut()
	b.Close()
	<-gone
	if err := sh.Report("", map[string]any{"load": 1}); err != nil {
		t.Fatal(err)
	}
	close(finish)
	if b, err = broker.Start(addr, broker.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	admit()
	desire(7)
	await(documents, `"reported":{"connected":true,"interval":7,"load":1}`)
	await(updates, `"status":"SUCCEEDED"`)
	if n := link.Queued(); n > 0 {
		t.Errorf("%d messages are queued", n)
	}
	stop()
	work.Wait()
}
