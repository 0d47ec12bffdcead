package cloud_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/awsiot/cloud"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
)

// The will of a thing makes connected false, where it was reported as true and nowhere else.
func TestStatus(t *testing.T) {
	r := serve(t, cloud.Options{})
	const offline = "offline"
	r.publish("unknown/status", offline)
	r.publish("pi/status", "online")
	r.publish("$aws/status", offline)
	r.publish("pi/status", offline) // no shadow is made by it
	r.publish("$aws/things/pi/shadow/get", ``)
	if topic, _ := r.next(); topic != "$aws/things/pi/shadow/get/rejected" {
		t.Errorf("%s", topic)
	}
	for _, reported := range []string{`{"a":1}`, `{"connected":"true"}`, `{"connected":false}`} {
		r.publish("$aws/things/pi/shadow/update", `{"state":{"reported":`+reported+`}}`)
		r.next()
		r.next() // documents
		r.publish("pi/status", offline)
	}
	r.publish("$aws/things/pi/shadow/update", `{"state":{"reported":{"connected":true}}}`)
	if topic, payload := r.next(); topic != "$aws/things/pi/shadow/update/accepted" || !strings.Contains(payload, `"version":4,`) {
		t.Errorf("%s %s", topic, payload)
	}
	r.next()
	r.publish("pi/status", "online")
	r.publish("pi/status", "other")
	r.publish("pi/status", offline)
	r.publish("pi/status", offline)
	if topic, payload := r.next(); topic != "$aws/things/pi/shadow/update/accepted" || !strings.HasPrefix(payload, `{"state":{"reported":{"connected":false}}`) || !strings.Contains(payload, `"version":5,`) {
		t.Errorf("%s %s", topic, payload)
	}
	if topic, payload := r.next(); topic != "$aws/things/pi/shadow/update/documents" || !strings.Contains(payload, `"a":1`) {
		t.Errorf("%s %s", topic, payload)
	}
	r.publish("$aws/things/pi/shadow/get", ``)
	if topic, payload := r.next(); topic != "$aws/things/pi/shadow/get/accepted" || !strings.Contains(payload, `"version":5,`) {
		t.Errorf("%s %s", topic, payload)
	}
}

// A thing that is killed is not connected, whether the cloud runs then or starts later.
func TestKilledThing(t *testing.T) {
	for name, later := range map[string]bool{"cloud runs": false, "cloud starts later": true} {
		t.Run(name, func(t *testing.T) {
			b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { b.Close() })
			connect := func(id string, change func(*mqttlink.Options)) (*mqttlink.Link, func()) {
				o := mqttlink.DefaultOptions()
				o.Endpoint, o.ClientID = b.Endpoint(), id
				change(&o)
				l, err := mqttlink.New(o)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { _ = l.Run(ctx) })
				stop := sync.OnceFunc(func() {
					cancel()
					running.Wait()
				})
				t.Cleanup(stop)
				return l, stop
			}
			dir := t.TempDir()
			serves := func() (stop func()) {
				subscribed := make(chan int, 100)
				link, end := connect("cloud", func(o *mqttlink.Options) {
					o.OnSuback = func(filters, _ []string) { subscribed <- len(filters) }
				})
				c, err := cloud.New(cloud.Options{Client: link, Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { _ = c.Run(ctx) })
				for n := 0; n < len(c.Filters()); { // in several SUBSCRIBEs
					n += <-subscribed
				}
				stop = sync.OnceFunc(func() {
					cancel()
					running.Wait()
					end()
					c.Close()
				})
				t.Cleanup(stop)
				return stop
			}
			stop := serves()
			watcher, _ := connect("watcher", func(*mqttlink.Options) {})
			heard := make(chan string, 100)
			if _, err := watcher.SubscribeAll([]string{"$aws/things/pi/shadow/update/documents", "pi/status"}, 1, func(_ context.Context, m mqttlink.Message) {
				heard <- string(m.Payload)
			}); err != nil {
				t.Fatal(err)
			}
			hears := func(what ...string) {
				t.Helper()
				for limit := time.After(20 * time.Second); len(what) > 0; {
					select {
					case text := <-heard:
						if _, current, ok := strings.Cut(text, `"current":`); ok {
							text = current
						}
						if strings.Contains(text, what[0]) {
							what = what[1:]
						}
					case <-limit:
						t.Fatalf("not heard: %q", what)
					}
				}
			}
			var network net.Conn
			thing, end := connect("pi", func(o *mqttlink.Options) {
				o.Status, o.Backoff.Min, o.Backoff.Max = true, time.Hour, time.Hour // it does not come back
				o.Dial = func(context.Context, string, string) (net.Conn, error) {
					network, err = net.Dial("tcp", b.Addr())
					return network, err
				}
			})
			hears("online")
			if err := thing.Publish(t.Context(), mqttlink.Message{Topic: "$aws/things/pi/shadow/update", QoS: 1, Payload: []byte(`{"state":{"reported":{"connected":true}}}`)}); err != nil {
				t.Fatal(err)
			}
			hears(`{"connected":true}`)
			if later {
				stop()
			}
			network.Close()
			hears("offline")
			if later {
				serves()
			}
			hears(`{"connected":false}`)
			end()
		})
	}
}
