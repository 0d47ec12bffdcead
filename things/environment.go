package things

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"pithings/hw"
	"pithings/mqttlink"
	"pithings/sensors/bme680"
)

// EnvironmentTopics are the topics of an environment sensor, all outgoing, one
// message each at every interval.
//
//	temperature  °C    humidity  %RH    pressure  hPa    gas  Ω
//	  tutorial   {"utc_timestamp": 1581417910, "value": 23.6, "origin": "BME680 temperature", "status": "success"}
//	  script     {"sequence": 0, "value": 23.6, "status": "success", "timestamp_utc": "2020-02-12T07:30:05.123456Z"}
//	state        all of them in one message
//	             {"utc_timestamp": 1581417910, "temperature": 23.6, "humidity": 41.2, "pressure": 1013.25, "gas_resistance": 51234.0, "status": "success"}
//
// A quantity that could not be measured is null, and the status "fail". Gas is
// a value only when the chip says that the heater was stable and the reading
// valid; null otherwise, never 0.
var EnvironmentTopics = Topics{
	"temperature": "{thing}/temperature",
	"humidity":    "{thing}/humidity",
	"pressure":    "{thing}/pressure",
	"gas":         "{thing}/gas",
	"state":       "{thing}/state",
}

// Schema is the form of the messages of single quantities.
type Schema string

// The schemas of the BME680-to-AWS tutorial's text and of its script.
const (
	Tutorial Schema = "tutorial"
	Script   Schema = "script"
)

// Reading is one measurement in the units of the topics. NaN is a quantity that
// has no value.
type Reading struct {
	Time                                 time.Time // when the measurement began, with its monotonic reading
	Temperature, Humidity, Pressure, Gas float64   // °C, %RH, hPa, Ω
}

// failed is the reading of a sensor that could not be read.
func failed(t time.Time) Reading {
	nan := math.NaN()
	return Reading{t, nan, nan, nan, nan}
}

// NewReading converts a measurement taken at t. Values are rounded to the
// sensor's resolution: 0.01 °C, 0.001 %RH, 0.01 hPa, 1 Ω.
//
// Quantities that o switches off have no value.
func NewReading(t time.Time, m *bme680.Measurement, o *bme680.Opts) Reading {
	r := Reading{
		Time:        t,
		Temperature: round(float64(m.Temperature-physic.ZeroCelsius)/float64(physic.Kelvin), 100),
		Humidity:    round(float64(m.Humidity)/float64(physic.PercentRH), 1000),
		Pressure:    round(float64(m.Pressure)/float64(100*physic.Pascal), 100),
		Gas:         math.NaN(),
	}
	if o.Humidity == bme680.Off {
		r.Humidity = math.NaN()
	}
	if o.Pressure == bme680.Off {
		r.Pressure = math.NaN()
	}
	if m.GasValid && m.HeaterStable {
		r.Gas = math.Round(float64(m.Gas) / float64(physic.Ohm))
	}
	return r
}

func round(v, steps float64) float64 { return math.Round(v*steps) / steps }

// Payload is the message for one quantity. sequence counts the measurements of
// this run, failed ones too, from 0; only the script's schema shows it.
func (s Schema) Payload(quantity string, value float64, t time.Time, sequence int64) []byte {
	return s.object(quantity, value, t, sequence).bytes()
}

func (s Schema) object(quantity string, value float64, t time.Time, sequence int64) *object {
	status := statusOf(value)
	if s == Script {
		return new(object).int("sequence", sequence).number("value", value).string("status", status).
			time("timestamp_utc", t, mqttlink.TextMicros)
	}
	return new(object).time("utc_timestamp", t, mqttlink.UnixSeconds).number("value", value).
		string("origin", "BME680 "+quantity).string("status", status)
}

func statusOf(value float64) string {
	if math.IsNaN(value) {
		return "fail"
	}
	return "success"
}

