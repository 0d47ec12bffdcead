package things

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/hw/mock"
	"pithings/hw/probe"
	"pithings/sensors/modbus"
)

// modbusOf returns settings with registers, each filled in as conf.Fill does.
func modbusOf(device string, registers ...ModbusRegister) *ModbusSettings {
	s := new(ModbusSettings)
	conf.Fill(s)
	s.Device, s.Each = device, true
	for _, given := range registers {
		r := ModbusRegister{}
		conf.Fill(&r)
		from, to := reflect.ValueOf(given), reflect.ValueOf(&r).Elem()
		for i := range from.NumField() {
			if !from.Field(i).IsZero() {
				to.Field(i).Set(from.Field(i))
			}
		}
		s.Registers = append(s.Registers, r)
	}
	return s
}

// state is the last message of all.
func (b *bench) state(topic string) (values map[string]any) {
	b.Helper()
	messages := b.link.Published(topic)
	if len(messages) == 0 {
		b.Fatalf("nothing is published on %s", topic)
	}
	if err := json.Unmarshal(messages[len(messages)-1].Payload, &values); err != nil {
		b.Fatal(err)
	}
	delete(values, "utc_timestamp")
	return values
}

var heating = []ModbusRegister{
	{Name: "setpoint", Address: "40001", Type: "int16", Gain: 0.1, Min: 5, Max: 35, Unit: "°C", Writable: true},
	{Name: "pump", Address: "00005", Writable: true},
	{Name: "hours", Address: "holding:0x0032"},
}

// A command writes values and has them read at once; what cannot be written is not, and
// nothing else of its message either.
func TestModbusSet(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		s := modbusOf("mock", heating...)
		s.Interval = conf.Duration{Duration: time.Hour}
		thing := b.in(b.env(quiet), Options{Thing: "heating"}, s)
		b.inject("heating/set", `{"pump": true}`, true) // retained: not obeyed
		stop := b.run(thing)
		defer stop()
		time.Sleep(time.Second)
		device := b.board.Modbus("mock")
		want := map[string]any{"setpoint": 21.5, "pump": false, "hours": 50.0, "status": "success"}
		look := func() {
			b.Helper()
			time.Sleep(time.Second)
			if got := b.state("heating/state"); !reflect.DeepEqual(got, want) {
				b.Errorf("%v, want %v", got, want)
			}
		}
		look()
		b.inject("heating/set", `{"setpoint": 18.2, "pump": true}`, false)
		want["setpoint"], want["pump"] = 18.2, true
		look()
		published := len(b.link.Published("#"))
		for _, refused := range []string{
			`{"pump": false, "setpoint": 4}`, `{"pump": false, "hours": 1}`, `{"pump": false, "speed": 1}`, `{"pump": "off"}`, `{}`, `[]`, `null`, `{"setpoint": null}`, ``,
		} {
			b.inject("heating/set", refused, false)
			time.Sleep(time.Second)
			if n := len(b.link.Published("#")) - published; n > 0 {
				b.Errorf("%s was obeyed", refused)
				published += n
			}
		}
		time.Sleep(time.Minute)
		if n := len(b.link.Published("#")) - published; n > 0 || !device.Coil(1, 4) || device.Holding(1, 0) != 182 {
			b.Errorf("%d messages after commands that are refused; the pump is on: %v, the setpoint %d", n, device.Coil(1, 4), device.Holding(1, 0))
		}
		if _, err := thing.Call(b.Context(), "SET", map[string]any{"setpoint": 5.0}); err != nil || device.Holding(1, 0) != 50 {
			b.Errorf("Call: %v, the setpoint is %d", err, device.Holding(1, 0))
		}
		if _, err := thing.Call(b.Context(), "set", map[string]any{"setpoint": 50.0}); err == nil || !strings.Contains(err.Error(), "not from 5 to 35") {
			b.Errorf("Call: %v", err)
		}
		if _, err := thing.Call(b.Context(), "reset", nil); err == nil {
			b.Error("there is an action reset")
		}
	})
}

