package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	pages "pithings/awsiot/playground"
	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/playground"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
)

// running is a fleet with a web server at a broker with a cloud, and what it publishes.
type running struct {
	*scene
	t   *testing.T
	f   *Remote
	got chan mqttlink.Message
	all map[string]int // how many were read of got, by topic
}

func run(t *testing.T, change func(*Options), types ...string) *running {
	t.Helper()
	s := newScene(t)
	return runAt(t, s, s.broker, change, types...)
}

// runAt is run at a broker, which may have a cloud.
func runAt(t *testing.T, s *scene, b *broker.Broker, change func(*Options), types ...string) *running {
	t.Helper()
	r := &running{scene: s, t: t, got: make(chan mqttlink.Message, 10000), all: map[string]int{}}
	o := small(b.Endpoint(), types...)
	o.Interval = time.Hour
	if change != nil {
		change(&o)
	}
	fleet, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fleet.Remote(HTTP{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	r.f = f
	if s != nil {
		watcher, subscribed := link(t, b, "watcher")
		for _, filter := range []string{"#", "$aws/things/+/shadow/update"} {
			if _, err := watcher.Subscribe(filter, 1, func(_ context.Context, m mqttlink.Message) { r.got <- m }); err != nil {
				t.Fatal(err)
			}
		}
		background(t, watcher.Run)
		subscribed(2)
	}
	background(t, f.Run)
	if o.Factory {
		r.await("running", func() bool {
			return f.do(0, func(time.Duration, *playground.Device, engine.Out) error { return nil }) == nil
		})
		return r
	}
	r.await("all online", func() bool { return f.Report().ConnectedSeconds > 0 })
	return r
}

// await waits until something is so.
func (r *running) await(what string, is func() bool) {
	r.t.Helper()
	for limit := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			r.t.Fatalf("never %s: %+v", what, r.f.Report())
		}
	}
}

// get asks a route and returns the status and the text of the answer.
func (r *running) get(path string) (int, string) {
	r.t.Helper()
	answer, err := http.Get(r.f.URL() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(b))
}

// ok asks a route that has to be answered so.
func (r *running) ok(path, want string) {
	r.t.Helper()
	if code, text := r.get(path); code != http.StatusOK || !strings.Contains(text, want) {
		r.t.Fatalf("%s: %d %s, want %s", path, code, text, want)
	}
}

// wait waits for a message.
func (r *running) wait(topic, payload string) {
	r.t.Helper()
	for limit := time.After(20 * time.Second); ; {
		select {
		case m := <-r.got:
			if r.all[m.Topic]++; m.Topic == topic && strings.Contains(string(m.Payload), payload) {
				return
			}
		case <-limit:
			r.t.Fatalf("no %s %s: %+v", topic, payload, r.f.Report())
		}
	}
}

