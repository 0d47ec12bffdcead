package field_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/gateway/collect"
	"pithings/gateway/field"
)

var start = time.Date(2020, 5, 14, 5, 35, 0, 0, time.UTC)

func variable(name, of, value string, change ...func(*collect.Variable)) collect.Variable {
	var v collect.Variable
	conf.Fill(&v)
	v.Device, v.Name, v.Value = of, name, value
	for _, c := range change {
		c(&v)
	}
	return v
}

// relay is a thing as an output is.
var relay = device.Model{
	Events:     map[string]device.EventModel{"state": {}},
	Actions:    map[string]device.ActionModel{"set": {Params: map[string]device.ValueType{"state": device.StringType, "for": device.StringType}}, "beep": {}, "level": {Params: map[string]device.ValueType{"percent": device.NumberType}}},
	Quantities: []device.Quantity{{Name: "state", Event: "state", Key: "state", Class: "power"}},
}

var sensor = device.Model{
	Events: map[string]device.EventModel{"state": {}, "button": {}},
	Quantities: []device.Quantity{
		{Name: "temperature", Event: "state", Key: "t", Unit: "°C"}, {Name: "humidity", Event: "state", Key: "h", Unit: "%"}},
}

type actor struct {
	mu    sync.Mutex
	calls []string
	err   error
}

func (a *actor) Watch(string, func(map[string]any, time.Time)) (func(), error) { return nil, nil }

func (a *actor) Call(_ context.Context, action string, input map[string]any) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, fmt.Sprint(action, " ", input))
	return nil, a.err
}

type rig struct {
	*field.Field
	bus  device.Bus
	log  strings.Builder
	down map[string]bool
}

func newRig(t *testing.T, o field.Options) *rig {
	r := &rig{down: map[string]bool{}}
	o.Events = &r.bus
	o.Log = slog.New(slog.NewTextHandler(&r.log, nil))
	o.Up = func(thing string) bool { return !r.down[thing] }
	if o.Groups == nil {
		o.Groups = []collect.Group{{Name: "default", Polling: conf.Duration{Duration: 10 * time.Second}}}
	}
	r.Field = field.New(o, start)
	t.Cleanup(r.Close)
	return r
}

func (r *rig) show(round collect.Round) string {
	var all []string
	for _, s := range round.Samples {
		all = append(all, fmt.Sprintf("%s.%s=%v%s/%v", s.Device, s.Name, s.Value, s.Unit, s.Good))
	}
	return strings.Join(all, " ")
}

// Variables get the quantities and the events of things, under the names of devices.
func TestVariables(t *testing.T) {
	r := newRig(t, field.Options{
		Things:  []field.Thing{{Name: "TG_Env", Model: sensor}, {Name: "lamp", Model: relay}},
		Devices: []field.Device{{Name: "S7-1200", Thing: "TG_Env"}, {Name: "lost", Protocol: "EtherNET/IP"}},
		Variables: []collect.Variable{
			variable("Test1", "S7-1200", "temperature"), variable("pressed", "TG_Env", "button.pressed"), variable("", "lamp", ""),
			variable("x", "lost", ""), variable("y", "TG_Env", "pressure"),
		},
	})
	if got, want := r.show(r.Recall(start, nil)), "S7-1200.Test1=<nil>°C/false TG_Env.pressed=<nil>/false lamp.state=<nil>/false lost.x=<nil>/false TG_Env.y=<nil>/false"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.bus.Emit(device.Event{Thing: "TG_Env", Name: "state", Values: device.Values{"t": 21.5, "h": 40.0}, At: start})
	r.bus.Emit(device.Event{Thing: "TG_Env", Name: "button", Values: device.Values{"pressed": true}, At: start})
	r.bus.Emit(device.Event{Thing: "lamp", Name: "state", Values: device.Values{"state": "on"}, At: start})
	r.down["lamp"] = true
	rounds, _ := r.Take(start.Add(10 * time.Second))
	if len(rounds) != 1 {
		t.Fatalf("%d rounds", len(rounds))
	}
	if got, want := r.show(rounds[0]), "S7-1200.Test1=21.5°C/true TG_Env.pressed=true/true lamp.state=on/false lost.x=<nil>/false TG_Env.y=<nil>/false"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, line := range []string{`device=lost variable=x why="its device is no thing`, `device=TG_Env variable=y why="its thing has no such quantity`} {
		if !strings.Contains(r.log.String(), line) {
			t.Errorf("log has no %s:\n%s", line, r.log.String())
		}
	}
	// A failed measurement has no value.
	r.bus.Emit(device.Event{Thing: "TG_Env", Name: "state", Values: device.Values{"t": nil, "h": 40.0}, At: start})
	if got := r.show(r.Recall(start, func(v *collect.Variable) bool { return v.Name == "Test1" })); got != "S7-1200.Test1=<nil>°C/false" {
		t.Errorf("got %s", got)
	}
}

