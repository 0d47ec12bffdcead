package things

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink"
	"pithings/sensors/modbus"
)

// modbusKind is a device with a Modbus interface: an energy meter, an inverter, a PLC, a
// heat pump, a module with inputs and relays. What it measures the configuration says,
// register by register, as the maker's list of registers does.
var modbusKind = &Kind{
	Name: "modbus", Doc: "device with Modbus, TCP or RTU", Example: "heating", Routine: true,
	Topics: append(meterTopics("21.3", "with each: true; the unit of the register in the configuration; true and false for bits, and texts"), Topic{
		Role: "set", Template: "{thing}/set", In: true, QoS: 1, Payloads: []Payload{
			{`{"setpoint": 21.5}`, "write the quantities that are writable, one or several"},
		}}),
	Nodes:    []hw.Nodes{hw.SerialPorts},
	New:      func() Settings { return new(ModbusSettings) },
	Discover: discoverModbus,
}

// ModbusSettings are what a configuration says of a Modbus device.
type ModbusSettings struct {
	Device     string           `json:"device" required:"write the serial port or the address, for example device: tcp://192.168.1.20:502" part:"port" change:"local" jsonschema:"serial port for RTU: /dev/serial/by-id/…, /dev/ttyUSB0, /dev/ttyAMA0; tcp://HOST:502 for Modbus TCP; rtu+tcp://HOST:PORT for a converter that passes RTU on; mock simulates a device"`
	Unit       int              `json:"unit" default:"1" min:"0" max:"255" change:"local" jsonschema:"unit id (slave address) of the device: 1 to 247 on a serial line"`
	Interval   conf.Duration    `json:"interval" default:"10s" min:"1s" max:"24h" change:"afar" jsonschema:"time between readings"`
	Timeout    conf.Duration    `json:"timeout" default:"1s" min:"10ms" max:"30s" change:"afar" jsonschema:"time for one answer, beside the time that it takes on the wire"`
	Pause      conf.Duration    `json:"pause" default:"0s" min:"0s" max:"10s" change:"afar" jsonschema:"silence before each request, for devices that need time; 0: that of the protocol"`
	Retries    int              `json:"retries" default:"1" min:"0" max:"5" change:"afar" jsonschema:"how often a request without a valid answer is repeated"`
	Speed      int              `json:"speed" default:"19200" min:"300" max:"4000000" change:"local" jsonschema:"bits per second of the serial line"`
	Parity     string           `json:"parity" default:"even" enum:"none,even,odd" change:"local" jsonschema:"parity of the serial line: none, even or odd"`
	StopBits   int              `json:"stop_bits" default:"1" enum:"1,2" change:"local" jsonschema:"stop bits of the serial line; the protocol wants 2 without parity, most devices have 1"`
	Order      string           `json:"order" default:"ABCD" enum:"ABCD,CDAB,BADC,DCBA" change:"local" jsonschema:"order in which the bytes of a value of two registers are sent, A the highest: ABCD, CDAB (low register first), BADC or DCBA"`
	Gap        int              `json:"gap" default:"0" min:"0" max:"124" change:"local" jsonschema:"registers without use that may be read to save a request"`
	Block      int              `json:"block" default:"125" min:"1" max:"125" change:"local" jsonschema:"most registers of one request"`
	Function16 bool             `json:"function16" default:"false" change:"local" jsonschema:"whether a single register is written by function 16, for devices without function 6"`
	Each       bool             `json:"each" default:"false" change:"afar" jsonschema:"whether each quantity is also published by itself, on a topic of its own"`
	Registers  []ModbusRegister `json:"registers" required:"write at least one value of the device: [{name: voltage, address: 40001}]" change:"local" jsonschema:"the values of the device, one or more"`
}