// Devices are changed, made to act and read, one of them or all.
func TestChangedFromOutside(t *testing.T) {
	r := run(t, nil, "generic", "switch", "controlled", "telemetry")
	const one = "/devices/dev-0001"
	r.ok(one+"/config?topic=newtopic/{}&payload="+url.QueryEscape(`{"temp": 99}`)+"&time=3600", `"ok":true`)
	r.wait("newtopic/dev-0001", `{"temp": 99}`)
	r.ok(one+"/config?ddm_sr=300", `"ok":true`)
	r.ok(one+"/config?time=", `"message":""`)
	r.ok("/config?time=1", `"device":"all 4 devices"`)
	for _, name := range []string{"dev-0002", "dev-0004"} {
		r.wait("dt/ac/company1/area1/"+name+"/temp", "temp")
	}
	r.ok("/config?time=3600", `"ok":true`)
	r.ok("/press_off", `"ok":true`) // those that are switches; it may have pressed itself
	r.wait("$aws/things/dev-0003/shadow/update", `{"state":{"desired":{"status":"off"}}}`)
	r.ok("/devices/dev-0002/press_on", `"ok":true`)
	r.wait("$aws/things/dev-0003/shadow/update", `{"state":{"desired":{"status":"on"}}}`)
	r.wait("$aws/things/dev-0003/shadow/update", `{"state":{"reported":{"status":"on"}}}`)
	r.ok("/devices/dev-0003/shadow", `"reported":{"status":"on"}`)
	r.ok("/devices/dev-0003/", `"lit":true`)
	r.ok(one+"/press_on", "no button")
	r.ok(one+"/config?reconnect", `"ok":true`)
	r.wait("cmd/dev-0001/lwt", "Ouch Charlie")
	r.await("back", func() bool { return r.f.Report().Connected == 4 })
	r.ok(one+"/config?clean&reconnect", `"ok":true`)
	r.await("back again", func() bool { s := r.f.Report(); return s.Connected == 4 && s.Sessions == 6 })
	for _, action := range []string{"tamper", "autherr", "large"} {
		answer, err := http.PostForm(r.f.URL()+one+"/actions", url.Values{"action": {action}})
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatal(answer, err)
		}
		answer.Body.Close()
	}
	for _, want := range [][2]string{{"cmd/dev-0001/tamper", "enclosure_violated"}, {"invalid-topic-for-error", `{"auth":"error"}`}, {"newtopic/dev-0001", `{"payload":"`}} {
		r.wait(want[0], want[1])
	}
	if n := r.all["cmd/dev-0001/lwt"]; n != 1 { // another one would have come before what the session behind it sent
		t.Errorf("%d wills: one of the break, and none of the goodbye", n)
	}
	r.ok(one+"/name", `{"name":"dev-0001"}`)
	r.ok(one+"/endpoint", r.broker.Endpoint())
	r.ok(one+"/cert", "no certificate")
	r.ok(one+"/", `"topic":"newtopic/dev-0001"`)
	r.ok("/", `"connected":4`)
	r.ok("/shadow", "ask one device")
	r.ok("/devices/dev-0004/shadow", "have no shadow")
	if code, _ := r.get("/devices/dev-0005/"); code != http.StatusNotFound {
		t.Errorf("a device that there is not: %d", code)
	}
	var log struct{ Log []Entry }
	_, text := r.get(one + "/log")
	if err := json.Unmarshal([]byte(text), &log); err != nil || len(log.Log) != 11 || log.Log[0].Device != "dev-0001" || log.Log[2].Did != "time=1s" || log.Log[5].Error == "" {
		t.Errorf("%d %s: %v", len(log.Log), text, err)
	}
}

