package things

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/device"
	"pithings/hw"
	"pithings/mqttlink"
	"pithings/quietlog"
	"pithings/sensors/kernel"
)

// Measuring may be implemented by a thing whose quantities are known only when its part is
// open.
type Measuring interface {
	// Quantities returns what the thing measures; nil while that is not known.
	Quantities() []device.Quantity
}

// meter is a thing that publishes all quantities of a sensor at every interval: one message
// of each and one of all, in the form of the BME680-to-AWS tutorial.
type meter struct {
	outlet
	interval time.Duration
	origin   string // of the messages of one quantity
	open     func(ctx context.Context) (gauge, error)
	log      *slog.Logger
	said     *quietlog.Repeats
	found    string // the sensor that was opened last
	// texts, if not nil, adds what is no number to the message of all.
	texts func(ctx context.Context, r *record)
	// before and after, if not nil, are called before and after each measurement.
	before func()
	after  func(ctx context.Context)
	// now has a token when a measurement is wanted before its time.
	now   chan struct{}
	asked asked[gauge]
	// together has all quantities published in one message only.
	together bool

	mu    sync.Mutex
	known []device.Quantity
}

// gauge is an open sensor.
type gauge interface {
	String() string
	Channels() []device.Quantity
	// Read returns a value for each channel: a float64, an int64, a bool or a string, nil
	// for none; err says why some or all lack.
	Read(ctx context.Context) (values []any, err error)
}

// numbers is a sensor whose values are all floating-point numbers, NaN for none.
type numbers interface {
	String() string
	Channels() []device.Quantity
	Read(ctx context.Context) (values []float64, err error)
}

// numberGauge is such a sensor as a gauge, whose values have the precision of their channels.
type numberGauge struct{ numbers }

func (g numberGauge) Read(ctx context.Context) (values []any, err error) {
	read, err := g.numbers.Read(ctx)
	for i, q := range g.Channels() {
		var v any
		if i < len(read) && !math.IsNaN(read[i]) {
			v = round(read[i], math.Pow10(q.Precision))
		}
		values = append(values, v)
	}
	if read == nil {
		values = nil
	}
	return values, err
}

// reopenAfter is the number of failed measurements in a row after which the bus
// is opened anew: an adapter that was unplugged comes back under a new number.
const reopenAfter = 3

func newMeter(k *Kind, o Options, e Env, interval time.Duration, origin string, open func(ctx context.Context) (gauge, error)) (*meter, error) {
	out, err := newOutlet(k, o, e)
	if err != nil {
		return nil, err
	}
	return &meter{outlet: out, interval: interval, origin: origin, open: open, log: e.Log, said: quietlog.NewRepeats(e.Log), now: make(chan struct{}, 1), asked: make(asked[gauge])}, nil
}

// quantityPlaceholder stands for the name of a quantity in the template of the topic of one.
const quantityPlaceholder = "{quantity}"

// meterTopics are those of a kind of meter.
func meterTopics(example, unit string) []Topic {
	return []Topic{
		{Role: "quantity", Template: "{thing}/" + quantityPlaceholder, QoS: 1, Payloads: []Payload{
			{`{"utc_timestamp": 1581417910, "value": ` + example + `, "origin": "NAME QUANTITY", "status": "success"}`, unit},
		}},
		{Role: "state", Template: "{thing}/state", QoS: 1, Payloads: []Payload{
			{`{"utc_timestamp": 1581417910, "QUANTITY": ` + example + `, "status": "success"}`, "all in one message; null for one without a value"},
		}},
	}
}

// describeMeter is the description of a meter, whose quantities are not known yet.
func describeMeter(t Topics, every time.Duration) Description {
	return Describe(device.Model{Events: map[string]device.EventModel{"state": {Topic: t["state"], Time: "utc_timestamp", Every: every}}})
}

// Quantities implements Measuring.
func (m *meter) Quantities() []device.Quantity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known
}

// Attach implements Thing. A meter takes no commands.
func (m *meter) Attach() (func(), error) { return func() {}, nil }

// Run implements Thing. It measures at once and then at every interval. A failure is
// published as such, and neither ends the loop nor anything else.
func (m *meter) Run(ctx context.Context, report func(error)) error {
	var sensor gauge
	tick := time.NewTicker(m.interval)
	defer tick.Stop()
	turns := m.loop("")
	defer turns.End()
	ctx = turns.In(ctx)
	for failures := 0; ; {
		turns.Work()
		if m.before != nil {
			m.before()
		}
		at := time.Now()
		values, err := m.measure(ctx, &sensor)
		if ctx.Err() != nil {
			return nil
		}
		report(err)
		if failures++; err == nil {
			failures = 0
		} else if failures%reopenAfter == 0 && !errors.Is(err, kernel.ErrHangs) {
			// What vanished may be back under another number. What hangs keeps the goroutine
			// that reads it, so it is not opened once more.
			sensor = nil
		}
		if err := m.publish(ctx, at, values); !mqttlink.Accepted(err) && ctx.Err() == nil {
			m.said.Say(slog.LevelError, err.Error(), "readings are not published", "thing", m.thing, "err", err)
		}
		if m.after != nil {
			m.after(ctx)
		}
		if !m.asked.pause(ctx, turns, &sensor, tick.C, m.now) {
			return nil
		}
	}
}