// ModbusRegister is one value of a Modbus device.
type ModbusRegister struct {
	Name      string  `json:"name" change:"local" jsonschema:"name of the quantity: letters, digits and _"`
	Address   string  `json:"address" change:"local" jsonschema:"first register or bit: 40001 or 400001 as in manuals that count from 1 (0 coils, 1 discrete inputs, 3 input and 4 holding registers), or coil:, discrete:, input: or holding: with the number that is sent, from 0: holding:0x0000"`
	Type      string  `json:"type" default:"auto" enum:"auto,bool,int16,uint16,int32,uint32,int64,uint64,float32,float64,string" change:"local" jsonschema:"type of the value; auto: bool for bits, uint16 for registers"`
	Order     string  `json:"order" default:"device" enum:"device,ABCD,CDAB,BADC,DCBA" change:"local" jsonschema:"order of its bytes; device: that of the device"`
	Bit       int     `json:"bit" default:"-1" min:"-1" max:"15" change:"local" jsonschema:"bit of the register that the value is, 0 the lowest; -1: none"`
	Length    int     `json:"length" default:"0" min:"0" max:"123" change:"local" jsonschema:"registers of a text, two characters each"`
	Gain      float64 `json:"gain" default:"1" min:"-1e12" max:"1e12" change:"local" jsonschema:"value = number in the registers × gain + offset"`
	Offset    float64 `json:"offset" default:"0" min:"-1e12" max:"1e12" change:"local" jsonschema:"see gain"`
	Unit      string  `json:"unit" change:"local" jsonschema:"unit of the value: °C, V, A, W, kWh …"`
	Class     string  `json:"class" change:"local" jsonschema:"device class of Home Assistant: temperature, voltage, energy …"`
	Precision int     `json:"precision" default:"-1" min:"-1" max:"9" change:"local" jsonschema:"decimal places that mean something; -1: those of gain and offset, and all of floating-point numbers"`
	Min       float64 `json:"min" default:"0" min:"-1e18" max:"1e18" change:"local" jsonschema:"least value that is plausible, and that may be written; with max 0, too: no limits"`
	Max       float64 `json:"max" default:"0" min:"-1e18" max:"1e18" change:"local" jsonschema:"largest value"`
	Writable  bool    `json:"writable" default:"false" change:"local" jsonschema:"whether {thing}/set may write it: coils and holding registers"`
}

// maxModbusRegisters bounds the values of one device.
const maxModbusRegisters = 1000

// Part implements Settings.
func (s *ModbusSettings) Part() (key, name string) { return "device", s.Device }

// Shares implements Sharer: units share a serial line, and a converter on the network.
func (s *ModbusSettings) Shares(other Settings) bool {
	o, ok := other.(*ModbusSettings)
	return ok && s.port() == o.port()
}

// Simulate implements Settings.
func (s *ModbusSettings) Simulate() {
	s.Device = "mock"
	s.Registers = []ModbusRegister{
		{Name: "temperature", Address: "30001", Type: "int16", Gain: 0.1, Unit: "°C", Class: "temperature"},
		{Name: "pressure", Address: "30003", Type: "float32", Precision: 1, Unit: "hPa", Class: "atmospheric_pressure", Min: 300, Max: 1100},
		{Name: "setpoint", Address: "holding:0x0000", Type: "int16", Gain: 0.1, Unit: "°C", Class: "temperature", Min: 5, Max: 35, Writable: true},
		{Name: "pump", Address: "00001", Writable: true},
		{Name: "model", Address: "40011", Type: "string", Length: 8},
	}
	for i := range s.Registers { // what conf.Fill does for the items of a file
		r := &s.Registers[i]
		full := ModbusRegister{}
		conf.Fill(&full)
		r.Bit, r.Order = full.Bit, full.Order
		if r.Type == "" {
			r.Type = full.Type
		}
		if r.Gain == 0 {
			r.Gain = full.Gain
		}
		if r.Precision == 0 {
			r.Precision = full.Precision
		}
	}
}

// discoverModbus returns a device for each serial port: what is connected to one cannot be
// seen.
func discoverModbus(c *probe.Connected) (all []Candidate) {
	for _, port := range c.Serial {
		if port.Console {
			continue
		}
		s := new(ModbusSettings)
		conf.Fill(s)
		one := ModbusRegister{}
		conf.Fill(&one)
		one.Name, one.Address = "register1", "holding:0x0000"
		s.Device, s.Registers = port.Open, []ModbusRegister{one}
		all = append(all, Candidate{Part: port.Open, Name: "modbus", Settings: s})
	}
	return all
}