// Without a writable register there is no command and no action.
func TestModbusThatIsOnlyRead(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		s := modbusOf("tcp://mock", ModbusRegister{Name: "hours", Address: "40051"})
		if d := modbusKind.Describe(s, nil); len(d.Model.Actions) > 0 || d.Model.Events["hours"].Topic != "{thing}/hours" {
			b.Errorf("%+v", d.Model)
		}
		thing := b.in(b.env(quiet), Options{Thing: "x"}, s)
		defer b.run(thing)()
		if b.link.Subscribed("x/set") {
			b.Error("it subscribes to commands")
		}
		if _, err := thing.Call(b.Context(), "set", map[string]any{"hours": 1.0}); err == nil {
			b.Error("it was written")
		}
	})
}

// Unless each quantity is asked for, there is one message of all; the quantities are known before the first reading, with
// their types.
func TestModbusInOneMessage(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		s := modbusOf("mock", heating...)
		s.Each = false
		d := modbusKind.Describe(s, nil)
		params := map[string]device.ValueType{"setpoint": device.NumberType, "pump": device.BooleanType}
		if got := d.Model.Actions["set"].Params; !reflect.DeepEqual(got, params) || len(d.Model.Events) != 1 {
			b.Errorf("%+v", d.Model)
		}
		thing := b.in(b.env(quiet), Options{Thing: "x"}, s)
		var events []device.Event
		defer b.events.Subscribe("x", "", func(e device.Event) { events = append(events, e) })()
		if q := thing.(Measuring).Quantities(); len(q) != 3 || q[0].Unit != "°C" || q[0].Event != "state" || q[0].Key != "setpoint" || q[0].Precision != 1 {
			b.Errorf("%+v", q)
		}
		stop := b.run(thing)
		time.Sleep(time.Second)
		stop()
		if lines := b.link.Transcript(); len(lines) != 1 || !strings.HasPrefix(lines[0], "x/state ") {
			b.Errorf("%q", lines)
		}
		if len(events) != 1 || events[0].Values["setpoint"] != 21.5 || events[0].Values["pump"] != false || events[0].Values["hours"] != int64(50) {
			b.Errorf("%+v", events)
		}
	})
}

// A device with a fault has readings without values, each marked, and heals; another thing on
// the same port, and one elsewhere, are as before.
func TestModbusFaults(t *testing.T) {
	for name, fault := range map[string]func(*mock.Answer){
		"silent": mock.NoAnswer, "slow": mock.LateAnswer(1500 * time.Millisecond), "another unit": mock.OtherUnit,
		"exception": mock.Exception(4), "garbage": mock.Noise, "closes": mock.HangUp,
	} {
		for _, at := range []string{"mock", "tcp://mock"} {
			t.Run(name+" "+at, func(t *testing.T) {
				onBench(t, mock.Options{}, func(b *bench) {
					lines := new(modbus.Lines)
					open := func(name, device string, unit int) Thing {
						s := modbusOf(device, heating...)
						s.Unit, s.Interval = unit, seconds(5)
						env := b.env(quiet)
						env.Lines = lines
						return b.in(env, Options{Thing: name}, s)
					}
					stops := []func(){b.run(open("bad", at, 1)), b.run(open("neighbour", at, 2)), b.run(open("elsewhere", "mock:2", 1))}
					time.Sleep(time.Second)
					behind := b.board.Modbus(strings.TrimPrefix(at, "tcp://"))
					if at != "mock" {
						behind = b.board.Modbus("mock:502")
					}
					behind.Fault(func(a *mock.Answer) {
						if a.Unit == 1 {
							fault(a)
						}
					})
					good := map[string]any{"setpoint": 21.5, "pump": false, "hours": 50.0, "status": "success"}
					for range 12 {
						time.Sleep(10 * time.Second)
						want := map[string]any{"setpoint": nil, "pump": nil, "hours": nil, "status": "fail"}
						if got := b.state("bad/state"); !reflect.DeepEqual(got, want) {
							t.Fatalf("with the fault: %v", got)
						}
						if got := b.state("bad/pump"); got["status"] != "fail" || got["value"] != nil {
							t.Fatalf("with the fault: %v", got)
						}
						for _, other := range []string{"neighbour", "elsewhere"} {
							if got := b.state(other + "/state"); !reflect.DeepEqual(got, good) {
								t.Fatalf("%s, beside the fault: %v", other, got)
							}
						}
					}
					if n := len(b.link.Published("neighbour/state")); n < 24 {
						t.Errorf("the neighbour was read %d times in 2 minutes", n)
					}
					behind.Fault(nil)
					time.Sleep(40 * time.Second)
					if got := b.state("bad/state"); !reflect.DeepEqual(got, good) {
						t.Errorf("after the fault: %v", got)
					}
					if err := b.last(); err != nil {
						t.Error(err)
					}
					for _, stop := range stops {
						stop()
					}
				})
			})
		}
	}
}

