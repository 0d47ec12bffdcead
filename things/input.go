package things

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/conf"
	"pithings/device"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink"
	"pithings/sensors/button"
)

// inputKind is a digital input: button, door contact, float switch, a motion sensor whose
// output is inverted.
var inputKind = &Kind{
	Name: "input", Doc: "digital input: button, door contact, float switch", Example: "door",
	Topics: []Topic{
		{Role: "state", Template: "{thing}/state", QoS: 1, Retain: true, Payloads: []Payload{
			{`{"state":"on"}`, "on or off: at the start, and after each change"},
		}},
		{Role: "event", Template: "{thing}/event", QoS: 1, Alarm: true, Payloads: []Payload{
			{`{"event":"pressed"}`, "the state became on; what was on at the start was not pressed"},
			{`{"event":"released"}`, "what was pressed became off"},
			{`{"event":"long_press"}`, "it stayed on for long_press"},
			{`{"event":"double_press"}`, "after the second pressed within double_press"},
		}},
	},
	Nodes:    []hw.Nodes{hw.GPIOChips},
	New:      func() Settings { return new(InputSettings) },
	Discover: discoverInput,
}

// InputSettings are what a configuration says of an input.
type InputSettings struct {
	Pin         string        `json:"pin" required:"write the line's name, for example pin: GPIO22" part:"line" change:"local" jsonschema:"GPIO line by name: GPIO22, or CHIP-LABEL:GPIO22; mock simulates it"`
	Pull        string        `json:"pull" default:"up" enum:"up,down,none" change:"local" jsonschema:"resistor in the Pi: up for a contact to ground, down for one to 3.3 V, none for what drives the line itself"`
	ActiveLow   bool          `json:"active_low" default:"true" change:"local" jsonschema:"whether the input is on when the line is low, as with a contact to ground"`
	Debounce    conf.Duration `json:"debounce" default:"30ms" min:"0s" max:"10s" change:"afar" jsonschema:"a level counts when it has lasted so long"`
	LongPress   conf.Duration `json:"long_press" default:"800ms" min:"0s" max:"1m" change:"afar" jsonschema:"time on after which long_press is reported; 0: never"`
	DoublePress conf.Duration `json:"double_press" default:"400ms" min:"0s" max:"10s" change:"afar" jsonschema:"longest time between the beginnings of two presses that are a double_press; 0: never"`
	StuckAfter  conf.Duration `json:"stuck_after" default:"0s" min:"0s" max:"24h" change:"afar" jsonschema:"on without end for so long is a fault; 0: never, as for a door"`
}

var pulls = map[string]gpio.Pull{"up": gpio.PullUp, "down": gpio.PullDown, "none": gpio.Float}

// Part implements Settings.
func (s *InputSettings) Part() (key, name string) { return "pin", s.Pin }

// Check implements Checker: two presses that each have to last for debounce do not fit into
// less than twice that.
func (s *InputSettings) Check(report func(path, format string, args ...any)) {
	if d := s.DoublePress.Duration; d > 0 && d < 2*s.Debounce.Duration {
		report("double_press", "double_press: %s is less than twice debounce (%s), so that no second press can come in time; write more, or 0", s.DoublePress, s.Debounce)
	}
}

// Simulate implements Settings.
func (s *InputSettings) Simulate() { s.Pin = "GPIO22" }

// Probe implements Settings.
func (s *InputSettings) Probe(_ context.Context, p *probe.Prober, part string) []probe.Result {
	return p.Line(part, s.Pin)
}

func discoverInput(c *probe.Connected) []Candidate {
	s := new(InputSettings)
	return discoverLine(c, "door", "GPIO22", s, &s.Pin)
}

