package things

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink"
)

// outputKind is a digital output: relay, LED, buzzer, lock.
//
// Nothing switches it but a command, a limit of its own, and what at_start and at_exit say. A
// retained command is what a client wanted at some time, not now: it is not obeyed unless the
// configuration says so.
var outputKind = &Kind{
	Name: "output", Doc: "digital output: relay, LED, buzzer, lock", Example: "relay",
	Topics: []Topic{
		{Role: "set", Template: "{thing}/set", In: true, QoS: 1, Payloads: []Payload{
			{`{"state":"on"}`, "on, off or toggle"},
			{`{"state":"on","for":"5s"}`, "and back after 5 s; off for a while ends on only if it was on before"},
			{`ON`, "the same without JSON: ON, OFF or TOGGLE"},
		}},
		{Role: "state", Template: "{thing}/state", QoS: 1, Retain: true, Payloads: []Payload{
			{`{"state":"on"}`, "on or off: at the start, and after each change"},
		}},
	},
	Nodes:    []hw.Nodes{hw.GPIOChips},
	New:      func() Settings { return new(OutputSettings) },
	Discover: discoverOutput,
}

// OutputSettings are what a configuration says of an output.
type OutputSettings struct {
	Pin       string        `json:"pin" required:"write the line's name, for example pin: GPIO27" part:"line" change:"local" jsonschema:"GPIO line by name: GPIO27, or CHIP-LABEL:GPIO27; mock simulates it"`
	ActiveLow bool          `json:"active_low" default:"false" change:"local" jsonschema:"whether the output is on when the line is low, as with most relay boards"`
	AtStart   string        `json:"at_start" default:"off" enum:"off,on,keep" change:"local" jsonschema:"what the output does when the program starts: off, on, or keep the level that the line has"`
	AtExit    string        `json:"at_exit" default:"off" enum:"off,on,keep" change:"local" jsonschema:"what it does when the program ends, or its configuration changes"`
	MaxOn     conf.Duration `json:"max_on" default:"0s" min:"0s" max:"168h" change:"local" jsonschema:"longest time on, after which it is switched off; 0: no limit"`
	Interlock []string      `json:"interlock" change:"local" jsonschema:"names of outputs of this process that are never on together with this one"`
	Retained  string        `json:"retained" default:"ignore" enum:"ignore,obey" change:"local" jsonschema:"whether a command that the broker has kept from before is obeyed"`
}

// The values of OutputSettings.AtStart, AtExit and Retained.
const (
	outputOn       = "on"
	outputOff      = "off"
	outputKeep     = "keep"
	outputToggle   = "toggle"
	retainedIgnore = "ignore"
)

var starts = map[string]hw.Start{outputOff: hw.StartOff, outputOn: hw.StartOn, outputKeep: hw.StartKeep}

// Part implements Settings.
func (s *OutputSettings) Part() (key, name string) { return "pin", s.Pin }

// Peers implements Peered.
func (s *OutputSettings) Peers() (key string, names []string) { return "interlock", s.Interlock }

// Simulate implements Settings.
func (s *OutputSettings) Simulate() { s.Pin = "GPIO27" }

// Probe implements Settings. The line is not requested, which would switch it.
func (s *OutputSettings) Probe(_ context.Context, p *probe.Prober, part string) []probe.Result {
	return p.Output(part, s.Pin)
}

func discoverOutput(c *probe.Connected) []Candidate {
	s := new(OutputSettings)
	found := discoverLine(c, "relay", "GPIO27", s, &s.Pin)
	for i := range found {
		found[i].Drives = true
	}
	return found
}

// Describe implements Settings.
func (s *OutputSettings) Describe(t Topics) Description {
	return Describe(device.Model{
		Events: map[string]device.EventModel{"state": {Topic: t["state"],
			Payload: device.Payload{Keys: map[string]device.ValueType{"state": device.StringType}}, Values: map[string][]string{"state": {outputOff, outputOn}}}},
		Actions: map[string]device.ActionModel{"set": {Topic: t["set"],
			Params: map[string]device.ValueType{"state": device.StringType, "for": device.StringType},
			Inputs: map[string]device.Input{
				"state": {Doc: "what to switch to", Required: true, Values: []string{outputOn, outputOff, outputToggle}},
				"for":   {Doc: "how long, before it is switched back: 1ms to 168h", Format: device.DurationFormat},
			}}},
		Quantities: []device.Quantity{{Name: "state", Event: "state", Key: "state", Class: "power", Set: "set"}},
	})
}

// Output is a digital output on MQTT.
type Output struct {
	OutputSettings
	outlet
	board hw.Board
	log   *slog.Logger
	locks *Interlocks
	state func() (string, error)

	mu     sync.Mutex
	line   hw.Output // nil while it is not open
	on     bool
	since  time.Time     // when it was switched on
	kept   *command      // the retained one, until the line is open
	back   time.Time     // when the line is switched to the other state; zero: it stays
	timer  *time.Timer   // fires then; Run waits for it
	news   []switched    // changes that are not reported yet
	wake   chan struct{} // has a token when there are some
	failed chan error    // one that Run has to return; the line has to be opened again
}

// Open implements Settings.
func (s *OutputSettings) Open(o Options, e Env) (Thing, error) {
	out, err := newOutlet(outputKind, o, e)
	if err != nil {
		return nil, err
	}
	locks := e.Interlocks
	if locks == nil {
		locks = new(Interlocks)
	}
	locks.join(out.thing, s.Interlock)
	return &Output{OutputSettings: *s, outlet: out, board: e.Board, log: e.Log, locks: locks, state: e.State,
		timer: stopped(), wake: make(chan struct{}, 1), failed: make(chan error, 1)}, nil
}

// Attach implements Thing.
func (o *Output) Attach() (func(), error) {
	return o.link.Subscribe(o.topics["set"], 1, func(ctx context.Context, m mqttlink.Message) {
		if m.Retain && o.Retained == retainedIgnore {
			o.log.Warn("retained command ignored; delete it from the broker with an empty retained message", "thing", o.thing, "topic", m.Topic)
			return
		}
		c, err := parseCommand(m.Payload)
		if m.Retain && c.State == outputToggle {
			o.log.Warn("retained toggle ignored: it would switch at each connect; retain on or off", "thing", o.thing, "topic", m.Topic)
			return
		}
		if err == nil && !(m.Retain && o.later(c)) {
			err = o.obey(c)
		}
		if err != nil && ctx.Err() == nil {
			o.log.Error("output not switched", "thing", o.thing, "err", err)
		}
	})
}

// later keeps a retained command that came before the line was opened, and reports whether
// it did.
func (o *Output) later(c command) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.line == nil {
		o.kept = &c
	}
	return o.line == nil
}

// obey does what a command says.
func (o *Output) obey(c command) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.do(c)
}

// do is obey; o.mu is held.
func (o *Output) do(c command) error {
	on := c.State == outputOn || c.State == outputToggle && !o.on
	back := c.span
	if !on && !o.on {
		back = 0 // off for a while: it was off, and stays off
	}
	return o.set(on, back)
}

// Watch implements [device.Actor]. The event is state.
func (o *Output) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	return o.watch(event, []string{"state"}, fn)
}

// Call implements [device.Actor]. The action is set, with state and, if need be, for.
func (o *Output) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	if !strings.EqualFold(action, "set") {
		return nil, o.noAction(action)
	}
	b, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	c, err := parseCommand(b)
	if err != nil {
		return nil, device.InputError{Err: err}
	}
	return nil, o.obey(c)
}

// Part implements Part.
func (o *Output) Part() (name, action string) { return o.Pin, "set" }
