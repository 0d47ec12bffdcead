package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/gateway"
	"pithings/gateway/field"
	"pithings/gateway/rule"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/linktest"
)

type link struct{ *linktest.Client }

func (link) Connected() bool { return true }

var sensor = device.Model{
	Events:     map[string]device.EventModel{"state": {}},
	Quantities: []device.Quantity{{Name: "temperature", Event: "state", Key: "t", Unit: "°C"}, {Name: "humidity", Event: "state", Key: "h"}},
}

// settings reads a section as a configuration has it.
func settings(t *testing.T, yaml string) *gateway.Settings {
	t.Helper()
	var s gateway.Settings
	conf.Fill(&s)
	d := conf.NewDecoder("test.yaml", conf.NewVariables(nil))
	doc := d.Document([]byte(yaml), "")
	d.Struct(doc, &s, "", "gateway")
	s.Check(func(path, format string, args ...any) { d.Bad(path, format, args...) }, &rule.Params{Serial: "s", MAC: "m", Custom: s.Params})
	if _, err := d.Result(); err != nil {
		t.Fatal(err)
	}
	return &s
}

// rig is a gateway that runs, in a bubble of synctest.
type rig struct {
	*gateway.Gateway
	link link
	bus  *device.Bus
	log  *strings.Builder
	end  func()
}

func run(t *testing.T, yaml, state string, c *clock.Clock, before ...*gateway.Gateway) *rig {
	t.Helper()
	r := &rig{link: link{linktest.New()}, bus: new(device.Bus), log: new(strings.Builder)}
	o := gateway.Options{Settings: settings(t, yaml), Things: []field.Thing{{Name: "env", Model: sensor}}, Events: r.bus,
		Up: func(string) bool { return true }, Link: r.link, Clock: c, State: state, Log: slog.New(slog.NewTextHandler(r.log, nil))}
	if len(before) > 0 {
		o.Before = before[0]
	}
	r.Gateway = gateway.New(o)
	done := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- r.Run(ctx) }()
	r.end = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.link.Close()
	}
	return r
}

func (r *rig) reading(values device.Values) {
	r.bus.Emit(device.Event{Thing: "env", Name: "state", Values: values, At: time.Now()})
}

// Three groups at different rates and an alarm that flaps, for an hour: everything is
// published in the order of collection, alarms apart from readings.
func TestHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `
groups: [{name: fast, polling: 10s}, {name: slow, polling: 60s}, {name: late, polling: 7s, upload: 60s}]
variables:
  - {device: env, name: a, value: temperature, group: fast}
  - {device: env, name: b, value: temperature, group: slow}
  - {device: env, name: c, value: temperature, group: late}
alarms: [{name: Hot, device: env, variable: a, condition1: Gt, operand1: "30"}]
publish:
  - {name: p1, topic: fast, groups: [fast]}
  - {name: p2, topic: slow, groups: [slow, late]}
  - {name: p3, topic: alarm, groups: [alarm]}
`, "", nil)
		for i := range 3600 {
			r.reading(device.Values{"t": float64(25 + i%10)}) // above 30 for four seconds of ten
			time.Sleep(time.Second)
		}
		synctest.Wait()
		r.end()
		counts, last := map[string]int{}, 0.0
		for _, m := range r.link.Published("#") {
			counts[m.Topic]++
			var d struct {
				Timestamp float64 `json:"timestamp"`
			}
			if err := json.Unmarshal(m.Payload, &d); err != nil {
				t.Fatal(err)
			}
			if d.Timestamp < last {
				t.Fatalf("%s: %v after %v", m.Topic, d.Timestamp, last)
			}
			if last = d.Timestamp; m.Alarm != (m.Topic == "alarm") || m.Time.UnixMicro() != int64(d.Timestamp*1e6+0.5) {
				t.Fatalf("%s: alarm %v, time %v for %v", m.Topic, m.Alarm, m.Time, d.Timestamp)
			}
		}
		// late is handed over at the first poll after each minute, for the last time at 3549 s; the
		// alarm is not cleared at the end.
		if got := fmt.Sprint(counts); got != "map[alarm:719 fast:360 slow:119]" {
			t.Errorf("published %v", got)
		}
	})
}