// Describe implements Settings.
func (s *InputSettings) Describe(t Topics) Description {
	text := func(key string) device.Payload {
		return device.Payload{Keys: map[string]device.ValueType{key: device.StringType}}
	}
	presses := []string{"pressed", "released"}
	if s.LongPress.Duration > 0 {
		presses = append(presses, "long_press")
	}
	if s.DoublePress.Duration > 0 {
		presses = append(presses, "double_press")
	}
	return Describe(device.Model{
		Events: map[string]device.EventModel{
			"state": {Topic: t["state"], Payload: text("state"), Values: map[string][]string{"state": {"off", "on"}}},
			"event": {Topic: t["event"], Payload: text("event"), Values: map[string][]string{"event": presses}},
		},
		Quantities: []device.Quantity{{Name: "state", Event: "state", Key: "state", Class: "opening"}},
	})
}

// Input is a digital input on MQTT.
type Input struct {
	InputSettings
	outlet
	board hw.Board
	log   *slog.Logger
	seen  seen
}

// Open implements Settings.
func (s *InputSettings) Open(o Options, e Env) (Thing, error) {
	out, err := newOutlet(inputKind, o, e)
	if err != nil {
		return nil, err
	}
	return &Input{InputSettings: *s, outlet: out, board: e.Board, log: e.Log, seen: seen{unknown: errNotOpen}}, nil
}

// Attach implements Thing. An input takes no commands.
func (i *Input) Attach() (func(), error) { return func() {}, nil }

// Run implements Thing.
func (i *Input) Run(ctx context.Context, report func(error)) error {
	turns := i.loop("")
	defer turns.End()
	turns.Work()
	pin, err := i.board.OpenPin(i.Pin)
	if err != nil {
		return err
	}
	b, err := button.New(pin, &button.Opts{Pull: pulls[i.Pull], ActiveLow: i.ActiveLow, Debounce: i.Debounce.Duration,
		LongPress: i.LongPress.Duration, DoublePress: i.DoublePress.Duration, Stuck: i.StuckAfter.Duration})
	if err != nil {
		pin.Halt()
		return err
	}
	defer b.Halt()
	defer i.seen.set(false, errNotOpen)
	report(nil)
	turns.Wait()
	err = b.Watch(ctx, func(e button.Event) {
		turns.Work()
		i.happened(ctx, e, report)
		turns.Wait()
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// happened reports an event of the line.
func (i *Input) happened(ctx context.Context, e button.Event, report func(error)) {
	switch e.Kind {
	case button.On:
		i.seen.set(true, nil)
		i.publish(ctx, "state", "on", e.Time)
	case button.Off:
		i.seen.set(false, nil)
		i.publish(ctx, "state", "off", e.Time)
	case button.Pressed:
		i.publish(ctx, "event", "pressed", e.Time)
	case button.Released:
		i.publish(ctx, "event", "released", e.Time)
	case button.LongPress:
		i.publish(ctx, "event", "long_press", e.Time)
	case button.DoublePress:
		i.publish(ctx, "event", "double_press", e.Time)
	case button.Stuck:
		report(fmt.Errorf("%s has been on for %v; check what is before the sensor, its wiring and pull", i.Pin, i.StuckAfter.Duration))
	case button.Chatter:
		report(fmt.Errorf("%s does not come to rest: a wire that is off, or a line without a pull; check the wiring, or give pull", i.Pin))
	case button.Unstuck, button.Quiet:
		report(nil)
	}
}

func (i *Input) publish(ctx context.Context, event, value string, at time.Time) {
	r := (&record{compact: true}).string(event, value)
	if err := i.report(ctx, event, event, at, r); !mqttlink.Accepted(err) && ctx.Err() == nil {
		i.log.Error("event not published", "thing", i.thing, "err", err)
	}
}

// Watch implements [device.Actor]. The events are state and event.
func (i *Input) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	return i.watch(event, []string{"state", "event"}, fn)
}

// Call implements [device.Actor]: an input has no actions.
func (i *Input) Call(_ context.Context, action string, _ map[string]any) (map[string]any, error) {
	return nil, i.noAction(action)
}

// Read implements [device.Reader]: the debounced state of now, as it was reported when it began.
func (i *Input) Read(ctx context.Context) ([]device.Event, error) {
	on, err := i.seen.await(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i.Pin, err)
	}
	state := map[bool]string{false: "off", true: "on"}[on]
	return i.unpublished(time.Now(), []reported{{"state", new(record).string("state", state)}}), nil
}
