package things

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/conf"
	"pithings/device"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink"
	"pithings/sensors/hcsr501"
)

// motionKind is an HC-SR501 motion sensor. Its topics and payloads are those of the AWS IoT
// Things Graph example devices.
var motionKind = &Kind{
	Name: "motion", Doc: "HC-SR501 motion sensor", Example: "TG_MS",
	Topics: []Topic{{Role: "motion", Template: "{thing}/motion", QoS: 1, Alarm: true, Payloads: []Payload{
		{`{"isMotionDetected": true}`, "motion begins"},
		{`{"isMotionDetected": false}`, "motion ends, with publish: both"},
		{`{"isMotionDetected": true, "time": "2020-02-12T07:30:05.123456Z"}`, "with time_key: time"},
	}}},
	Nodes:    []hw.Nodes{hw.GPIOChips},
	New:      func() Settings { return new(MotionSettings) },
	Usual:    func() (string, Settings) { return "motion", &MotionSettings{Pin: "GPIO17"} },
	Discover: discoverMotion,
}

// MotionSettings are what a configuration says of a motion sensor.
type MotionSettings struct {
	Pin        string        `json:"pin" required:"write the line's name, for example pin: GPIO17" part:"line" change:"local" jsonschema:"GPIO line by name: GPIO17, or CHIP-LABEL:GPIO17; mock simulates it"`
	Publish    string        `json:"publish" default:"detected" enum:"detected,both" change:"afar" jsonschema:"detected: only when motion begins; both: its end too"`
	WarmUp     conf.Duration `json:"warm_up" default:"60s" min:"0s" max:"10m" change:"afar" jsonschema:"time after power-up in which the sensor is not trusted"`
	Debounce   conf.Duration `json:"debounce" default:"50ms" min:"0s" max:"10s" change:"afar" jsonschema:"a level counts when it has lasted so long"`
	Hold       conf.Duration `json:"hold" default:"2s" min:"0s" max:"1h" change:"afar" jsonschema:"motion that begins again so soon after its end continues"`
	TimeKey    string        `json:"time_key" payload:"key" change:"afar" jsonschema:"key of the time at which motion began or ended in the messages, for example time; empty: they have none, as in the documented payload"`
	StuckAfter conf.Duration `json:"stuck_after" default:"10m" min:"0s" max:"24h" change:"afar" jsonschema:"motion without end for so long is a fault; 0: never"`
}

// PublishBoth is the MotionSettings.Publish that reports the end of motion, too.
const PublishBoth = "both"

// Part implements Settings.
func (s *MotionSettings) Part() (key, name string) { return "pin", s.Pin }

// Simulate implements Settings.
func (s *MotionSettings) Simulate() {
	s.Pin, s.WarmUp, s.Hold = "GPIO17", conf.Duration{}, conf.Duration{}
}

// Probe implements Settings.
func (s *MotionSettings) Probe(_ context.Context, p *probe.Prober, part string) []probe.Result {
	return p.Line(part, s.Pin)
}

func discoverMotion(c *probe.Connected) []Candidate {
	s := new(MotionSettings)
	return discoverLine(c, "motion", "GPIO17", s, &s.Pin)
}

const (
	stateChanged = "StateChanged"
	detectedKey  = "isMotionDetected"
)

// Describe implements Settings. Other devices write the event with other blanks and more keys.
func (s *MotionSettings) Describe(t Topics) Description {
	return Description{
		Model: device.Model{
			Events: map[string]device.EventModel{stateChanged: {Topic: t["motion"], Time: s.TimeKey,
				Payload: device.Payload{Keys: map[string]device.ValueType{detectedKey: device.BooleanType}}}},
			Quantities: []device.Quantity{{Name: "motion", Event: stateChanged, Key: detectedKey, Class: "motion", Rests: true, Momentary: s.Publish != PublishBoth}},
		},
		Wire: Model{Events: map[string]Event{
			stateChanged: {Topic: t["motion"], Read: ReadObject(map[string]string{detectedKey: "boolean"}), TimeKey: s.TimeKey},
		}},
	}
}

// MotionPayload is the payload of "motion".
func MotionPayload(detected bool) []byte {
	payload, _ := new(record).bool(detectedKey, detected).encode()
	return payload
}

// Motion is an HC-SR501 motion sensor on MQTT.
type Motion struct {
	MotionSettings
	outlet
	board hw.Board
	log   *slog.Logger
	began time.Time // when the sensor was first opened
	seen  seen
}

// Open implements Settings.
func (s *MotionSettings) Open(o Options, e Env) (Thing, error) {
	out, err := newOutlet(motionKind, o, e)
	if err != nil {
		return nil, err
	}
	return &Motion{MotionSettings: *s, outlet: out, board: e.Board, log: e.Log, seen: seen{unknown: errNotOpen}}, nil
}

// Attach implements Thing. A motion sensor takes no commands.
func (m *Motion) Attach() (func(), error) { return func() {}, nil }

