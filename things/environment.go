package things

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"pithings/conf"
	"pithings/device"
	"pithings/hw"
	"pithings/hw/chips"
	"pithings/hw/probe"
	"pithings/mqttlink"
	"pithings/quietlog"
	"pithings/sensors/bme680"
)

// environmentKind is a BME680 or BME688: at every interval one message of each quantity and
// one of all. The payloads are those of the BME680-to-AWS tutorial, with the separators that
// Python's json.dumps writes.
//
// A quantity that could not be measured is null, and the status "fail". Gas is a value only
// when the chip says that the heater was stable and the reading valid; null otherwise, never 0.
var environmentKind = &Kind{
	Name: "environment", Doc: "BME680 or BME688 environment sensor", Example: "bme680", Routine: true,
	Topics: []Topic{
		quantityTopic("temperature", "°C", "23.6"),
		quantityTopic("humidity", "% relative", "41.2"),
		quantityTopic("pressure", "hPa", "1013.25"),
		quantityTopic("gas", "Ω; null unless the heater was stable", "51234.0"),
		{Role: "state", Template: "{thing}/state", QoS: 1, Payloads: []Payload{
			{`{"utc_timestamp": 1581417910, "temperature": 23.6, "humidity": 41.2, "pressure": 1013.25, "gas_resistance": 51234.0, "status": "success"}`, "all in one message"},
		}},
	},
	Nodes:    []hw.Nodes{hw.I2CBuses},
	New:      func() Settings { return new(EnvironmentSettings) },
	Usual:    func() (string, Settings) { return "sensor", &EnvironmentSettings{Bus: "1"} },
	Discover: discoverEnvironments,
}

func quantityTopic(name, unit, value string) Topic {
	return Topic{Role: name, Template: "{thing}/" + name, QoS: 1, Payloads: []Payload{
		{`{"utc_timestamp": 1581417910, "value": ` + value + `, "origin": "BME680 ` + name + `", "status": "success"}`, unit},
		{`{"sequence": 0, "value": ` + value + `, "status": "success", "timestamp_utc": "2020-02-12T07:30:05.123456Z"}`, "with schema: script"},
	}}
}

// EnvironmentSettings are what a configuration says of a BME680 or BME688.
type EnvironmentSettings struct {
	Bus               string        `json:"bus" default:"1" part:"bus" change:"local" jsonschema:"I²C bus: 1 for /dev/i2c-1, a device, or an adapter's name; mock simulates it"`
	Address           Address       `json:"address" default:"auto" change:"local" jsonschema:"0x76, 0x77, or auto to try both"`
	Interval          conf.Duration `json:"interval" default:"3s" min:"100ms" max:"24h" change:"afar" jsonschema:"time between measurements"`
	Schema            Schema        `json:"schema" default:"tutorial" enum:"tutorial,script" change:"afar" jsonschema:"form of the messages of single quantities"`
	TemperatureOffset float64       `json:"temperature_offset" default:"0" min:"-20" max:"20" change:"afar" jsonschema:"°C added to the temperature; humidity and pressure follow"`
	Oversampling      Oversampling  `json:"oversampling" jsonschema:"measurements averaged for one value"`
	Filter            int           `json:"filter" default:"3" enum:"0,1,3,7,15,31,63,127" change:"afar" jsonschema:"coefficient of the low-pass filter for temperature and pressure; 0: off"`
	Heater            Heater        `json:"heater" jsonschema:"heater of the gas sensor"`

	// Only publishes this quantity alone, and no state. It is no key.
	Only string `json:"-"`
}

// Oversampling is the number of measurements averaged for one value: 0 skips
// the quantity, else 1, 2, 4, 8 or 16.
type Oversampling struct {
	Temperature int `json:"temperature" default:"8" enum:"1,2,4,8,16" change:"afar" jsonschema:"for temperature; the other quantities need it"`
	Pressure    int `json:"pressure" default:"4" enum:"0,1,2,4,8,16" change:"afar" jsonschema:"for pressure; 0: not measured"`
	Humidity    int `json:"humidity" default:"2" enum:"0,1,2,4,8,16" change:"afar" jsonschema:"for humidity; 0: not measured"`
}

// Heater is the gas sensor's heater. Without it there are no gas values.
type Heater struct {
	Enabled     bool          `json:"enabled" default:"true" change:"afar" jsonschema:"whether gas is measured"`
	Temperature int           `json:"temperature" default:"320" min:"200" max:"400" change:"afar" jsonschema:"°C"`
	Duration    conf.Duration `json:"duration" default:"150ms" min:"1ms" max:"4032ms" change:"afar" jsonschema:"heating time before a measurement"`
}

