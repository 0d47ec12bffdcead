package homeassistant_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/homeassistant"
	"pithings/mqttlink"
)

// link is a connection whose broker acknowledges when the test says so.
type link struct {
	mu        sync.Mutex
	published []mqttlink.Message
	waiting   []func()
	holds     bool // acknowledgements
	handlers  map[string]mqttlink.Handler
	refuse    error
}

func (l *link) Publish(_ context.Context, m mqttlink.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	l.published = append(l.published, m)
	if l.holds {
		l.waiting = append(l.waiting, m.Delivered)
	} else {
		m.Delivered()
	}
	return nil
}

func (l *link) acknowledge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.waiting {
		f()
	}
	l.waiting, l.holds = nil, false
}

func (l *link) Subscribe(filter string, _ byte, h mqttlink.Handler) (func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handlers[filter] = h
	return func() {}, nil
}

func (l *link) SubscribeAll([]string, byte, mqttlink.Handler) (func(), error) {
	return nil, errors.New("not used")
}

func (l *link) inject(m mqttlink.Message) {
	l.mu.Lock()
	h := l.handlers[m.Topic]
	l.mu.Unlock()
	h(context.Background(), m)
}

// on returns what was published on a topic.
func (l *link) on(topic string) (payloads []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.published {
		if m.Topic == topic {
			payloads = append(payloads, string(m.Payload))
		}
	}
	return payloads
}

// rig is a service in a bubble of its own time.
type rig struct {
	*homeassistant.Service
	t    *testing.T
	link *link
	dir  string
	d    *homeassistant.Description

	mu    sync.Mutex
	set   []map[string]any // settings that the agent got
	times []time.Time      // when
	fail  error            // why it takes none
	end   func()
}

const (
	discovery = "homeassistant/device/pithings-hall/config"
	state     = "hall/home_assistant/state"
	setTopic  = "hall/home_assistant/set"
	birth     = "homeassistant/status"
)

func newRig(t *testing.T, dir string, d *homeassistant.Description) *rig {
	r := &rig{t: t, link: &link{handlers: map[string]mqttlink.Handler{}}, dir: dir, d: d}
	o := homeassistant.Options{Prefix: "homeassistant", Dir: dir, Link: r.link, Log: slog.New(slog.DiscardHandler),
		Parts: func() map[string]*bool { return map[string]*bool{"TG_MS": new(true)} },
		Set: func(_ context.Context, thing string, changes map[string]any) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.set = append(r.set, map[string]any{thing: changes})
			r.times = append(r.times, time.Now())
			return r.fail
		}}
	if d != nil {
		o.Describe = func() *homeassistant.Description { return r.d }
	}
	r.Service = homeassistant.New(o)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.end = func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	return r
}

// changes are the settings that the agent got, and when.
func (r *rig) changes() ([]map[string]any, []time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.set), slices.Clone(r.times)
}

// refuse has the agent take no settings.
func (r *rig) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// settle lets all that is due be published.
func (r *rig) settle() {
	time.Sleep(6 * time.Second)
	synctest.Wait()
}

func (r *rig) want(topic string, n int, why string) {
	r.t.Helper()
	r.settle()
	if got := r.link.on(topic); len(got) != n {
		r.t.Errorf("%s: %s was published %d times, want %d", why, topic, len(got), n)
	}
}

// Each connect and each birth of Home Assistant brings the message once, also when both come together.
func TestPublishedOnceForEachOccasion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), pi())
		defer r.end()
		r.want(discovery, 0, "without a connection")
		r.Online(true)
		r.want(discovery, 1, "connected")
		for _, m := range r.link.published {
			if !m.Retain || m.QoS != 1 {
				t.Errorf("%s: retained %v, QoS %d", m.Topic, m.Retain, m.QoS)
			}
		}
		r.link.inject(mqttlink.Message{Topic: birth, Payload: []byte("online")})
		r.want(discovery, 2, "birth")
		r.link.inject(mqttlink.Message{Topic: birth, Payload: []byte("offline")})
		r.want(discovery, 2, "end of Home Assistant")
		r.Online(false)
		r.link.inject(mqttlink.Message{Topic: birth, Payload: []byte("online")})
		r.want(discovery, 2, "no connection")
		r.Online(true)
		r.link.inject(mqttlink.Message{Topic: birth, Payload: []byte("online"), Retain: true})
		r.want(discovery, 3, "reconnected, with a birth")
		r.Changed()
		r.want(discovery, 3, "nothing has changed")
		r.d.Version = "1.5.0"
		r.Changed()
		r.Changed()
		r.want(discovery, 4, "a new version")
	})
}

// The message waits for a while that differs, so that many devices do not publish together.
func TestJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 8 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, t.TempDir(), pi())
			defer r.end()
			began := time.Now()
			r.Online(true)
			for len(r.link.on(discovery)) == 0 {
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			after := time.Since(began)
			if after < 500*time.Millisecond || after > 5001*time.Millisecond {
				t.Errorf("published after %v", after)
			}
			seen[after] = true
		})
	}
	if len(seen) < 4 {
		t.Errorf("eight devices publish at %v", seen)
	}
}