// Where a browser does not say for which page it asks, it may look and not change.
func TestBrowserThatDoesNotSay(t *testing.T) {
	r := run(t, func(o *Options) { o.Devices = 1 })
	for _, route := range pages.Routes() {
		for _, prefix := range []string{"", "/devices/dev-0001"} {
			req, err := http.NewRequest(http.MethodGet, r.f.URL()+prefix+route.Path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("User-Agent", "Mozilla/5.0 (X11)")
			answer, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if refused := answer.StatusCode == http.StatusForbidden; refused != route.Changes {
				t.Errorf("%s: %d", req.URL, answer.StatusCode)
			}
		}
	}
}

// The limits of messages hold for all that is changed from outside.
func TestLimitsHold(t *testing.T) {
	r := run(t, func(o *Options) { o.Devices, o.Interval = 20, time.Minute }, "telemetry")
	if err := r.f.budget.limit(10); err != nil {
		t.Fatal(err)
	}
	r.ok("/config?time=1", "at most 10")
	r.ok("/devices/dev-0001/", `"seconds":60`)
	r.ok("/config?time=2", `"ok":true`)
	r.ok("/devices/dev-0001/config?time=1", "at most 10")
	r.ok("/devices/dev-0001/config?time=4", `"ok":true`)
	r.ok("/devices/dev-0002/config?time=2", `"ok":true`)
	r.ok("/config?time=2", `"ok":true`)
	r.ok("/config?time=1&ddm_sr=300", "at most 10")
	r.ok("/config?time=4&ddm_sr=300", "send no reports")
	r.ok("/devices/dev-0001/", `"seconds":2`)
	r.f.budget.mu.Lock()
	rate := r.f.budget.rate
	r.f.budget.mu.Unlock()
	if fmt.Sprintf("%.6f", rate) != "10.000000" {
		t.Errorf("%v messages a second are counted", rate)
	}
}

// Messages beside telemetry have what that leaves, and at least a few.
func TestBudget(t *testing.T) {
	b := budget{most: 100, rate: 60}
	now := time.Unix(1000, 0)
	if wait := b.try(now, 40); wait != 0 {
		t.Errorf("the first 40 wait %v", wait)
	}
	if wait := b.try(now, 20); wait != 500*time.Millisecond {
		t.Errorf("20 more wait %v", wait)
	}
	if wait := b.try(now.Add(500*time.Millisecond), 20); wait != 0 {
		t.Errorf("then they wait %v", wait)
	}
	if wait := b.try(now.Add(time.Hour), 1000); wait != 0 { // more than a second's are a second's
		t.Errorf("1000 wait %v", wait)
	}
	if err := b.change(40); err != nil {
		t.Fatal(err)
	}
	if wait := b.try(now.Add(2*time.Hour), 10); wait != 0 {
		t.Errorf("10 beside full telemetry wait %v", wait)
	}
	if wait := b.try(now.Add(2*time.Hour), 1); wait != 100*time.Millisecond {
		t.Errorf("one more waits %v", wait)
	}
	if err := b.change(1); err == nil {
		t.Error("more telemetry than there may be")
	}
	if err := b.limit(50); err == nil {
		t.Error("a lower limit than the rate")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.take(ctx, 10); err != nil {
		t.Error(err)
	}
	if err := b.take(ctx, 10); err == nil {
		t.Error("it waits for a client that has gone")
	}
}

func TestRecord(t *testing.T) {
	var r record
	for i := range maxEntries + 3 {
		r.add(time.Unix(int64(i), 0), []string{"a", "b", ""}[i%3], fmt.Sprint(i), nil)
	}
	all, a := r.of(""), r.of("a")
	if len(all) != maxEntries || all[0].Did != "3" || all[len(all)-1].Did != fmt.Sprint(maxEntries+2) {
		t.Errorf("%d entries from %s to %s", len(all), all[0].Did, all[len(all)-1].Did)
	}
	for _, e := range a {
		if e.Device == "b" {
			t.Error("one of another device")
		}
	}
}

// Before it runs and after its end a fleet cannot be changed, and says so.
func TestNotRunning(t *testing.T) {
	f, err := New(t.Context(), small("mqtt://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.view(0, ""); err != errNotRunning {
		t.Error(err)
	}
}

// A token that can be guessed is none, wherever it comes from.
func TestShortToken(t *testing.T) {
	f, err := New(t.Context(), small("mqtt://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Remote(HTTP{Address: "0.0.0.0:0", Token: "fifteen letters"}); err == nil || !strings.Contains(err.Error(), "less than 16") {
		t.Error(err)
	}
}

// Names of devices, and others.
func TestFind(t *testing.T) {
	f := &Fleet{plan: &plan{Options: Options{Devices: 12000, Prefix: "dev-"}}}
	for name, want := range map[string]int{"dev-0001": 0, "dev-12000": 11999, "dev-1": -1, "dev-00001": -1, "dev-0000": -1, "dev-12001": -1, "": -1, "x": -1, "dev-+001": -1} {
		if i, ok := f.find(name); ok != (want >= 0) || ok && i != want {
			t.Errorf("%q: %d, %v", name, i, ok)
		}
	}
}