// State is the combined message.
func (r Reading) State() []byte { return r.object().bytes() }

func (r Reading) object() *object {
	return new(object).time("utc_timestamp", r.Time, mqttlink.UnixSeconds).
		number("temperature", r.Temperature).number("humidity", r.Humidity).
		number("pressure", r.Pressure).number("gas_resistance", r.Gas).
		string("status", statusOf(r.Temperature))
}

// quantities lists a reading in the order in which it is published.
func (r Reading) quantities() []quantity {
	return []quantity{
		{"temperature", r.Temperature}, {"humidity", r.Humidity},
		{"pressure", r.Pressure}, {"gas", r.Gas},
	}
}

type quantity struct {
	name  string
	value float64
}

// EnvironmentOptions say where a sensor is and how often it is read.
type EnvironmentOptions struct {
	Thing    string
	Topics   map[string]string // overrides of EnvironmentTopics
	Extra    Extra
	Bus      string        // the I²C bus, for example "1"
	Address  uint16        // 0x76 or 0x77; 0 tries both
	Interval time.Duration // between measurements
	Only     string        // publish this quantity alone, and no state
	Schema   Schema
	Sensor   bme680.Opts
}

// Environment is a BME680 or BME688 on MQTT.
type Environment struct {
	EnvironmentOptions
	topics   Topics
	link     mqttlink.Client
	board    hw.Board
	log      *slog.Logger
	sequence int64
	flows    watchers
}

// EnvironmentModel describes an environment sensor to flows. Its events have the
// names of its topics. What they hold differs with the schema.
func EnvironmentModel(topics Topics, schema Schema) Model {
	m := Model{Events: map[string]Event{}}
	for role, topic := range topics {
		key := "utc_timestamp"
		if schema == Script && role != "state" {
			key = "timestamp_utc"
		}
		m.Events[role] = Event{Topic: topic, Read: ReadObject(nil), TimeKey: key}
	}
	return m
}

// Watch implements flow.Device for flows of this process. The events are
// temperature, humidity, pressure, gas and state.
func (e *Environment) Watch(event string, fn func(map[string]any, time.Time)) (stop func(), err error) {
	return e.flows.watch(e.Thing, event, e.topics.roles(), fn)
}

// Call implements flow.Device: an environment sensor has no actions.
func (e *Environment) Call(_ context.Context, action string, _ map[string]any) (map[string]any, error) {
	return nil, fmt.Errorf("thing %s has no action %q", e.Thing, action)
}

// NewEnvironment returns an environment sensor; Run opens its bus.
func NewEnvironment(o EnvironmentOptions, board hw.Board, link mqttlink.Client, log *slog.Logger) (*Environment, error) {
	topics, err := Expand(EnvironmentTopics, o.Thing, o.Topics)
	if err != nil {
		return nil, err
	}
	return &Environment{EnvironmentOptions: o, topics: topics, link: link, board: board, log: log}, nil
}

// Name implements Thing.
func (e *Environment) Name() string { return e.Thing }

// Attach implements Thing. An environment sensor takes no commands.
func (e *Environment) Attach() (func(), error) { return func() {}, nil }

// reopenAfter is the number of failed measurements in a row after which the bus
// is opened anew: an adapter that was unplugged comes back under a new number.
const reopenAfter = 3