// A sensor of the kernel knows what it measures once it is open.
func TestLateQuantities(t *testing.T) {
	var known []device.Quantity
	r := newRig(t, field.Options{
		Things:    []field.Thing{{Name: "cpu", Model: device.Model{Events: map[string]device.EventModel{"state": {}}}, Quantities: func() []device.Quantity { return known }}},
		Variables: []collect.Variable{variable("", "cpu", ""), variable("hot", "cpu", "temp1")},
		Alarms:    []collect.AlarmRule{{Name: "Hot", Device: "cpu", Variable: "hot", Condition1: collect.Gt, Operand1: "80"}},
	})
	if !r.Next().IsZero() {
		t.Error("a field without variables is polled")
	}
	known = []device.Quantity{{Name: "temp1", Event: "state", Key: "temp1"}, {Name: "temp2", Event: "state", Key: "temp2"}}
	r.bus.Emit(device.Event{Thing: "cpu", Name: "state", Values: device.Values{"temp1": 81.0, "temp2": 40.0}, At: start})
	if got := r.show(r.Recall(start, nil)); got != "cpu.temp1=81/true cpu.temp2=40/true cpu.hot=81/true" {
		t.Errorf("got %s", got)
	}
	select {
	case <-r.Wake():
	default:
		t.Error("not woken for the alarm")
	}
	if _, events := r.Take(start); len(events) != 1 || !events[0].On {
		t.Errorf("alarms: %+v", events)
	}
	r.Close()
	if r.bus.Wanted("cpu", "state") {
		t.Error("a subscription is left")
	}
}

