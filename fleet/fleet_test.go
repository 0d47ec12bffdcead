package fleet

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/cloud"
	"pithings/fleet/internal/playground"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
)

// small are options for a few devices.
func small(endpoint string, types ...string) Options {
	return Options{
		Broker: mqttlink.Options{Endpoint: endpoint}, Devices: max(len(types), 1), Types: types,
		Interval: 100 * time.Millisecond, Ramp: 1000, QoS: 1, Seed: 1,
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Options)
		says   string // "" if it is right
	}{
		{"as they are", func(*Options) {}, ""},
		{"no endpoint", func(o *Options) { o.Broker.Endpoint = "" }, "no endpoint"},
		{"WebSocket", func(o *Options) { o.Broker.Endpoint = "ws://127.0.0.1" }, "mqtt:// and mqtts:// only"},
		{"no devices", func(o *Options) { o.Devices = 0 }, "give a number"},
		{"too many devices", func(o *Options) { o.Devices = MaxDevices + 1 }, "give a number"},
		{"an unknown type", func(o *Options) { o.Types = []string{"blub"} }, "did you mean"},
		{"a switch alone", func(o *Options) { o.Types = []string{"switch"} }, "needs a device"},
		{"a switch and a bulb", func(o *Options) { o.Types, o.Devices = []string{"switch", "bulb"}, 2 }, ""},
		{"a switch before the first bulb", func(o *Options) { o.Types, o.Devices = []string{"switch", "bulb"}, 1 }, "needs a device"},
		{"a short interval", func(o *Options) { o.Interval = time.Microsecond }, "interval"},
		{"too many messages", func(o *Options) { o.Devices, o.Interval = 20000, 100*time.Millisecond }, "messages a second"},
		{"QoS 2", func(o *Options) { o.QoS = 2 }, "QoS 0 and 1"},
		{"no ramp", func(o *Options) { o.Ramp = 0 }, "ramp"},
		{"a slow ramp", func(o *Options) { o.Ramp = MinRamp }, ""},
		{"a tiny ramp", func(o *Options) { o.Ramp = 1e-10 }, "from 0.001 to 20000"},
		{"no number as a ramp", func(o *Options) { o.Ramp = math.NaN() }, "ramp"},
		{"a steep ramp", func(o *Options) { o.Ramp = MaxRamp + 1 }, "ramp"},
		{"Defender too often", func(o *Options) { o.Defender = time.Minute }, "Defender"},
		{"a prefix for topics", func(o *Options) { o.Prefix = "a/#" }, "names that begin"},
		{"the longest prefix", func(o *Options) { o.Prefix = strings.Repeat("a", 124) }, ""},
		{"a prefix that is too long for the last device", func(o *Options) { o.Prefix, o.Devices = strings.Repeat("a", 124), 10000 }, "names that begin"},
		{"a long keepalive", func(o *Options) { o.Broker.KeepAlive = 24 * time.Hour }, "keepalive"},
	} {
		o := small("mqtt://127.0.0.1:1")
		tc.change(&o)
		if _, err := o.check(); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
	}
}

func TestPlan(t *testing.T) {
	o := small("mqtt://203.0.113.9", "generic", "telemetry")
	o.Devices, o.Interval, o.Ramp, o.Defender = 100, 10*time.Second, 50, 5*time.Minute
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	const want = "100 devices (generic, telemetry) connect to mqtt://203.0.113.9:1883, at most 50 in a second: all within 2s at best\n" +
		"each publishes telemetry with QoS 1 every 10s: 10 messages a second\n"
	if got := f.Plan(); got != want {
		t.Errorf("%s", got)
	}
	if r := f.Report(); r.Seconds != 0 {
		t.Errorf("%v s before it runs", r.Seconds)
	}
	f.Broker.Endpoint = "mqtts://a1b2c3-ats.iot.eu-west-1.amazonaws.com"
	if got := f.Plan(); !strings.Contains(got, "that is 878400 messages and 144000 minutes of connection a day") {
		t.Errorf("%s", got)
	}
}

// scene is a broker of AWS's services, and a client that looks on.
type scene struct {
	broker *broker.Broker
	link   *mqttlink.Link
	cloud  *cloud.Cloud
}

func newScene(t *testing.T) *scene {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, log)
	if err != nil {
		t.Fatal(err)
	}
	l, subscribed := link(t, b, "cloud")
	s := &scene{broker: b, link: l}
	if s.cloud, err = cloud.New(cloud.Options{Client: s.link, Dir: t.TempDir(), Log: log}); err != nil {
		t.Fatal(err)
	}
	background(t, s.link.Run, s.cloud.Run)
	t.Cleanup(func() { s.cloud.Close(); b.Close() })
	subscribed(len(s.cloud.Filters()))
	return s
}

// link makes a link. subscribed waits for answers to so many subscriptions.
func link(t *testing.T, b *broker.Broker, id string) (l *mqttlink.Link, subscribed func(n int)) {
	t.Helper()
	answered := make(chan int, 100)
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID = b.Endpoint(), id
	o.OnSuback = func(filters, _ []string) { answered <- len(filters) }
	l, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l, func(n int) {
		t.Helper()
		for deadline := time.After(20 * time.Second); n > 0; {
			select {
			case some := <-answered:
				n -= some
			case <-deadline:
				t.Fatalf("%s: %d subscriptions are not answered", id, n)
			}
		}
	}
}

// background runs services until the test ends.
func background(t *testing.T, all ...func(context.Context) error) {
	for _, run := range all {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = run(ctx) }()
		t.Cleanup(func() { cancel(); <-ended })
	}
}