// Run implements Thing. It measures at once and then at every interval, and
// publishes a failure as such: a sensor that is missing is told every interval,
// and the loop never ends because of it.
func (e *Environment) Run(ctx context.Context, report func(error)) error {
	var sensor *Sensor
	defer func() { sensor.Close() }()
	failures, refused := 0, false
	tick := time.NewTicker(e.Interval)
	defer tick.Stop()
	for {
		reading, err := e.measure(ctx, &sensor)
		if ctx.Err() != nil {
			return nil
		}
		report(err)
		if err != nil {
			if failures++; failures >= reopenAfter {
				sensor.Close()
				sensor, failures = nil, 0
			}
		} else {
			failures = 0
		}
		if err := e.publish(ctx, reading); mqttlink.Accepted(err) {
			refused = false
		} else if ctx.Err() == nil && !refused {
			refused = true
			e.log.Error("readings are not published", "thing", e.Thing, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (e *Environment) measure(ctx context.Context, sensor **Sensor) (Reading, error) {
	now := time.Now()
	if *sensor == nil {
		s, err := OpenSensor(e.board, e.Bus, e.Address, &e.Sensor)
		if err != nil {
			return failed(now), err
		}
		e.log.Info("sensor found", "thing", e.Thing, "sensor", s.String())
		*sensor = s
	}
	// On a bus that hangs a measurement takes seconds of time-outs.
	dev := (*sensor).dev
	defer context.AfterFunc(ctx, func() { dev.Halt() })()
	r, err := (*sensor).Read()
	if err != nil {
		return failed(now), err
	}
	return r, nil
}

func (e *Environment) publish(ctx context.Context, r Reading) error {
	sequence := e.sequence
	e.sequence++
	for _, q := range r.quantities() {
		if e.Only != "" && q.name != e.Only || e.off(q.name) {
			continue
		}
		if err := e.tell(ctx, q.name, r.Time, e.Schema.object(q.name, q.value, r.Time, sequence)); !mqttlink.Accepted(err) {
			return err
		}
	}
	if e.Only != "" {
		return nil
	}
	return e.tell(ctx, "state", r.Time, r.object())
}

// tell publishes what was measured at t, and has the flows of this process know.
func (e *Environment) tell(ctx context.Context, role string, t time.Time, o *object) error {
	m := e.message(role, t, o)
	err := e.link.Publish(ctx, m)
	e.flows.tell(role, m.Payload, t)
	return err
}

// message is what is published of a measurement taken at t.
func (e *Environment) message(role string, t time.Time, o *object) mqttlink.Message {
	return mqttlink.Message{Topic: e.topics[role], QoS: 1, Payload: e.Extra.add(o.bytes()), Time: t, TimeField: o.field}
}

// off tells whether a quantity is not measured: it has no messages of its own,
// and is null in the combined one.
func (e *Environment) off(quantity string) bool {
	switch quantity {
	case "humidity":
		return e.Sensor.Humidity == bme680.Off
	case "pressure":
		return e.Sensor.Pressure == bme680.Off
	case "gas":
		return e.Sensor.HeaterDuration == 0 || e.Sensor.HeaterTemperature == 0
	}
	return false
}

// Sensor is a BME680 on a bus that it owns.
type Sensor struct {
	bus  i2c.BusCloser
	dev  *bme680.Dev
	opts bme680.Opts
}

// OpenSensor opens the bus and finds the chip on it. o may be nil for the
// driver's defaults.
func OpenSensor(board hw.Board, bus string, address uint16, o *bme680.Opts) (*Sensor, error) {
	if o == nil {
		o = &bme680.DefaultOpts
	}
	b, err := board.OpenBus(bus)
	if err != nil {
		return nil, err
	}
	dev, err := bme680.NewI2C(b, address, o)
	if err != nil {
		b.Close()
		return nil, err
	}
	return &Sensor{b, dev, *o}, nil
}

// String names the chip and where it was found.
func (s *Sensor) String() string { return s.dev.String() }

// Read takes one measurement; its time is when the measurement began.
func (s *Sensor) Read() (Reading, error) {
	t := time.Now()
	var m bme680.Measurement
	if err := s.dev.Sense(&m); err != nil {
		return failed(t), err
	}
	return NewReading(t, &m, &s.opts), nil
}

// Close puts the chip to sleep and releases the bus. A nil Sensor is closed.
func (s *Sensor) Close() {
	if s != nil {
		s.dev.Halt()
		s.bus.Close()
	}
}