// Expressions are computed of the other variables, at polls and recalls, and are judged.
func TestComputed(t *testing.T) {
	fail := errors.New("division by zero")
	var err error
	r := newRig(t, field.Options{
		Things: []field.Thing{{Name: "TG_Env", Model: sensor}},
		Variables: []collect.Variable{variable("t", "TG_Env", "temperature"),
			variable("f", "TG_Env", "", func(v *collect.Variable) { v.Expression = "F" }), variable("bad", "TG_Env", "", func(v *collect.Variable) { v.Expression = "(" })},
		Alarms: []collect.AlarmRule{{Name: "Hot", Device: "TG_Env", Variable: "f", Condition1: collect.Gt, Operand1: "80"}},
		Compute: func(v *collect.Variable) (func(collect.Round) (any, error), error) {
			if v.Expression == "(" {
				return nil, errors.New("line 1: not closed")
			}
			return func(all collect.Round) (any, error) {
				n, _ := all.Samples[0].Value.(float64)
				return n*1.8 + 32, err
			}, nil
		},
	})
	r.bus.Emit(device.Event{Thing: "TG_Env", Name: "state", Values: device.Values{"t": 30.0}, At: start})
	rounds, events := r.Take(start.Add(10 * time.Second))
	if got := r.show(rounds[0]); got != "TG_Env.t=30°C/true TG_Env.f=86/true TG_Env.bad=<nil>/false" {
		t.Errorf("got %s", got)
	}
	if len(events) != 1 || !events[0].On || events[0].Value != 86.0 {
		t.Errorf("alarms: %+v", events)
	}
	err = fail
	for range 3 {
		if got := r.show(r.Recall(start, func(v *collect.Variable) bool { return v.Name == "f" })); got != "TG_Env.f=<nil>/false" {
			t.Errorf("got %s", got)
		}
	}
	if n := strings.Count(r.log.String(), "division by zero"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// A computed variable in no round is computed at the polls of its group all the same, for its
// alarm: also in a group that has no others.
func TestComputedForAlarms(t *testing.T) {
	n := 0.0
	r := newRig(t, field.Options{
		Variables: []collect.Variable{variable("n", "counter", "", func(v *collect.Variable) { v.Expression, v.Mode = "N", collect.Never })},
		Alarms:    []collect.AlarmRule{{Name: "Many", Device: "counter", Variable: "n", Condition1: collect.Gt, Operand1: "1"}},
		Compute: func(*collect.Variable) (func(collect.Round) (any, error), error) {
			return func(collect.Round) (any, error) { n++; return n, nil }, nil
		},
	})
	for poll := 1; poll <= 2; poll++ {
		at := r.Next()
		if want := start.Add(time.Duration(poll) * 10 * time.Second); !at.Equal(want) {
			t.Fatalf("poll %d at %v, want %v", poll, at, want)
		}
		rounds, events := r.Take(at)
		if len(rounds) != 0 || len(events) != poll-1 {
			t.Errorf("poll %d: rounds %+v, alarms %+v", poll, rounds, events)
		}
	}
}

// Values are written by the actions of things.
func TestWrite(t *testing.T) {
	lamp, env := new(actor), new(actor)
	r := newRig(t, field.Options{
		Things:  []field.Thing{{Name: "lamp", Model: relay, Actor: lamp}, {Name: "env", Model: sensor, Actor: env}},
		Devices: []field.Device{{Name: "S7-1200", Thing: "lamp"}, {Name: "lost"}},
		Variables: []collect.Variable{variable("state", "lamp", ""), variable("SP1", "S7-1200", "state"), variable("temperature", "env", ""), variable("twice", "lamp", "state"), variable("twice", "S7-1200", "state"),
			variable("dim", "lamp", "state", func(v *collect.Variable) { v.Write, v.Gain = "level.percent", 0.5 })},
	})
	for _, tt := range []struct {
		device, variable string
		value            any
		call, err        string
	}{
		{"lamp", "state", "on", "set map[state:on]", ""},
		{"", "SP1", true, "set map[state:on]", ""},
		{"", "SP1", 0, "set map[state:off]", ""},
		{"S7-1200", "SP1", "toggle", "set map[state:toggle]", ""},
		{"lamp", "set", map[string]any{"state": "on", "for": "5s"}, "set map[for:5s state:on]", ""},
		{"lamp", "beep", nil, "beep map[]", ""},
		{"lamp", "level", 40, "level map[percent:40]", ""},
		{"lamp", "dim", 40, "level map[percent:80]", ""},
		{"lamp", "set", "on", "", "the action has several parameters: give an object of for, state"},
		{"Modbus_test", "SP1", 12.3, "", "Device 'Modbus_test' not found."},
		{"lost", "SP1", 12.3, "", "Device 'lost' not found."},
		{"lamp", "other", 1, "", "Variable 'other' not found."},
		{"", "other", 1, "", "Variable 'other' not found."},
		{"", "twice", 1, "", "Variable 'twice' is not unique."},
		{"env", "temperature", 1, "", "Variable 'temperature' is read-only."},
	} {
		lamp.calls = nil
		results, err := r.Write(t.Context(), []field.Assignment{{Device: tt.device, Variable: tt.variable, Value: tt.value}})
		if err != nil || len(results) != 1 {
			t.Fatalf("%+v: %v", results, err)
		}
		if call := strings.Join(lamp.calls, " "); call != tt.call || results[0].Error != tt.err {
			t.Errorf("%s.%s = %v: called %q, error %q; want %q, %q", tt.device, tt.variable, tt.value, call, results[0].Error, tt.call, tt.err)
		}
	}
	lamp.err = errors.New("line is busy")
	results, _ := r.Write(t.Context(), []field.Assignment{{Variable: "SP1", Value: 1}, {Variable: "other", Value: 1}})
	if len(results) != 2 || results[0].Error != "line is busy" || results[0].Device != "S7-1200" || results[1].Error == "" {
		t.Errorf("got %+v", results)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Write(ended, []field.Assignment{{Variable: "SP1", Value: 1}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Alarms are listed, acknowledged and kept.
func TestAlarms(t *testing.T) {
	o := field.Options{
		Things:    []field.Thing{{Name: "env", Model: sensor}},
		Variables: []collect.Variable{variable("t", "env", "temperature")},
		Alarms: []collect.AlarmRule{{Name: "Hot", Device: "env", Variable: "t", Condition1: collect.Gt, Operand1: "30", Level: 2, Content: "too hot", Delay: conf.Duration{Duration: time.Minute}},
			{Name: "None", Device: "env", Variable: "pressure", Condition1: collect.Gt, Operand1: "30"}},
		Groups: []collect.Group{},
	}
	r := newRig(t, o)
	if !strings.Contains(r.log.String(), "alarm=None") {
		t.Errorf("log: %s", r.log.String())
	}
	r.bus.Emit(device.Event{Thing: "env", Name: "state", Values: device.Values{"t": 31.0}, At: start})
	if next := r.Next(); !next.Equal(start.Add(time.Minute)) {
		t.Errorf("next at %v", next)
	}
	if _, events := r.Take(start.Add(time.Minute)); len(events) != 1 || events[0].Content != "too hot" {
		t.Errorf("alarms: %+v", events)
	}
	if a, err := r.Acknowledge("Hot"); err != nil || !a.On || !a.Acknowledged || a.Level != 2 {
		t.Errorf("acknowledged %+v, %v", a, err)
	}
	if _, err := r.Acknowledge("Cold"); err == nil {
		t.Error("an alarm that is none was acknowledged")
	}
	o.States = r.States()
	again := newRig(t, o)
	if all := again.Alarms(); len(all) != 2 || !all[0].On || !all[0].Acknowledged || all[1].On {
		t.Errorf("kept %+v", all)
	}
	again.bus.Emit(device.Event{Thing: "env", Name: "state", Values: device.Values{"t": 20.0}, At: start.Add(2 * time.Minute)})
	if _, events := again.Take(start.Add(2 * time.Minute)); len(events) != 1 || events[0].On {
		t.Errorf("alarms: %+v", events)
	}
}