// A slow rule holds up neither the polls of other groups, nor alarms, nor functions.
func TestSlowRuleStarvesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `
groups: [{name: fast, polling: 500ms}, {name: slow, polling: 1s}]
variables:
  - {device: env, name: a, value: temperature, group: fast}
  - {device: env, name: b, value: temperature, group: slow}
alarms: [{name: Hot, device: env, variable: a, condition1: Gt, operand1: "30"}]
publish:
  - {name: fast, topic: fast, groups: [fast]}
  - {name: slow, topic: slow, groups: [slow], code: "import time\ndef main(d, w):\n  time.sleep(4)\n  return d"}
  - {name: alarm, topic: alarm, groups: [alarm]}
functions: [{name: f, every: 1s, code: "def main(w):\n  w.mqtt_publish('function', 'x', 1)"}]
`, "", nil)
		for i := range 20 {
			r.reading(device.Values{"t": float64(29 + 2*(i%2))})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		counts := map[string]int{}
		for _, m := range r.link.Published("#") {
			counts[m.Topic]++
		}
		if got := fmt.Sprint(counts); got != "map[alarm:19 fast:40 function:20 slow:4]" {
			t.Errorf("published %v in 20 s", got)
		}
		r.end()
	})
}

// Alarms are kept over a restart, in a file that is not written for each flapping.
func TestAlarmsAreKept(t *testing.T) {
	const yaml = `
variables: [{device: env, group: default}]
alarms: [{name: Hot, device: env, variable: temperature, condition1: Gt, operand1: "30", level: 3}]
publish: [{name: p, topic: alarm, groups: [alarm]}]
`
	synctest.Test(t, func(t *testing.T) {
		state := filepath.Join(t.TempDir(), "gateway")
		file := filepath.Join(state, "alarms.json")
		r := run(t, yaml, state, nil)
		r.reading(device.Values{"t": 31.0})
		synctest.Wait()
		if _, err := os.Stat(file); err == nil {
			t.Error("the file is written at once")
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
		if _, err := r.Acknowledge("Hot"); err != nil {
			t.Error(err)
		}
		r.end()
		if n := len(r.link.Published("alarm")); n != 1 {
			t.Errorf("%d alarms", n)
		}
		again := run(t, yaml, state, nil)
		if a := again.Alarms()[0]; !a.On || !a.Acknowledged || a.Level != 3 || a.Trigger != 31.0 {
			t.Errorf("kept %+v", a)
		}
		again.reading(device.Values{"t": 32.0})
		synctest.Wait()
		if got := len(again.link.Published("alarm")); got != 0 {
			t.Errorf("triggered again: %d", got)
		}
		again.reading(device.Values{"t": 20.0})
		synctest.Wait()
		if got := again.link.Published("alarm"); len(got) != 1 || !strings.Contains(string(got[0].Payload), `"current": "off"`) {
			t.Errorf("not cleared: %v", got)
		}
		again.end()
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		broken := run(t, yaml, state, nil)
		if broken.Alarms()[0].On || !strings.Contains(broken.log.String(), "cannot be read") {
			t.Errorf("log: %s", broken.log.String())
		}
		broken.end()
	})
}

// unsure returns a clock that is not known until right is set.
func unsure(t *testing.T, right *atomic.Bool) *clock.Clock {
	t.Helper()
	began := time.Now()
	c := clock.New(clock.Options{Machine: &clock.Machine{
		Root: fstest.MapFS{"run/systemd/timesync/.keep": {}}, Now: time.Now, Uptime: func() time.Duration { return time.Since(began) },
		Synchronised: func() (bool, error) { return right.Load(), nil },
	}})
	if c.Known() {
		t.Fatalf("the clock is known: %v", c.Verdict())
	}
	return c
}

// An alarm of the last moment is published at the end, or by the next gateway, once.
func TestAlarmAtTheEnd(t *testing.T) {
	const yaml = `
variables: [{device: env, group: default}]
alarms: [{name: Hot, device: env, variable: temperature, condition1: Gt, operand1: "30"}]
publish: [{name: p, topic: alarm, groups: [alarm]CODE}]
`
	quick, slow := strings.Replace(yaml, "CODE", "", 1), strings.Replace(yaml, "CODE", `, code: "import time\ndef main(d, w):\n  time.sleep(4)\n  return d"`, 1)
	for _, tt := range []struct {
		name, first   string
		unsure        bool
		atEnd, atNext int
		reload        bool
	}{
		{"a quick rule", quick, false, 1, 0, false},
		{"a slow rule", slow, false, 0, 1, false},
		{"a slow rule, reloaded", slow, false, 0, 1, true},
		{"an unknown clock", quick, true, 0, 1, false},
		{"an unknown clock, reloaded", quick, true, 0, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := filepath.Join(t.TempDir(), "gateway")
				var c *clock.Clock
				if tt.unsure {
					c = unsure(t, new(atomic.Bool))
				}
				count := func(r *rig, want int, when string) {
					t.Helper()
					all := r.link.Published("alarm")
					if len(all) != want {
						t.Errorf("%d alarms %s, want %d; log:\n%s", len(all), when, want, r.log)
					}
					for _, m := range all {
						if !strings.Contains(string(m.Payload), `"current": "on"`) || !strings.Contains(string(m.Payload), `"value": 31`) || time.Until(m.Time).Abs() > time.Minute {
							t.Errorf("%s: %v %s", when, m.Time, m.Payload)
						}
					}
				}
				r := run(t, tt.first, state, c)
				synctest.Wait()
				r.reading(device.Values{"t": 31.0})
				r.end()
				count(r, tt.atEnd, "at the end")
				var before []*gateway.Gateway
				if tt.reload {
					before = append(before, r.Gateway)
				}
				for i, want := range []int{tt.atNext, 0} {
					next := run(t, quick, state, nil, before...)
					time.Sleep(time.Second)
					synctest.Wait()
					next.end()
					count(next, want, fmt.Sprintf("of run %d", i+2))
					if !next.Alarms()[0].On {
						t.Error("the alarm is cleared")
					}
					before = nil
				}
			})
		})
	}
}

