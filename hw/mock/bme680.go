package mock

import (
	"errors"
	"sync"
	"time"
)

// Environment says which environment sensor a bus carries.
type Environment struct {
	// Variant is 0 for a BME680 and 1 for a BME688.
	Variant byte
	// Address on the bus, 0x76 when zero. NoSensor leaves the bus empty.
	Address uint16
	// ChipID is what the chip says it is, 0x61 when zero. 0x60 poses as a
	// BME280, 0x58 as a BMP280.
	ChipID byte
	// Weather, when set, replaces the wandering weather.
	Weather func(time.Time) Weather
}

// NoSensor is the [Environment.Address] of a bus without a sensor.
const NoSensor uint16 = 0xFFFF

// ErrNACK is the error of a transfer that no device acknowledged.
var ErrNACK = errors.New("no acknowledge from the I²C device (remote I/O error)")

// Registers of the BME680 (BST-BME680-DS001, section 5.2) and, where they
// differ, the BME688 (BST-BME688-DS000).
const (
	regField   = 0x1D // meas_status_0, then the measured values
	regResHeat = 0x5A
	regGasWait = 0x64
	regCtrlGas = 0x70 // ctrl_gas_0 and, next, ctrl_gas_1
	regCtrlHum = 0x72
	regCtrl    = 0x74
	regConfig  = 0x75
	regID      = 0xD0
	regReset   = 0xE0
	regVariant = 0xF0

	resetCommand = 0xB6
	startUp      = 2 * time.Millisecond

	newData      = 0x80
	gasMeasuring = 0x40
	measuring    = 0x20
	gasValid     = 0x20
	heaterStable = 0x10
)

// BME680 is the register file of a BME680 or BME688 with its measurement
// cycle: a forced measurement takes the time that the datasheet says, then its
// results appear and compensate to the weather. Writes are pairs of register
// and value, or one register to read from; reads count the register up.
//
// It takes one part of a transfer at a time, so that it can stand behind any
// bus. The IIR filter is not modelled: every result is of its own measurement.
type BME680 struct {
	mu          sync.Mutex
	seed        uint64
	now         func() time.Time
	weather     func(time.Time) Weather
	calibration calibration
	reg         [256]byte
	pointer     byte
	ready       time.Time // not before, after a reset
	ends        time.Time // of the measurement that runs; zero in sleep
	cycles      int

	absent      bool
	nacks       int
	stuck, cold bool
	dips        int
	garbled     int
	garble      func(field []byte)
}

// NewBME680 makes a sensor. The seed chooses its calibration and its weather;
// now dates the weather, time.Now when nil. The address is the bus's business.
func NewBME680(e Environment, seed uint64, now func() time.Time) *BME680 {
	if now == nil {
		now = time.Now
	}
	d := &BME680{seed: seed, now: now, weather: e.Weather, calibration: plausible(seed)}
	if d.weather == nil {
		d.weather = func(t time.Time) Weather { return wander(seed, t) }
	}
	d.calibration.encode(&d.reg)
	d.reg[regVariant] = e.Variant
	d.reg[regID] = 0x61
	if e.ChipID != 0 {
		d.reg[regID] = e.ChipID
	}
	return d
}

// Weather is the air around the sensor now.
func (d *BME680) Weather() Weather {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.weather(d.now())
}

// SetWeather holds the weather still.
func (d *BME680) SetWeather(w Weather) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.weather = func(time.Time) Weather { return w }
}

// SetPresent takes the sensor off the bus, or puts it back with the settings
// it has after power-on.
func (d *BME680) SetPresent(present bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if present && d.absent {
		d.reset()
	}
	d.absent = !present
}

// NACK leaves the next n transfers without acknowledge, all of them when n is
// negative, until NACK(0).
func (d *BME680) NACK(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nacks = n
}

// Stick makes measurements never end: no new data appears.
func (d *BME680) Stick(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck = on
}

// ColdHeater keeps the gas sensor's heater from reaching its temperature.
func (d *BME680) ColdHeater(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cold = on
}

// Pose makes the chip say that it is another one: 0x60 is a BME280, 0x58 a
// BMP280.
func (d *BME680) Pose(chipID byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reg[regID] = chipID
}

// PowerCycle resets the sensor behind the driver's back.
func (d *BME680) PowerCycle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reset()
}

// Dip lets the supply dip before the next n starts of a measurement, all of them
// when n is negative, until Dip(0): the chip starts with the settings it has after
// power-on, and knows of the measurement what is in the same write.
func (d *BME680) Dip(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dips = n
}

// Garble lets how change the results of the next n measurements, all of them
// when n is negative, until Garble(0, nil). field begins with meas_status_0.
func (d *BME680) Garble(n int, how func(field []byte)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.garbled, d.garble = n, how
}

// Measurements counts the measurements begun.
func (d *BME680) Measurements() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cycles
}

// Register is what a register holds now.
func (d *BME680) Register(r byte) byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle()
	return d.reg[r]
}

// Write is the write part of a transfer.
func (d *BME680) Write(p []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.acknowledge(); err != nil {
		return err
	}
	for ; len(p) >= 2; p = p[2:] {
		d.pointer = p[0]
		d.set(p[0], p[1])
	}
	if len(p) == 1 {
		d.pointer = p[0]
	}
	return nil
}

// Read is the read part of a transfer; it fills p.
func (d *BME680) Read(p []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.acknowledge(); err != nil {
		return err
	}
	for i := range p {
		p[i] = d.reg[d.pointer]
		d.pointer++
	}
	return nil
}

