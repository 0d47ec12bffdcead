package things

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"pithings/hw"
	"pithings/mqttlink"
	"pithings/sensors/hcsr501"
)

// MotionTopics are the topics of a motion sensor.
//
//	motion  out  {"isMotionDetected": true}   when motion begins
//	             {"isMotionDetected": false}  when it ends, if both are published
//
// With MotionOptions.TimeKey the payload tells when, too:
//
//	{"isMotionDetected": true, "time": "2020-02-12T07:30:05.123456Z"}
var MotionTopics = Topics{"motion": "{thing}/motion"}

// MotionModel describes a motion sensor to flows. Its event is StateChanged with
// isMotionDetected; other devices write it with other blanks and more keys.
func MotionModel(topics Topics) Model {
	return Model{Events: map[string]Event{
		stateChanged: {Topic: topics["motion"], Read: ReadObject(map[string]string{"isMotionDetected": "boolean"})},
	}}
}

const stateChanged = "StateChanged"

// MotionPayload is the payload of "motion".
func MotionPayload(detected bool) []byte {
	return new(object).bool("isMotionDetected", detected).bytes()
}

// Motion is an HC-SR501 motion sensor on MQTT.
type Motion struct {
	MotionOptions
	topics Topics
	link   mqttlink.Client
	board  hw.Board
	log    *slog.Logger
	began  time.Time // when the sensor was first opened
	flows  watchers
}

// MotionOptions say how a motion sensor is wired and what it tells.
type MotionOptions struct {
	Thing  string
	Topics map[string]string // overrides of MotionTopics
	Extra  Extra
	// TimeKey, if not "", is the key under which payloads tell when it happened, so
	// that what waited for the network starts no flow elsewhere. Without it they
	// are those of the Things Graph example.
	TimeKey string
	Pin     string // the input line, for example "GPIO17"
	Both    bool   // publish the end of motion too
	Sensor  hcsr501.Opts
}

// NewMotion returns a motion sensor; Run opens its pin.
func NewMotion(o MotionOptions, board hw.Board, link mqttlink.Client, log *slog.Logger) (*Motion, error) {
	topics, err := Expand(MotionTopics, o.Thing, o.Topics)
	if err != nil {
		return nil, err
	}
	return &Motion{MotionOptions: o, topics: topics, link: link, board: board, log: log}, nil
}

// Name implements Thing.
func (m *Motion) Name() string { return m.Thing }

// Attach implements Thing. A motion sensor takes no commands.
func (m *Motion) Attach() (func(), error) { return func() {}, nil }

// Run implements Thing.
func (m *Motion) Run(ctx context.Context, report func(error)) error {
	pin, err := m.board.OpenPin(m.Pin)
	if err != nil {
		return err
	}
	sensor, err := hcsr501.New(pin, m.sensorOpts())
	if err != nil {
		pin.Halt()
		return err
	}
	defer sensor.Halt()
	report(nil)
	err = sensor.Watch(ctx, func(e hcsr501.Event) { m.tell(ctx, e, report) })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// sensorOpts counts the warm-up from the first time on: a line that went and
// came back does not mean that the sensor lost its power.
func (m *Motion) sensorOpts() *hcsr501.Opts {
	o := m.Sensor
	if m.began.IsZero() {
		m.began = time.Now()
	}
	o.WarmUp -= time.Since(m.began)
	return &o
}

// tell passes an event of the sensor on.
func (m *Motion) tell(ctx context.Context, e hcsr501.Event, report func(error)) {
	switch e.Kind {
	case hcsr501.WarmingUp:
		m.log.Info("sensor warms up; motion is not reported yet", "thing", m.Thing, "for", e.Remaining.Round(time.Second))
	case hcsr501.Ready:
		m.log.Info("sensor is ready", "thing", m.Thing)
	case hcsr501.Began:
		m.publish(ctx, true)
	case hcsr501.Ended:
		m.publish(ctx, false)
	case hcsr501.Stuck:
		report(fmt.Errorf("%s has been high for %v; check the sensor's wiring, its time knob and what moves before it", m.Pin, m.Sensor.StuckHigh))
	case hcsr501.Unstuck:
		report(nil)
	}
}

func (m *Motion) publish(ctx context.Context, detected bool) {
	if !detected && !m.Both {
		return
	}
	now := time.Now()
	message := m.message(detected, now)
	err := m.link.Publish(ctx, message)
	if !mqttlink.Accepted(err) && ctx.Err() == nil {
		m.log.Error("motion not published", "thing", m.Thing, "err", err)
	}
	m.flows.tell(stateChanged, message.Payload, now)
}

func (m *Motion) message(detected bool, at time.Time) mqttlink.Message {
	o := new(object).bool("isMotionDetected", detected)
	if m.TimeKey != "" {
		o.time(m.TimeKey, at, mqttlink.TextMicros)
	}
	return mqttlink.Message{Topic: m.topics["motion"], QoS: 1, Alarm: true, Payload: m.Extra.add(o.bytes()), Time: at, TimeField: o.field}
}

// Watch implements flow.Device for flows of this process. The event is
// StateChanged.
func (m *Motion) Watch(event string, fn func(map[string]any, time.Time)) (stop func(), err error) {
	return m.flows.watch(m.Thing, event, []string{stateChanged}, fn)
}

// Call implements flow.Device: a motion sensor has no actions.
func (m *Motion) Call(_ context.Context, action string, _ map[string]any) (map[string]any, error) {
	return nil, fmt.Errorf("thing %s has no action %q", m.Thing, action)
}