// While the clock is not known to be right, data waits, and is dated when it is.
func TestDataWaitsForTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, right := time.Now(), new(atomic.Bool)
		c := unsure(t, right)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = c.Run(ctx) }()
		r := run(t, "variables: [{device: env}]\npublish: [{name: p, topic: up, groups: [default]}]\n", "", c)
		r.reading(device.Values{"t": 1.0, "h": 2.0})
		time.Sleep(35 * time.Second)
		synctest.Wait()
		if n := len(r.link.Published("up")); n != 0 {
			t.Errorf("%d rounds without a date", n)
		}
		right.Store(true)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		rounds := r.link.Published("up")
		if len(rounds) != 3 {
			t.Fatalf("%d rounds when the clock was known", len(rounds))
		}
		for i, m := range rounds {
			if want := began.Add(time.Duration(i+1) * 10 * time.Second); m.Time.Sub(want).Abs() > time.Millisecond {
				t.Errorf("round %d has the time %v, not %v", i, m.Time, want)
			}
		}
		cancel()
		r.end()
	})
}

// A gateway with nothing to do is none.
func TestUsed(t *testing.T) {
	var s gateway.Settings
	conf.Fill(&s)
	if s.Used() {
		t.Error("empty settings are used")
	}
	if s := settings(t, "variables: [{device: env}]"); !s.Used() {
		t.Error("settings with a variable are not used")
	}
}