// While the message waits for its acknowledgement there is no second one in the outbox, whatever
// happens. What has changed meanwhile follows.
func TestNeverTwiceInTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), pi())
		defer r.end()
		r.link.holds = true
		r.Online(true)
		r.want(discovery, 1, "connected")
		for range 5 {
			r.Online(false)
			r.Online(true)
			r.link.inject(mqttlink.Message{Topic: birth, Payload: []byte("online")})
			r.settle()
		}
		r.d.Version = "1.5.0"
		r.Changed()
		r.want(discovery, 1, "not acknowledged")
		r.want(state, 1, "not acknowledged")
		r.link.acknowledge()
		r.want(discovery, 2, "changed meanwhile")
		if last := r.link.on(discovery)[1]; !strings.Contains(last, "1.5.0") {
			t.Errorf("published %.200s", last)
		}

		r.link.holds = true // and one that expires in the outbox is published again
		r.Online(true)
		r.want(discovery, 3, "reconnected")
		time.Sleep(11 * time.Minute)
		r.want(discovery, 4, "expired")
		for _, m := range r.link.published {
			if m.Expiry != 10*time.Minute {
				t.Errorf("%s expires after %v", m.Topic, m.Expiry)
			}
		}
	})
}

// What leaves the configuration is removed: its components are published with nothing but their
// platform until that is delivered, also by the next process.
func TestRemovedThingsDisappear(t *testing.T) {
	dir := t.TempDir()
	last := func(r *rig) map[string]map[string]any {
		r.settle()
		all := r.link.on(discovery)
		if len(all) == 0 {
			r.t.Fatal("nothing was published")
		}
		var m map[string]any
		decode(r.t, []byte(all[len(all)-1]), &m)
		if err := newRules(r.t).check(m); err != nil {
			r.t.Error(err)
		}
		return components(m)
	}
	without := func(name string) *homeassistant.Description {
		d := pi()
		d.Things = slices.DeleteFunc(d.Things, func(t homeassistant.Thing) bool { return t.Name == name })
		return d
	}
	gone := func(r *rig, all map[string]map[string]any, id, platform string) {
		r.t.Helper()
		if c, ok := all[id]; !ok || len(c) != 1 || c["p"] != platform {
			r.t.Errorf("%s is %v, want its platform alone", id, c)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dir, pi())
		r.Online(true)
		if _, ok := last(r)["relay-state"]; !ok {
			t.Error("there is no relay")
		}
		r.d = without("relay")
		r.Changed()
		gone(r, last(r), "relay-state", "switch")
		r.link.inject(mqttlink.Message{Topic: birth, Payload: []byte("online")})
		if c, ok := last(r)["relay-state"]; ok {
			t.Errorf("its removal was delivered, and it is still %v", c)
		}
		r.end()
	})
	synctest.Test(t, func(t *testing.T) { // changed while the agent did not run, and no broker there
		r := newRig(t, dir, without("door"))
		r.link.holds = true
		r.Online(true)
		gone(r, last(r), "door-event", "event")
		gone(r, last(r), "door-event-pressed", "device_automation")
		r.end()
	})
	synctest.Test(t, func(t *testing.T) { // the one before ended without an acknowledgement
		r := newRig(t, dir, without("door"))
		r.Online(true)
		gone(r, last(r), "door-event", "event")
		r.end()
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dir, without("door"))
		r.Online(true)
		if c, ok := last(r)["door-event"]; ok {
			t.Errorf("the door is %v", c)
		}
		r.end()
	})
}

// A device that is switched off, or gets another name, disappears as a whole.
func TestDevicesDisappear(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dir, pi())
		r.Online(true)
		r.want(discovery, 1, "connected")
		r.end()
	})
	if !homeassistant.Remembered(dir) {
		t.Fatal("it is not remembered")
	}
	synctest.Test(t, func(t *testing.T) {
		d := pi()
		d.Prefix = "ha"
		r := newRig(t, dir, d)
		r.Online(true)
		r.want("ha/device/pithings-hall/config", 1, "another prefix")
		if got := r.link.on(discovery); !slices.Equal(got, []string{""}) {
			t.Errorf("the old message is %q", got)
		}
		r.end()
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dir, nil)
		r.link.holds = true
		r.Online(true)
		r.settle()
		if !homeassistant.Remembered(dir) {
			t.Error("it is forgotten before the broker has it")
		}
		r.link.acknowledge()
		r.settle()
		if got := r.link.on("ha/device/pithings-hall/config"); !slices.Equal(got, []string{""}) || len(r.link.on(state)) != 1 {
			t.Errorf("the message is %q", got)
		}
		if homeassistant.Remembered(dir) {
			t.Error("it is still remembered")
		}
		r.Online(true)
		r.want("ha/device/pithings-hall/config", 1, "nothing is left to do")
		r.end()
	})
}

