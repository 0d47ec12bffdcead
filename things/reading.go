package things

import (
	"iter"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"pithings/hw"
	"pithings/mqttlink"
	"pithings/sensors/bme680"
)

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
	payload, _ := s.record(quantity, value, t, sequence).encode()
	return payload
}

func (s Schema) record(quantity string, value float64, t time.Time, sequence int64) *record {
	status := statusOf(value)
	if s == Script {
		return new(record).int("sequence", sequence).number("value", value).string("status", status).
			time("timestamp_utc", t, mqttlink.TextMicros)
	}
	return new(record).time("utc_timestamp", t, mqttlink.UnixSeconds).number("value", value).
		string("origin", "BME680 "+quantity).string("status", status)
}

func statusOf(value float64) string { return success(!math.IsNaN(value)) }

// success is the status of a reading with or without a value.
func success(there bool) string {
	if !there {
		return "fail"
	}
	return "success"
}

// State is the combined message.
func (r Reading) State() []byte {
	payload, _ := r.record().encode()
	return payload
}

func (r Reading) record() *record {
	return new(record).time("utc_timestamp", r.Time, mqttlink.UnixSeconds).
		number("temperature", r.Temperature).number("humidity", r.Humidity).
		number("pressure", r.Pressure).number("gas_resistance", r.Gas).
		string("status", statusOf(r.Temperature))
}

// Payloads are the messages of a reading, by the roles of their topics and in the order in which
// they are published, of a sensor that measures all quantities.
func (r Reading) Payloads(s Schema, sequence int64) iter.Seq2[string, []byte] {
	return func(yield func(role string, payload []byte) bool) {
		for _, q := range r.quantities() {
			if !yield(q.name, s.Payload(q.name, q.value, r.Time, sequence)) {
				return
			}
		}
		yield("state", r.State())
	}
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