// Between readings a device costs no goroutine beside that of its thing.
func TestModbusAtRest(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		before := runtime.NumGoroutine()
		var stops []func()
		for i := range 20 {
			s := modbusOf(fmt.Sprintf("mock:%d", i), heating...)
			s.Registers = slices.DeleteFunc(s.Registers, func(r ModbusRegister) bool { return r.Writable })
			stops = append(stops, b.run(b.in(b.env(quiet), Options{Thing: fmt.Sprint("x", i)}, s)))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > 25 { // those of the test's own process come and go
			t.Errorf("20 things have %d goroutines", n)
		}
		for _, stop := range stops {
			stop()
		}
		if b.board.Modbus("mock:3").InUse() {
			t.Error("a port is still open")
		}
	})
}

func unitOf(unit int, device string) *ModbusSettings {
	s := modbusOf(device, heating...)
	s.Unit = unit
	return s
}

// Mistakes in a configuration are named with their key and what to write.
func TestModbusCheck(t *testing.T) {
	for name, row := range map[string]struct {
		s    *ModbusSettings
		want []string // path: part of the text
	}{
		"right":        {modbusOf("/dev/ttyUSB0", heating...), nil},
		"scheme":       {modbusOf("udp://x:502", heating...), []string{`device: device: "udp://" is none of tcp:// and rtu+tcp://`}},
		"no port":      {modbusOf("rtu+tcp://x", heating...), []string{"device: device: write it as rtu+tcp://HOST:PORT"}},
		"no name":      {modbusOf("mock", ModbusRegister{Address: "40001"}), []string{"registers[0].name: register 1: its name is not of up to 64 letters"}},
		"a topic":      {modbusOf("mock", ModbusRegister{Name: "State", Address: "40001"}), []string{"registers[0].name: register \"State\": payloads and topics have this name"}},
		"one twice":    {modbusOf("mock", ModbusRegister{Name: "a", Address: "40001"}, ModbusRegister{Name: "A", Address: "40002"}), []string{"registers[1].name: register \"A\": another has this name"}},
		"no address":   {modbusOf("mock", ModbusRegister{Name: "a"}), []string{`registers[0]: register "a": "" is no address; write 40001`}},
		"broadcast":    {unitOf(0, "/dev/ttyUSB0"), []string{"unit: unit: 0 is none on a serial line; write 1 to 247"}},
		"248":          {unitOf(248, "rtu+tcp://x:502"), []string{"unit: unit: 248 is none on a serial line"}},
		"247":          {unitOf(247, "/dev/ttyUSB0"), nil},
		"0 by TCP":     {unitOf(0, "tcp://x:502"), nil},
		"255 by TCP":   {unitOf(255, "tcp://x"), nil},
		"two mistakes": {modbusOf("mock", ModbusRegister{Name: "a", Address: "30001", Writable: true}, ModbusRegister{Name: "b", Address: "40001", Type: "string"}), []string{"registers[0]: register \"a\": input cannot be written", "registers[1]: register \"b\": write length"}},
		"too many":     {modbusOf("mock", make([]ModbusRegister, 1001)...), []string{"registers: registers: there are 1001, and a thing may have 1000"}},
	} {
		var got []string
		row.s.Check(func(path, format string, args ...any) { got = append(got, path+": "+fmt.Sprintf(format, args...)) })
		ok := len(got) == len(row.want)
		for i := range row.want {
			ok = ok && strings.HasPrefix(got[i], row.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

// Things share a port if they have it set up alike.
func TestModbusShares(t *testing.T) {
	a, b := modbusOf("/dev/ttyUSB0", heating...), modbusOf("/dev/ttyUSB0", heating...)
	b.Unit = 2
	if !a.Shares(b) {
		t.Error("two units do not share a port")
	}
	b.Speed = 9600
	if a.Shares(b) || a.Shares(new(HostSettings)) {
		t.Error("a port has two speeds")
	}
}

// The doctor shows what the registers have, and what is wrong.
func TestModbusProbe(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		missing := append(slices.Clone(heating), ModbusRegister{Name: "far", Address: "holding:20000"})
		device := b.board.Modbus("/dev/ttyUSB0")
		for _, row := range []struct {
			name      string
			registers []ModbusRegister
			before    func()
			status    probe.Status
			found     string
			problem   string
			fix       string
		}{
			{"works", heating, func() {}, probe.OK, "unit 1 at /dev/ttyUSB0: setpoint 21.5 °C, pump false, hours 50", "", ""},
			{"a register that is not there", missing, func() {}, probe.Warn, "setpoint 21.5", "illegal data address", "compare the registers"},
			{"silent", heating, func() { device.Fault(mock.NoAnswer) }, probe.Fail, "", "no answer", "check unit, speed, parity"},
			{"in use", heating, func() { device.Fault(nil); device.Hold("minicom") }, probe.Fail, "", "in use by another program", "stop that program"},
			{"unplugged", heating, func() { device.Release(); device.Unplug() }, probe.Fail, "", "not found", "it may appear later"},
		} {
			row.before()
			r := modbusOf("/dev/ttyUSB0", row.registers...).Probe(context.Background(), probe.New(b.board, nil), "heating")
			if len(r) != 1 || r[0].Status != row.status || !strings.Contains(r[0].Found, row.found) || !strings.Contains(r[0].Problem, row.problem) || !strings.Contains(r[0].Fix, row.fix) {
				b.Errorf("%s: %+v", row.name, r)
			}
			if device.InUse() {
				b.Errorf("%s: the port is still open", row.name)
			}
		}
	})
}

// Whole numbers of registers are whole for those who take events, and floats for flows, as
// those of any JSON.
func TestModbusWholeNumbers(t *testing.T) {
	r := &record{}
	r.int("hours", 50).number("setpoint", 21).number("none", math.NaN())
	if got := r.values(); !reflect.DeepEqual(got, map[string]any{"hours": int64(50), "setpoint": 21.0, "none": nil}) {
		t.Errorf("values %#v", got)
	}
	bus := new(device.Bus)
	o := &outlet{thing: "heating", events: bus}
	var watched map[string]any
	stop, err := o.watch("STATE", []string{"state"}, func(values map[string]any, _ time.Time) { watched = values })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var taken device.Event
	defer bus.Subscribe("heating", "state", func(e device.Event) { taken = e })()
	o.emit("state", time.Now(), r)
	if !reflect.DeepEqual(watched, map[string]any{"hours": 50.0, "setpoint": 21.0, "none": nil}) || taken.Values["hours"] != int64(50) {
		t.Errorf("watched %#v, taken %#v", watched, taken.Values)
	}
}