// A sensor whose quantities are known only when it is open keeps those that it had.
func TestUnknownQuantitiesStay(t *testing.T) {
	dir := t.TempDir()
	attic := func(unknown bool) *homeassistant.Description {
		d := pi()
		for i := range d.Things {
			if one := &d.Things[i]; one.Name == "attic" {
				if one.Unknown = unknown; unknown {
					one.Model.Quantities = nil
				}
			}
		}
		return d
	}
	for _, unknown := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, dir, attic(unknown))
			r.Online(true)
			r.settle()
			var m map[string]any
			decode(t, []byte(r.link.on(discovery)[0]), &m)
			if c := components(m)["attic-temperature"]; c["dev_cla"] != "temperature" {
				t.Errorf("unknown %v: %v", unknown, c)
			}
			r.end()
		})
	}
}

// Numbers are set through the agent, in their limits and not too fast; nothing else is.
func TestSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), pi())
		defer r.end()
		r.Online(true)
		r.settle()
		send := func(payload string) { r.link.inject(mqttlink.Message{Topic: setTopic, Payload: []byte(payload)}) }
		for _, payload := range []string{
			"", "{}", "null", "[]", `{"thing":"bme680","key":"interval"}`, `{"thing":"bme680","key":"interval","value":"5s"}`,
			`{"thing":"bme680","key":"bus","value":1}`, `{"thing":"bme680","key":"interval","value":0.001}`, `{"thing":"bme680","key":"interval","value":1e300}`,
			`{"thing":"nobody","key":"interval","value":5}`, `{"thing":"relay","key":"max_on","value":5}`, `{"thing":"TG_MS","key":"pin","value":5}`,
			`{"thing":"bme680","key":"` + strings.Repeat("x", 2000) + `","value":5}`,
		} {
			send(payload)
			r.settle()
		}
		r.link.inject(mqttlink.Message{Topic: setTopic, Payload: []byte(`{"thing":"bme680","key":"interval","value":5}`), Retain: true})
		r.settle()
		if set, _ := r.changes(); len(set) != 0 {
			t.Errorf("these were set: %v", set)
		}
		send(`{"thing":"TG_Camera","key":"quality","value":70}`)
		synctest.Wait() // it is being set
		send(`{"thing":"bme680","key":"interval","value":7}`)
		send(`{"thing":"bme680","key":"interval","value":5}`) // the last one counts
		send(`{"thing":"bme680","key":"heater.temperature","value":300}`)
		r.settle()
		set, times := r.changes()
		got, err := json.Marshal(set)
		if want := `[{"TG_Camera":{"quality":70}},{"bme680":{"interval":"5s"}},{"bme680":{"heater":{"temperature":300}}}]`; err != nil || string(got) != want {
			t.Fatalf("set %s, want %s", got, want)
		}
		if times[2].Sub(times[0]) < 2*time.Second {
			t.Errorf("three settings were changed at %v", times)
		}
		before := len(r.link.on(state))
		r.refuse(errors.New("no"))
		send(`{"thing":"bme680","key":"interval","value":9}`)
		r.want(state, before+1, "what is in effect after a refusal")
		for range 1000 { // the queue is bounded
			send(`{"thing":"x","key":"` + strings.Repeat("k", 900) + `","value":1}`)
		}
	})
}

// What was remembered and is damaged does no harm, and a folder that cannot be written neither.
func TestDamagedMemory(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "{", `{"topics":3}`, `{"topics":["a"],"components":{"b":{"keys":7}}}`, strings.Repeat("x", 1<<20)} {
		if err := os.WriteFile(filepath.Join(dir, homeassistant.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, dir, pi())
			defer r.end()
			r.Online(true)
			r.want(discovery, 1, "damaged memory")
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(dir, "nowhere"), pi())
		defer r.end()
		r.link.refuse = errors.New("full")
		r.Online(true)
		r.want(discovery, 0, "refused")
		r.link.refuse = nil
		r.Online(true)
		r.want(discovery, 1, "accepted")
	})
}

// FuzzSetting: no command of another client breaks anything, or sets what may not be set.
func FuzzSetting(f *testing.F) {
	f.Add([]byte(`{"thing":"bme680","key":"interval","value":5}`))
	f.Add([]byte(`{"thing":"bme680","key":"interval","value":1e999}`))
	f.Add([]byte(`{"thing":"TG_MS","key":"pin","value":null}`))
	d := pi()
	f.Fuzz(func(t *testing.T, payload []byte) {
		thing, changes, err := homeassistant.ParseSetting(d, payload)
		if err != nil {
			return
		}
		if i := slices.IndexFunc(d.Things, func(t homeassistant.Thing) bool { return t.Name == thing }); i < 0 || len(changes) != 1 {
			t.Errorf("%q sets %v of %q", payload, changes, thing)
		}
	})
}