// Part implements Settings.
func (s *EnvironmentSettings) Part() (key, name string) { return "bus", s.Bus }

// Shares implements Sharer: a bus serves several sensors, at different addresses.
func (s *EnvironmentSettings) Shares(other Settings) bool {
	o, ok := other.(*EnvironmentSettings)
	return !ok || s.Address != o.Address && s.Address != 0 && o.Address != 0
}

// Simulate implements Settings.
func (s *EnvironmentSettings) Simulate() {}

// Probe implements Settings.
func (s *EnvironmentSettings) Probe(_ context.Context, p *probe.Prober, part string) []probe.Result {
	return p.Bus(part, s.Bus, func(b i2c.Bus) (chip string, err error) {
		d, err := bme680.NewI2C(b, uint16(s.Address), nil)
		if err != nil {
			return "", err
		}
		chip, _, _ = strings.Cut(d.String(), "{")
		return chip, nil
	})
}

// discoverEnvironments returns the chips that say that they are a BME680 or BME688.
func discoverEnvironments(c *probe.Connected) (all []Candidate) {
	for i := range c.Chips {
		chip := &c.Chips[i]
		if chip.Driver != "" || !chip.Is(chips.BME680) {
			continue
		}
		s := new(EnvironmentSettings)
		conf.Fill(s)
		s.Bus, s.Address = chip.Bus, Address(chip.Address)
		all = append(all, Candidate{Part: chip.String(), Name: "bme680", Settings: s})
	}
	return all
}

// Describe implements Settings. The events have the names of the topics; what they hold
// differs with the schema.
func (s *EnvironmentSettings) Describe(t Topics) Description {
	d := Description{Model: device.Model{Events: map[string]device.EventModel{}}, Wire: Model{Events: map[string]Event{}}}
	for role, topic := range t {
		key := "utc_timestamp"
		if s.Schema == Script && role != "state" {
			key = "timestamp_utc"
		}
		d.Model.Events[role] = device.EventModel{Topic: topic, Time: key, Every: s.Interval.Duration}
		d.Wire.Events[role] = Event{Topic: topic, Read: ReadObject(nil), TimeKey: key}
	}
	// The ranges of the datasheet (BST-BME680-DS001, tables 1 to 4); of gas none is given.
	d.Model.Quantities = []device.Quantity{
		{Name: "temperature", Event: "state", Key: "temperature", Unit: "°C", Class: "temperature", Precision: 2, Min: -40, Max: 85},
		{Name: "humidity", Event: "state", Key: "humidity", Unit: "%", Class: "humidity", Precision: 1, Min: 0, Max: 100},
		{Name: "pressure", Event: "state", Key: "pressure", Unit: "hPa", Class: "atmospheric_pressure", Precision: 2, Min: 300, Max: 1100},
		{Name: "gas", Event: "state", Key: "gas_resistance", Unit: "Ω"},
	}
	return d
}

// opts are the settings in the words of the driver, which takes a zero for "off".
func (s *EnvironmentSettings) opts() bme680.Opts {
	o := bme680.DefaultOpts
	o.Temperature = oversampling[s.Oversampling.Temperature]
	o.Pressure = oversampling[s.Oversampling.Pressure]
	o.Humidity = oversampling[s.Oversampling.Humidity]
	o.Filter = filters[s.Filter]
	o.TemperatureOffset = physic.Temperature(math.Round(s.TemperatureOffset*1000)) * physic.MilliKelvin
	o.HeaterTemperature, o.HeaterDuration = 0, 0
	if s.Heater.Enabled {
		o.HeaterTemperature = physic.ZeroCelsius + physic.Temperature(s.Heater.Temperature)*physic.Kelvin
		o.HeaterDuration = s.Heater.Duration.Duration
	}
	return o
}

var oversampling = map[int]bme680.Oversampling{
	0: bme680.Off, 1: bme680.O1x, 2: bme680.O2x, 4: bme680.O4x, 8: bme680.O8x, 16: bme680.O16x,
}

var filters = map[int]bme680.Filter{
	0: bme680.NoFilter, 1: bme680.F1, 3: bme680.F3, 7: bme680.F7,
	15: bme680.F15, 31: bme680.F31, 63: bme680.F63, 127: bme680.F127,
}

// Environment is a BME680 or BME688 on MQTT.
type Environment struct {
	EnvironmentSettings
	outlet
	sensor   bme680.Opts
	board    hw.Board
	log      *slog.Logger
	said     *quietlog.Repeats
	found    string // the sensor that was opened last
	asked    asked[*Sensor]
	sequence int64
}

