package fleet

import (
	"context"
	"encoding/json"
	"image/jpeg"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"pithings/fleet/scenario"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
)

func TestPiOptionsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Options)
		says   string // "" if it is right
	}{
		{"as they are", func(*Options) {}, ""},
		{"no motion", func(o *Options) { o.Motion = 0 }, ""},
		{"flows", func(o *Options) { o.Flows = FlowsLocal }, ""},
		{"an address", func(o *Options) { o.Pictures = "0.0.0.0:8090" }, ""},
		{"a port", func(o *Options) { o.Pictures = ":8090" }, ""},
		{"as many flows as there may be", func(o *Options) { o.Flows, o.Devices = FlowsLocal, MaxFlows }, ""},
		{"more, but not of Pis", func(o *Options) { o.Flows, o.Devices, o.Types = FlowsLocal, 2*MaxFlows, []string{"pi", "telemetry"} }, ""},
		{"too many flows", func(o *Options) { o.Flows, o.Devices = FlowsLocal, MaxFlows+1 }, "at most 1000"},
		{"motion too often", func(o *Options) { o.Motion = time.Millisecond }, "a motion every"},
		{"motion too seldom", func(o *Options) { o.Motion = 48 * time.Hour }, "a motion every"},
		{"flows somewhere", func(o *Options) { o.Flows = "here" }, "give local"},
		{"an address without a port", func(o *Options) { o.Pictures = "127.0.0.1" }, "IP:PORT"},
		{"a name", func(o *Options) { o.Pictures = "example.com:80" }, "IP:PORT"},
		{"no port", func(o *Options) { o.Pictures = "127.0.0.1:x" }, "IP:PORT"},
		{"flows without a Pi", func(o *Options) { o.Types, o.Flows = nil, FlowsLocal }, "of the type pi"},
		{"pictures without a Pi", func(o *Options) { o.Types, o.Pictures = nil, ":0" }, "of the type pi"},
		{"more messages than are sent", func(o *Options) { o.Devices, o.Interval = 2100, 100*time.Millisecond }, "messages a second"},
	} {
		o := small("mqtt://127.0.0.1:1", "pi")
		o.Motion = time.Minute
		tc.change(&o)
		if _, err := o.check(); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
	}
}

// The messages of a Pi count in the plan, and those of others as before.
func TestPlanOfPis(t *testing.T) {
	o := small("mqtt://203.0.113.9", "generic", "pi")
	o.Devices, o.Interval, o.Motion, o.Ramp = 5, 10*time.Second, time.Minute, 50
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.rate(), (3+2*5)/10.+2/78.; math.Abs(got-want) > 1e-9 {
		t.Errorf("%v messages a second, want %v", got, want)
	}
	if got, want := f.PerDay(), 86400*f.rate(); math.Abs(got-want) > 1e-6 {
		t.Errorf("%v messages a day, want %v", got, want)
	}
	f.Flows = FlowsLocal
	if got, want := f.rate(), (3+2*5)/10.+2*4/78.; math.Abs(got-want) > 1e-9 {
		t.Errorf("with flows %v messages a second, want %v", got, want)
	}
	if got, want := f.Plan(), "a pi publishes 5 messages for each reading every 10s, and motion every 1m18s on average; it runs no flow\n"; !strings.HasSuffix(got, want) {
		t.Errorf("%s", got)
	}
}