// Run implements Thing.
func (m *Motion) Run(ctx context.Context, report func(error)) error {
	turns := m.loop("")
	defer turns.End()
	turns.Work()
	pin, err := m.board.OpenPin(m.Pin)
	if err != nil {
		return err
	}
	sensor, err := hcsr501.New(pin, m.sensorOpts(pin))
	if err != nil {
		pin.Halt()
		return err
	}
	defer sensor.Halt()
	report(nil)
	m.seen.set(false, nil)
	defer m.seen.set(false, errNotOpen)
	turns.Wait()
	err = sensor.Watch(ctx, func(e hcsr501.Event) {
		turns.Work()
		m.happened(ctx, e, report)
		turns.Wait()
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// sensorOpts counts the warm-up from the first time on: a line that went and
// came back does not mean that the sensor lost its power.
func (m *Motion) sensorOpts(pin gpio.PinIn) *hcsr501.Opts {
	o := hcsr501.Opts{WarmUp: m.WarmUp.Duration, Debounce: m.Debounce.Duration, Hold: m.Hold.Duration, StuckHigh: m.StuckAfter.Duration}
	if s, ok := pin.(hw.Settled); ok && s.Settled() {
		o.WarmUp = 0
		return &o
	}
	if m.began.IsZero() {
		m.began = time.Now()
	}
	o.WarmUp -= time.Since(m.began)
	return &o
}

// happened reports an event of the sensor.
func (m *Motion) happened(ctx context.Context, e hcsr501.Event, report func(error)) {
	switch e.Kind {
	case hcsr501.WarmingUp:
		m.log.Info("sensor warms up; motion is not reported yet", "thing", m.thing, "for", e.Remaining.Round(time.Second))
		m.seen.set(false, fmt.Errorf("the sensor warms up, until %s: before that it says nothing", time.Now().Add(e.Remaining).Format(time.TimeOnly)))
	case hcsr501.Ready:
		m.log.Info("sensor is ready", "thing", m.thing)
		m.seen.set(false, nil)
	case hcsr501.Began:
		m.publish(ctx, true)
	case hcsr501.Ended:
		m.publish(ctx, false)
	case hcsr501.Stuck:
		report(m.stuck())
	case hcsr501.Unstuck:
		report(nil)
	}
}

// stuck is the error of motion that does not end: flows wait for the next beginning in vain.
func (m *Motion) stuck() error {
	high := "high"
	if m.Hold.Duration > 0 {
		high = fmt.Sprintf("high, or low for less than the hold time of %v,", m.Hold.Duration)
	}
	return fmt.Errorf("%s has been %s for %v, so that motion does not end; check the sensor's wiring and supply, its time knob and what moves before it",
		m.Pin, high, m.StuckAfter.Duration)
}

func (m *Motion) publish(ctx context.Context, detected bool) {
	m.seen.set(detected, nil)
	if !detected && m.Publish != PublishBoth {
		return
	}
	now := time.Now()
	if err := m.report(ctx, "motion", stateChanged, now, m.record(detected, now)); !mqttlink.Accepted(err) && ctx.Err() == nil {
		m.log.Error("motion not published", "thing", m.thing, "err", err)
	}
}

func (m *Motion) record(detected bool, at time.Time) *record {
	r := new(record).bool(detectedKey, detected)
	if m.TimeKey != "" {
		r.time(m.TimeKey, at, mqttlink.TextMicros)
	}
	return r
}

// Watch implements [device.Actor] for flows of this process. The event is
// StateChanged.
func (m *Motion) Watch(event string, fn func(map[string]any, time.Time)) (stop func(), err error) {
	return m.watch(event, []string{stateChanged}, fn)
}

// Call implements [device.Actor]: a motion sensor has no actions for flows.
func (m *Motion) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	if action == ActionRead {
		return m.read(ctx, input)
	}
	return nil, m.noAction(action)
}

// Read implements [device.Reader]: whether something moves now, which is not published unless
// both changes are.
func (m *Motion) Read(ctx context.Context) ([]device.Event, error) {
	moving, err := m.seen.await(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Pin, err)
	}
	now := time.Now()
	return m.unpublished(now, []reported{{stateChanged, m.record(moving, now)}}), nil
}

// Part implements Part.
func (m *Motion) Part() (name, action string) { return m.Pin, ActionRead }

// read is the action of that name.
func (m *Motion) read(ctx context.Context, input map[string]any) (map[string]any, error) {
	wait, _ := input["waitSeconds"].(float64)
	if !(wait >= 0 && wait <= math.MaxInt32) {
		return nil, fmt.Errorf("waitSeconds is %v: it has to be a time", wait)
	}
	moving, err := m.seen.await(ctx, time.Duration(wait*float64(time.Second)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Pin, err)
	}
	return map[string]any{"isMotionDetected": moving}, nil
}

// seen is what a sensor with one line sees now: whether something moves, or the input is on.
type seen struct {
	mu      sync.Mutex
	moving  bool
	unknown error         // why that is not known; nil: it is
	changed chan struct{} // closed at the next change; nil: no waiter
}

// errNotOpen is of a sensor whose line is not open, or not any more.
var errNotOpen = errors.New("the sensor does not work at the moment: see pithings doctor")

func (s *seen) set(moving bool, unknown error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moving, s.unknown = moving, unknown
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// await returns whether something moves, at once if it does and else after wait.
func (s *seen) await(ctx context.Context, wait time.Duration) (bool, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	for late := wait == 0; ; {
		s.mu.Lock()
		moving, unknown := s.moving, s.unknown
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if unknown == nil && moving || late {
			return moving, unknown
		}
		select {
		case <-changed:
		case <-over.C:
			late = true
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}