// Open implements Settings.
func (s *EnvironmentSettings) Open(o Options, e Env) (Thing, error) {
	out, err := newOutlet(environmentKind, o, e)
	if err != nil {
		return nil, err
	}
	return &Environment{EnvironmentSettings: *s, outlet: out, sensor: s.opts(), board: e.Board, log: e.Log,
		said: quietlog.NewRepeats(e.Log), asked: make(asked[*Sensor])}, nil
}

// Watch implements [device.Actor]. The events are temperature, humidity, pressure, gas and
// state.
func (e *Environment) Watch(event string, fn func(map[string]any, time.Time)) (stop func(), err error) {
	return e.watch(event, e.topics.roles(), fn)
}

// Call implements [device.Actor]: an environment sensor has no actions.
func (e *Environment) Call(_ context.Context, action string, _ map[string]any) (map[string]any, error) {
	return nil, e.noAction(action)
}

// Attach implements Thing. An environment sensor takes no commands.
func (e *Environment) Attach() (func(), error) { return func() {}, nil }

// Run implements Thing. It measures at once and then at every interval, and
// publishes a failure as such: a sensor that is missing is reported every interval,
// and the loop never ends because of it.
func (e *Environment) Run(ctx context.Context, report func(error)) error {
	var sensor *Sensor
	defer func() { sensor.Close() }()
	failures := 0
	tick := time.NewTicker(e.Interval.Duration)
	defer tick.Stop()
	turns := e.loop("")
	defer turns.End()
	ctx = turns.In(ctx)
	for {
		turns.Work()
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
		if err := e.publish(ctx, reading); !mqttlink.Accepted(err) && ctx.Err() == nil {
			e.said.Say(slog.LevelError, err.Error(), "readings are not published", "thing", e.thing, "err", err)
		}
		if !e.asked.pause(ctx, turns, &sensor, tick.C, nil) {
			return nil
		}
	}
}

func (e *Environment) measure(ctx context.Context, sensor **Sensor) (Reading, error) {
	now := time.Now()
	if *sensor == nil {
		s, err := OpenSensor(e.board, e.Bus, uint16(e.Address), &e.sensor)
		if err != nil {
			return failed(now), err
		}
		if name := s.String(); name != e.found { // and not each time it is opened again
			e.found = name
			e.log.Info("sensor found", "thing", e.thing, "sensor", name)
		}
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
	for _, one := range e.reported(r, sequence) {
		if err := e.report(ctx, one.name, one.name, r.Time, one.record); !mqttlink.Accepted(err) {
			return err
		}
	}
	return nil
}

// reported are the messages of a reading, in their order.
func (e *Environment) reported(r Reading, sequence int64) (all []reported) {
	for _, q := range r.quantities() {
		if e.Only != "" && q.name != e.Only || e.off(q.name) {
			continue
		}
		all = append(all, reported{q.name, e.Schema.record(q.name, q.value, r.Time, sequence)})
	}
	if e.Only == "" {
		all = append(all, reported{"state", r.record()})
	}
	return all
}

// measured is the answer to a request for a reading now.
type measured struct {
	reading Reading
	sensor  string
	err     error
}

// Measure takes a reading between two intervals, which is not published, and names the
// sensor.
func (e *Environment) Measure(ctx context.Context) (Reading, string, error) {
	m, err := ask(ctx, e.asked, e.thing, func(ctx context.Context, sensor **Sensor) measured {
		r, err := e.measure(ctx, sensor)
		return measured{r, e.found, err}
	})
	if err != nil {
		return Reading{}, "", err
	}
	return m.reading, m.sensor, m.err
}

// Read implements [device.Reader]. The script's schema counts the readings that are published:
// the events of this one have no sequence.
func (e *Environment) Read(ctx context.Context) ([]device.Event, error) {
	r, _, err := e.Measure(ctx)
	if r.Time.IsZero() {
		return nil, err // nothing was measured; else the values that lack are nil
	}
	all := e.unpublished(r.Time, e.reported(r, 0))
	for _, one := range all {
		delete(one.Values, "sequence")
	}
	return all, nil
}

// off reports whether a quantity is not measured: it has no messages of its own,
// and is null in the combined one.
func (e *Environment) off(quantity string) bool {
	switch quantity {
	case "humidity":
		return e.sensor.Humidity == bme680.Off
	case "pressure":
		return e.sensor.Pressure == bme680.Off
	case "gas":
		return e.sensor.HeaterDuration == 0 || e.sensor.HeaterTemperature == 0
	}
	return false
}