// What is wrong with settings is reported with its place.
func TestCheck(t *testing.T) {
	for yaml, want := range map[string]string{
		"publish: [{name: p, topic: a, groups: [none]}]":                                             `there is no group "none"`,
		"publish: [{name: p, topic: 'a/${x}', groups: [default]}]":                                   "there is no global parameter x",
		"publish: [{name: p, topic: 'a/#', groups: [default]}]":                                      "wildcard",
		"publish: [{name: p, topic: a, groups: [default], script: x.py, code: y}]":                   "both script and code",
		"publish: [{topic: a, groups: [default]}]":                                                   "item 1 has no name",
		"publish: [{name: p, topic: a}]":                                                             "has no groups",
		"publish: [{name: p, topic: a, groups: [default]}, {name: p, topic: b, groups: [default]}]":  `there are two publish named "p"`,
		"subscribe: [{name: s, topic: 'a/#/b', code: x}]":                                            "#",
		"subscribe: [{name: s, topic: a}]":                                                           "has no script",
		"functions: [{name: f, code: x}]":                                                            "never runs",
		"functions: [{name: f, code: x, every: 1ms}]":                                                "too often",
		"variables: [{device: d, group: a}]\ngroups: [{name: a, type: alarm}]":                       `there is no group "a" of variables`,
		"variables: [{device: d, group: none}]":                                                      `there is no group "none"`,
		"variables: [{device: d, name: x, value: a, expression: b}]":                                 "both value and expression",
		"variables: [{device: d, name: x}, {device: d, name: x}]":                                    "two variables",
		"variables: [{name: x}]":                                                                     "has no device",
		"alarms: [{name: a, device: d, variable: v, condition1: Gt, operand1: '1', combine: And}]":   "needs condition2",
		"alarms: [{name: a, device: d, variable: v, condition1: Gt, operand1: '1', group: default}]": "one of variables",
		"alarms: [{name: a, device: d, variable: v, condition1: Gt}]":                                "has no operand1",
		"groups: [{name: g}, {name: g}]":                                                             "two groups",
	} {
		var s gateway.Settings
		conf.Fill(&s)
		d := conf.NewDecoder("test.yaml", conf.NewVariables(nil))
		d.Struct(d.Document([]byte(yaml), ""), &s, "", "gateway")
		s.Check(func(path, format string, args ...any) { d.Bad(path, format, args...) }, &rule.Params{Serial: "s", MAC: "m"})
		_, err := d.Result()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "test.yaml:1:") {
			t.Errorf("%s: %v, want %s", yaml, err, want)
		}
	}
}

// Scripts and expressions are compiled by a check.
func TestCheckScripts(t *testing.T) {
	s := settings(t, "variables: [{device: d, name: x, expression: '1 +'}]\npublish: [{name: p, topic: a, groups: [default], code: \"def main(d, w):\\n  yield d\"}, {name: q, topic: a, groups: [default], script: none.py}]")
	var got []string
	s.CheckScripts(func(path, format string, args ...any) { got = append(got, path+": "+fmt.Sprintf(format, args...)) })
	all := strings.Join(got, "\n")
	for _, want := range []string{"publish[0].code: rule \"p\": line 2", "publish[1].script: rule \"q\"", "variables[0].expression: variable \"x\""} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not among\n%s", want, all)
		}
	}
}

// A whole number reaches a script as an int, and JSON without a fraction.
func TestWholeNumberInScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `
variables: [{device: env, name: n, value: temperature}, {device: env, name: f, value: humidity}]
publish: [{name: p, topic: up, groups: [default], code: "def main(d, w):\n  v = d['values']['env']\n  return [v['n']['raw_data'], str(v['n']['raw_data']), v['f']['raw_data']]"}]
`, "", nil)
		r.reading(device.Values{"t": int64(12), "h": 33.0})
		time.Sleep(11 * time.Second)
		synctest.Wait()
		r.end()
		if all := r.link.Published("up"); len(all) != 1 || string(all[0].Payload) != `[12, "12", 33.0]` {
			t.Errorf("published %v", all)
		}
	})
}