func (s *ModbusSettings) port() modbus.Port {
	parities := map[string]hw.Parity{"none": hw.NoParity, "even": hw.EvenParity, "odd": hw.OddParity}
	return modbus.Port{Device: s.Device, Serial: hw.SerialOpts{Speed: s.Speed, Parity: parities[s.Parity], StopBits: s.StopBits}}
}

// register returns a value as the driver has it.
func (s *ModbusSettings) register(c *ModbusRegister) (r modbus.Register, err error) {
	r = modbus.Register{Name: c.Name, Type: modbus.Type(c.Type), Order: modbus.Order(c.Order), Bit: c.Bit, Length: c.Length,
		Gain: c.Gain, Offset: c.Offset, Precision: c.Precision, Min: c.Min, Max: c.Max, Unit: c.Unit, Class: c.Class, Writable: c.Writable}
	if c.Order == "device" {
		r.Order = modbus.Order(s.Order)
	}
	if r.Address, err = modbus.ParseAddress(c.Address); err != nil {
		return r, err
	}
	return r, r.Check()
}

// registers returns those that are right; Check has refused the others.
func (s *ModbusSettings) registers() (all []modbus.Register) {
	for i := range s.Registers {
		if r, err := s.register(&s.Registers[i]); err == nil {
			all = append(all, r)
		}
	}
	return all
}

var (
	registerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	// takenNames are levels of topics and keys of payloads that mean something else.
	takenNames = []string{"state", "set", "value", "status", "origin", "utc_timestamp"}
)

// Check implements Checker.
func (s *ModbusSettings) Check(report func(path, format string, args ...any)) {
	port := s.port()
	if err := port.Check(); err != nil {
		report("device", "device: %v", err)
	}
	if s.Unit < 1 || s.Unit > 247 {
		if !strings.HasPrefix(s.Device, "tcp://") {
			report("unit", "unit: %d is none on a serial line; write 1 to 247 (0 would be all devices at once)", s.Unit)
		}
	}
	if n := len(s.Registers); n > maxModbusRegisters {
		report("registers", "registers: there are %d, and a thing may have %d; make several things", n, maxModbusRegisters)
		return
	}
	seen := map[string]bool{}
	for i := range s.Registers {
		r := &s.Registers[i]
		at := fmt.Sprintf("registers[%d]", i)
		switch name := strings.ToLower(r.Name); {
		case !registerName.MatchString(r.Name):
			report(conf.Join(at, "name"), "register %d: its name is not of up to 64 letters, digits and _ with a letter first", i+1)
		case slices.Contains(takenNames, name):
			report(conf.Join(at, "name"), "register %s: payloads and topics have this name already; choose another", conf.Quote(r.Name))
		case seen[name]:
			report(conf.Join(at, "name"), "register %s: another has this name", conf.Quote(r.Name))
		default:
			seen[name] = true
		}
		if _, err := s.register(r); err != nil {
			report(at, "register %s: %v", conf.Quote(r.Name), err)
		}
	}
}

// device returns the device, which is not open.
func (s *ModbusSettings) device(board hw.Board, lines *modbus.Lines) *modbus.Device {
	return modbus.New(lines, board, s.port(), modbus.Opts{Unit: byte(s.Unit), Timeout: s.Timeout.Duration, Pause: s.Pause.Duration,
		Retries: s.Retries, Gap: s.Gap, Block: s.Block, Several: s.Function16}, s.registers())
}

// Probe implements Settings: all registers are read once.
func (s *ModbusSettings) Probe(ctx context.Context, p *probe.Prober, part string) []probe.Result {
	d := s.device(p.Board, new(modbus.Lines))
	defer d.Close()
	err := d.Open(ctx)
	var values []any
	if err == nil {
		values, err = d.Read(ctx)
	}
	switch found := shown(d.Channels(), values); {
	case errors.Is(err, hw.ErrBusy):
		if who, ours := p.Holder(ctx, p.Files.Resolve(s.Device)); ours {
			return []probe.Result{probe.Found(part, "%s is in use by %s", s.Device, who)}
		}
		return []probe.Result{probe.Failure(part, err, "stop the other program")}
	case err == nil:
		return []probe.Result{probe.Found(part, "%s: %s", d, found)}
	case found != "":
		r := probe.Failure(part, err, "compare the registers with the maker's list: address, type, order of bytes, gain")
		r.Found, r.Status = fmt.Sprintf("%s: %s", d, found), probe.Warn
		return []probe.Result{r}
	}
	return []probe.Result{probe.Failure(part, err, "check unit, speed, parity and stop_bits, the wires A and B, which may be exchanged, and that no other program asks the device")}
}