// A fleet at a broker with a cloud: a switch switches a controlled device through its shadow, a
// command is answered, a job is done, and Device Defender takes the report.
func TestFleetWithCloud(t *testing.T) {
	s := newScene(t)
	o := small(s.broker.Endpoint(), "switch", "controlled", "generic", "telemetry")
	p, err := o.check()
	if err != nil {
		t.Fatal(err)
	}
	p.Defender = time.Second
	f, err := assemble(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	watcher, subscribed := link(t, s.broker, "watcher")
	got := map[string]chan string{}
	for _, topic := range []string{
		"dt/ac/company1/area1/dev-0004/temp", "cmd/dev-0003/event", "cmd/ac/dev-0004/res",
		"$aws/things/dev-0002/shadow/update/documents", "$aws/things/dev-0003/defender/metrics/json/accepted",
		"$aws/things/dev-0003/jobs/change/update/accepted",
	} {
		c := make(chan string, 1000)
		got[topic] = c
		if _, err := watcher.Subscribe(topic, 1, func(_ context.Context, m mqttlink.Message) { c <- string(m.Payload) }); err != nil {
			t.Fatal(err)
		}
	}
	background(t, watcher.Run)
	subscribed(len(got))
	wait := func(topic string, is func(payload string) bool) {
		t.Helper()
		for deadline := time.After(20 * time.Second); ; {
			select {
			case payload := <-got[topic]:
				if is(payload) {
					return
				}
			case <-deadline:
				t.Fatalf("nothing of the kind on %s; %+v", topic, f.Report())
			}
		}
	}
	if err := s.cloud.CreateJob(t.Context(), cloud.Job{ID: "change", Document: json.RawMessage(`{"action":"change-unit","unit":"imperial"}`), Things: []string{"dev-0003"}}); err != nil {
		t.Fatal(err)
	}
	background(t, f.Run)
	any := func(string) bool { return true }
	wait("dt/ac/company1/area1/dev-0004/temp", func(p string) bool { return p == `{"temp": 30}` })
	wait("cmd/dev-0003/event", func(p string) bool { return p == `{"device":"dev-0003","ip":"127.0.0.1"}` })
	if err := watcher.Publish(t.Context(), mqttlink.Message{Topic: "cmd/ac/dev-0004/req", Payload: []byte(`{"type":"t","session-id":"1","response-topic":"cmd/ac/dev-0004/res"}`), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	wait("cmd/ac/dev-0004/res", func(p string) bool { return p == `{"session-id":"1","status":"OK"}` })
	for _, status := range []string{"on", "off"} {
		wait("$aws/things/dev-0002/shadow/update/documents", func(p string) bool {
			var d struct {
				Current struct {
					State struct{ Desired, Reported map[string]string }
				}
			}
			return json.Unmarshal([]byte(p), &d) == nil && d.Current.State.Desired["status"] == status && d.Current.State.Reported["status"] == status
		})
	}
	wait("$aws/things/dev-0003/jobs/change/update/accepted", any)
	wait("$aws/things/dev-0003/defender/metrics/json/accepted", any)
	r := f.Report()
	if r.ConnectedSeconds <= 0 || r.Connected != 4 || r.Lost != 0 || r.Acked == 0 || len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
}

// A switch switches the next device that obeys its shadow.
func TestTargets(t *testing.T) {
	o := small("mqtt://127.0.0.1", "switch", "generic", "bulb", "controlled")
	o.Devices = 9
	p, err := o.check()
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for i := range o.Devices {
		if p.kind(i).Kind == playground.Switch {
			targets = append(targets, p.name(i)+" "+p.target(i))
		}
	}
	if want := []string{"dev-0001 dev-0003", "dev-0005 dev-0007", "dev-0009 dev-0003"}; !reflect.DeepEqual(targets, want) {
		t.Errorf("%q, want %q", targets, want)
	}
}

// A report is asked for while a fleet begins and ends, too.
func TestReportWhileItEnds(t *testing.T) {
	f, err := New(t.Context(), small("mqtt://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	last := -1.0
	for running := true; running; {
		select {
		case err := <-ended:
			if running = false; err != nil {
				t.Error(err)
			}
		default:
		}
		r := f.Report()
		if r.Seconds < last {
			t.Errorf("%v s after %v s", r.Seconds, last)
		}
		if last = r.Seconds; r.Attempts > 0 {
			cancel()
		}
	}
	cancel()
	if again := f.Report().Seconds; last <= 0 || again != last {
		t.Errorf("%v s at the end, and %v s later", last, again)
	}
}

// The summary has what was asked of it, for people and for programs.
func TestReport(t *testing.T) {
	r := Report{Endpoint: "mqtt://127.0.0.1:1883", Devices: 3, Types: []string{"generic"}, Seed: 42, Seconds: 61.23, ConnectedSeconds: 2, Connected: 3, Attempts: 5, Sessions: 4, Lost: 1,
		Refused: 2, Published: 100, Acked: 90, Unacked: 4, Dropped: 6, Received: 7, Rate: 1.6333, Puback: Latencies{P50: 0.25, P90: 1.5, P99: 12.34, P999: 50, Max: 60}, Errors: map[string]uint64{"time-out": 2, "connection refused": 5, "a web server answers": 2, "many": 1 << 40}}
	const want = `time           1m1.2s, seed 42
connected      all 3 after 2.0 s
sessions       4 accepted of 5 attempts, 1 lost
published      100 (1.6333/s), 90 acknowledged, 4 not, 6 dropped
received       7
PUBACK after   p50 0.25 ms, p90 1.5 ms, p99 12.3 ms, at most 60 ms
refused        2 subscriptions
error          1099511627776 × many
error          5 × connection refused
error          2 × a web server answers
error          2 × time-out
`
	if got := r.String(); got != want {
		t.Errorf("%s", got)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%s: %v", text, err)
	}
}