// Read implements [device.Reader].
func (m *meter) Read(ctx context.Context) ([]device.Event, error) {
	return ask(ctx, m.asked, m.thing, func(ctx context.Context, sensor *gauge) []device.Event {
		at := time.Now()
		values, _ := m.measure(ctx, sensor) // Run reports the error, if the sensor does not heal
		return m.unpublished(at, m.reported(ctx, at, values))
	})
}

// soon has a measurement made before its time.
func (m *meter) soon() {
	select {
	case m.now <- struct{}{}:
	default:
	}
}

// measure reads the sensor, which it opens if it is not.
func (m *meter) measure(ctx context.Context, sensor *gauge) ([]any, error) {
	if *sensor == nil {
		s, err := m.open(ctx)
		if err != nil {
			return nil, err
		}
		if name := s.String(); name != m.found { // and not each time it is opened again
			m.found = name
			m.log.Info("sensor found", "thing", m.thing, "sensor", name)
		}
		known := ofState(s.Channels())
		m.mu.Lock()
		m.known = known
		m.mu.Unlock()
		*sensor = s
	}
	return (*sensor).Read(ctx)
}

// ofState are the channels of a sensor as quantities of the message of all.
func ofState(channels []device.Quantity) []device.Quantity {
	known := slices.Clone(channels)
	for i := range known {
		known[i].Event, known[i].Key = "state", known[i].Name
	}
	return known
}

// publish publishes a reading; values that are nil are all without a value.
func (m *meter) publish(ctx context.Context, at time.Time, values []any) error {
	all := m.reported(ctx, at, values)
	state := len(all) - 1
	for _, one := range all[:state] {
		if err := m.one(ctx, one.name, at, one.record); !mqttlink.Accepted(err) {
			return err
		}
	}
	return m.report(ctx, "state", "state", at, all[state].record)
}

// reported are the messages of a reading: of each quantity, and of all.
func (m *meter) reported(ctx context.Context, at time.Time, values []any) (messages []reported) {
	known := m.Quantities()
	all := new(record).time("utc_timestamp", at, mqttlink.UnixSeconds)
	some := false // one that has a value is enough
	for i, q := range known {
		v, there := any(math.NaN()), i < len(values) && values[i] != nil
		if there {
			v, some = values[i], true
		}
		if !m.together {
			one := new(record).time("utc_timestamp", at, mqttlink.UnixSeconds).add("value", v).
				string("origin", m.origin+" "+q.Name).string("status", success(there))
			messages = append(messages, reported{q.Name, one})
		}
		all.add(q.Name, v)
	}
	if m.texts != nil {
		m.texts(ctx, all)
	}
	return append(messages, reported{"state", all.string("status", success(some))})
}

// one publishes the message of one quantity.
func (m *meter) one(ctx context.Context, quantity string, at time.Time, r *record) error {
	r = r.with(m.extra)
	message := m.message("quantity", at, r)
	message.Topic = strings.ReplaceAll(message.Topic, quantityPlaceholder, quantity)
	err := m.send(ctx, message)
	m.emit(quantity, at, r)
	return err
}

// Watch implements [device.Actor]. The events are state and each quantity that is known.
func (m *meter) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	events := []string{"state"}
	for _, q := range m.Quantities() {
		events = append(events, q.Name)
	}
	return m.watch(event, events, fn)
}

// Call implements [device.Actor]: a meter has no actions.
func (m *meter) Call(_ context.Context, action string, _ map[string]any) (map[string]any, error) {
	return nil, m.noAction(action)
}

// kernelFiles opens the folder in which the kernel shows a sensor, or a copy of one.
func kernelFiles(board hw.Board, copied, name string) (fs.FS, error) {
	if copied == "" {
		return board.Sysfs(name)
	}
	return hw.OpenFolder(copied)
}

// shown lists values for people; those that are nil are all without a value.
func shown(channels []device.Quantity, values []any) string {
	var list []string
	for i, q := range channels[:min(len(channels), len(values))] {
		switch v := values[i].(type) {
		case nil:
		case float64:
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s %.*f %s", q.Name, q.Precision, v, q.Unit)))
		default:
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s %v %s", q.Name, v, q.Unit)))
		}
	}
	return strings.Join(list, ", ")
}