// Describe implements Settings.
func (s *ModbusSettings) Describe(t Topics) Description {
	registers := s.registers()
	var quantities []device.Quantity
	events := map[string]device.EventModel{"state": {Topic: t["state"], Time: "utc_timestamp", Every: s.Interval.Duration}}
	params := map[string]device.ValueType{}
	for i := range registers {
		r := &registers[i]
		q := r.Quantity()
		if s.Each {
			events[r.Name] = device.EventModel{Topic: strings.ReplaceAll(t["quantity"], quantityPlaceholder, r.Name), Time: "utc_timestamp", Every: s.Interval.Duration}
		}
		if r.Writable {
			params[r.Name], q.Set = r.ValueType(), "set"
		}
		quantities = append(quantities, q)
	}
	m := device.Model{Events: events, Quantities: ofState(quantities)}
	if len(params) > 0 {
		m.Actions = map[string]device.ActionModel{"set": {Topic: t["set"], Params: params}}
	}
	return Describe(m)
}

// Modbus is a Modbus device on MQTT.
type Modbus struct {
	*meter
	device   *modbus.Device
	writable bool
}

// Open implements Settings.
func (s *ModbusSettings) Open(o Options, e Env) (Thing, error) {
	lines := e.Lines
	if lines == nil {
		lines = new(modbus.Lines)
	}
	d := s.device(e.Board, lines)
	m, err := newMeter(modbusKind, o, e, s.Interval.Duration, o.Thing, func(ctx context.Context) (gauge, error) { return d, d.Open(ctx) })
	if err != nil {
		return nil, err
	}
	m.known, m.together = ofState(d.Channels()), !s.Each
	return &Modbus{m, d, slices.ContainsFunc(s.Registers, func(r ModbusRegister) bool { return r.Writable })}, nil
}

// Run implements Thing.
func (m *Modbus) Run(ctx context.Context, report func(error)) error {
	defer m.device.Close()
	return m.meter.Run(ctx, report)
}

// Attach implements Thing. A device without writable registers takes no commands.
func (m *Modbus) Attach() (func(), error) {
	if !m.writable {
		return m.meter.Attach()
	}
	return m.link.Subscribe(m.topics["set"], 1, func(ctx context.Context, msg mqttlink.Message) {
		if msg.Retain {
			m.log.Warn("retained command ignored; delete it from the broker with an empty retained message", "thing", m.thing, "topic", msg.Topic)
			return
		}
		var values map[string]any
		err := decode(msg.Payload, &values)
		if err == nil {
			err = m.set(ctx, values)
		}
		if err != nil && ctx.Err() == nil {
			m.log.Error("not written", "thing", m.thing, "err", err)
		}
	})
}

// set writes values by their names, none of them if one cannot be written, and reads all
// again.
func (m *Modbus) set(ctx context.Context, values map[string]any) error {
	if len(values) == 0 {
		return device.InputError{Err: errors.New(`it names no quantity; write {"NAME": VALUE}`)}
	}
	names := slices.Sorted(maps.Keys(values))
	for _, name := range names {
		if err := m.device.Check(name, values[name]); err != nil {
			return device.InputError{Err: err}
		}
	}
	defer m.soon()
	for _, name := range names {
		if err := m.device.Write(ctx, name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// Watch implements [device.Actor]. The events are state, and each quantity that is
// published by itself.
func (m *Modbus) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	if m.together {
		return m.watch(event, []string{"state"}, fn)
	}
	return m.meter.Watch(event, fn)
}

// Call implements [device.Actor]. The action is set, with the values by their names.
func (m *Modbus) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	if !m.writable || !strings.EqualFold(action, "set") {
		return nil, m.noAction(action)
	}
	return nil, m.set(ctx, input)
}