// With flows, motion before a Pi leads to a picture on its screen, by messages at the broker. The
// picture is there for others, too. At the end each Pi is offline.
func TestPisWithFlows(t *testing.T) {
	s := newScene(t)
	o := small(s.broker.Endpoint(), "pi", "telemetry", "pi")
	o.Motion, o.Flows, o.Interval = time.Second, FlowsLocal, 10*time.Second
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	watcher, subscribed := link(t, s.broker, "watcher")
	got := make(chan mqttlink.Message, 1000)
	if _, err := watcher.Subscribe("#", 1, func(_ context.Context, m mqttlink.Message) { got <- m }); err != nil {
		t.Fatal(err)
	}
	background(t, watcher.Run)
	subscribed(1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	await := func(topic string) string {
		t.Helper()
		for deadline := time.After(60 * time.Second); ; {
			select {
			case m := <-got:
				if m.Topic == topic {
					return string(m.Payload)
				}
			case <-deadline:
				t.Fatalf("nothing on %s; %+v", topic, f.Report())
			}
		}
	}
	await("dev-0003/TG_MS/motion")
	if command := await("dev-0003/TG_Camera/capture"); command != "{}" {
		t.Errorf("capture %s", command)
	}
	var taken struct{ LastClickedImage string }
	if answer := await("dev-0003/TG_Camera/capture/finished"); json.Unmarshal([]byte(answer), &taken) != nil {
		t.Errorf("finished %s", answer)
	}
	if shown := await("dev-0003/TG_Screen/display"); shown != `{"imageUri":"`+taken.LastClickedImage+`"}` {
		t.Errorf("display %s, want %s", shown, taken.LastClickedImage)
	}
	resp, err := http.Get(taken.LastClickedImage)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	if _, err := jpeg.Decode(resp.Body); err != nil {
		t.Errorf("%s: %v", taken.LastClickedImage, err)
	}
	for deadline := time.Now().Add(30 * time.Second); f.Report().Pis.Flows.Succeeded == 0 || f.Report().Pis.Shown == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no flow has succeeded: %+v", f.Report().Pis)
		}
	}
	// Other addresses.
	p := f.pis
	for uri, want := range map[string]string{
		taken.LastClickedImage:                           "",
		p.at().Base() + "x.jpg":                          "a screen fetches nothing from that address",
		p.at().Base() + strings.Repeat("a", 26) + ".jpg": "there is no such picture of this fleet",
		"http://192.168.0.9/a.jpg":                       "",
		"http://127.0.0.1:1/a.jpg":                       "a screen fetches nothing from that address",
		"http://169.254.169.254/a.jpg":                   "a screen fetches nothing from that address",
		"file:///etc/passwd":                             "a screen reads files only below its allow_files, and has none",
		"http://x/" + strings.Repeat("a", 9000):          "the address is too long",
		"data:x":                                         "the address is no picture's",
	} {
		if got := p.vet(uri); got != want {
			t.Errorf("%.60s: %q, want %q", uri, got, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for range 2 {
		for payload := ""; payload != "offline"; {
			select {
			case m := <-got:
				if strings.HasSuffix(m.Topic, "/status") {
					payload = string(m.Payload)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("a Pi is not offline at the end")
			}
		}
	}
	if r := f.Report(); r.Lost > 0 || r.Pis.Flows.Failed > 0 || r.Pis.Captures == 0 || r.Pis.Captures != r.Pis.Finished || !strings.Contains(r.String(), r.Pis.Pictures) {
		t.Errorf("%s", r.String())
	}
	if _, err := http.Get(taken.LastClickedImage); err == nil {
		t.Error("pictures are served behind the end")
	}
}

// Pis follow a scenario: those that it sends away say that they are offline, and so do the others at
// the end.
func TestPisFollowAScenario(t *testing.T) {
	t.Parallel()
	const text = `name: pis
devices: 4
types: {pi: 1}
interval: 1s
ramp: 1000/s
phases:
  - {name: all, for: 3s}
  - {name: half, for: 1s, connected: 50%}
`
	plan, err := scenario.Parse("s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t)
	o := small(s.broker.Endpoint())
	o.Devices, o.Types, o.Interval, o.Ramp, o.Flows, o.Motion = 0, nil, 0, 0, FlowsLocal, time.Second
	o.Follow(plan)
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	watcher, subscribed := link(t, s.broker, "watcher")
	got := make(chan string, 100)
	if _, err := watcher.Subscribe("+/status", 1, func(_ context.Context, m mqttlink.Message) { got <- string(m.Payload) }); err != nil {
		t.Fatal(err)
	}
	background(t, watcher.Run)
	subscribed(1)
	if err := f.Run(t.Context()); err != nil {
		t.Error(err)
	}
	said := map[string]int{}
	for range 8 {
		select {
		case status := <-got:
			said[status]++
		case <-time.After(30 * time.Second):
			t.Fatalf("%v, want 4 each of online and offline", said)
		}
	}
	if r := f.Report(); said["online"] != 4 || said["offline"] != 4 || r.Lost > 0 || r.Pis.Readings < 4 {
		t.Errorf("%v; %s", said, r.String())
	}
}

// A broker that goes away ends no flow for good: steps that cannot be sent fail, and the next motion
// starts the next flow.
func TestFlowsOutliveTheBroker(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, log)
	if err != nil {
		t.Fatal(err)
	}
	o := small(b.Endpoint(), "pi")
	o.Devices, o.Motion, o.Flows, o.Interval = 30, time.Second, FlowsLocal, time.Hour
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	until := func(what string, is func(r Report) bool) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); !is(f.Report()); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not %s: %+v %+v", what, f.Report(), f.Report().Pis.Flows)
			}
		}
	}
	until("a flow under way", func(r Report) bool { return r.Pis.Flows.Started > r.Pis.Flows.Succeeded })
	address := b.Addr()
	b.Close()
	until("offline", func(r Report) bool { return r.Connected == 0 && r.Lost > 0 })
	if b, err = broker.Start(address, broker.Options{}, log); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	before := f.Report().Pis.Flows.Succeeded
	until("another flow", func(r Report) bool { return r.Pis.Flows.Succeeded > before+1 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := f.Report().Pis.Flows; n.Started != n.Succeeded+n.Failed+n.Aborted {
		t.Errorf("executions that have not ended: %+v", n)
	}
}

// A fleet whose pictures cannot be served does not run.
func TestPicturesNeedTheirAddress(t *testing.T) {
	s := newScene(t)
	o := small(s.broker.Endpoint(), "pi")
	o.Pictures = s.broker.Addr() // taken
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "pictures: ") || f.Report().Attempts > 0 {
		t.Errorf("%v", err)
	}
}