func (d *BME680) acknowledge() error {
	d.settle()
	switch {
	case d.absent || time.Now().Before(d.ready):
		return ErrNACK
	case due(&d.nacks):
		return ErrNACK
	}
	return nil
}

// due counts one off n, the faults to come: negative for ever.
func due(n *int) bool {
	if *n > 0 {
		*n--
		return true
	}
	return *n < 0
}

// set writes one register; what is read-only stays as it is.
func (d *BME680) set(r, v byte) {
	switch {
	case r == regReset && v == resetCommand:
		d.reset()
	case r == regCtrl:
		if v&3 == 1 && d.ends.IsZero() && due(&d.dips) {
			d.reset()
			d.ready = time.Time{} // it was some time ago
		}
		if !d.ends.IsZero() { // the mode stays until the measurement has ended
			v = v&^3 | d.reg[r]&3
		}
		d.reg[r] = v
		if v&3 == 1 && d.ends.IsZero() {
			d.begin()
		}
	case r >= 0x50 && r < regCtrlGas, r == regCtrlGas, r == regCtrlGas+1, r == regCtrlHum, r == regConfig:
		d.reg[r] = v
	}
}

// reset gives the settings that the chip has after power-on.
func (d *BME680) reset() {
	clear(d.reg[regField:0x8A])
	// press_msb, temp_msb and hum_msb (section 5.2, memory map)
	d.reg[regField+2], d.reg[regField+5], d.reg[regField+8] = 0x80, 0x80, 0x80
	d.pointer, d.ends = 0, time.Time{}
	d.ready = time.Now().Add(startUp)
}

// begin starts a forced measurement (section 3.1: temperature, pressure,
// humidity, then the heater and the gas).
func (d *BME680) begin() {
	cycles := conversions(d.reg[regCtrl]>>5) + conversions(d.reg[regCtrl]>>2) + conversions(d.reg[regCtrlHum])
	// 1963 µs for each conversion and 477 µs for each of four changes of
	// input; the gas measurement has five times 477 µs and its heater's time.
	took := time.Duration(cycles)*1963*time.Microsecond + 4*477*time.Microsecond
	clear(d.reg[regField : regField+17])
	d.reg[regField] = measuring | d.profile()
	if d.gasOn() {
		took += 5*477*time.Microsecond + gasWait(d.reg[regGasWait+int(d.profile())])
		d.reg[regField] |= gasMeasuring
	}
	d.ends = time.Now().Add(took)
	d.cycles++
}

// conversions is how many the three bits of an oversampling code stand for.
func conversions(code byte) int {
	switch code &= 7; code {
	case 0:
		return 0
	default:
		return 1 << (min(code, 5) - 1)
	}
}

// gasWait decodes gas_wait_x: six bits, and two that multiply by a power of 4.
func gasWait(v byte) time.Duration {
	return time.Duration(v&0x3F) * time.Millisecond << (2 * (v >> 6))
}

// profile is nb_conv, the heater profile chosen (0 to 9).
func (d *BME680) profile() byte { return min(d.reg[regCtrlGas+1]&0xF, 9) }

// gasOn: run_gas is bit 4 of ctrl_gas_1 in the BME680 and bit 5 in the BME688.
func (d *BME680) gasOn() bool {
	run := byte(0x10)
	if d.reg[regVariant] != 0 {
		run = 0x20
	}
	return d.reg[regCtrlGas+1]&run != 0
}

// settle ends the measurement when its time has come.
func (d *BME680) settle() {
	if d.ends.IsZero() || d.stuck || time.Now().Before(d.ends) {
		return
	}
	d.ends = time.Time{}
	d.reg[regCtrl] &^= 3
	variant := d.reg[regVariant]
	s := d.calibration.measure(d.weather(d.now()), variant)
	// A quantity that is skipped reads as the value after reset (section 5.3.4).
	if conversions(d.reg[regCtrl]>>5) == 0 {
		s.temperature = 0x80000
	}
	if conversions(d.reg[regCtrl]>>2) == 0 {
		s.pressure = 0x80000
	}
	if conversions(d.reg[regCtrlHum]) == 0 {
		s.humidity = 0x8000
	}
	f := d.reg[regField : regField+17]
	f[0] = newData | d.profile()
	f[1]++
	f[2], f[3], f[4] = byte(s.pressure>>12), byte(s.pressure>>4), byte(s.pressure<<4)
	f[5], f[6], f[7] = byte(s.temperature>>12), byte(s.temperature>>4), byte(s.temperature<<4)
	f[8], f[9] = byte(s.humidity>>8), byte(s.humidity)
	if d.gasOn() {
		d.settleGas(f, s)
	}
	if due(&d.garbled) {
		d.garble(f)
	}
}

// settleGas adds the result of the gas sensor to the field f.
func (d *BME680) settleGas(f []byte, s sample) {
	gas := 13
	if d.reg[regVariant] != 0 {
		gas = 15
	}
	f[gas] = byte(s.gas >> 2)
	f[gas+1] = byte(s.gas<<6) | gasValid | byte(s.span)
	// A heater of 20 ms and less does not reach its temperature, and bit 3 of
	// ctrl_gas_0 (heat_off) switches it off.
	profile := int(d.profile())
	if !d.cold && d.reg[regResHeat+profile] != 0 && d.reg[regCtrlGas]&8 == 0 &&
		gasWait(d.reg[regGasWait+profile]) > 20*time.Millisecond {
		f[gas+1] |= heaterStable
	}
}
