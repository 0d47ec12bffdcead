package bme680

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// Errors that callers may want to tell apart, wrapped by what Sense returns.
var (
	// ErrNoData: the chip answers, but did not finish a measurement in time, or
	// skipped one of its conversions. The next Sense resets it first.
	ErrNoData = errors.New("no new data")
	// ErrImplausible: the chip's values are beyond what it can measure. The next
	// Sense resets it first and reads its calibration again.
	ErrImplausible = errors.New("implausible measurement")
	// ErrHalted: Halt was called while Sense waited.
	ErrHalted = errors.New("halted")
)

// Measurement is what Sense measures. Quantities that are off are 0.
type Measurement struct {
	physic.Env
	// Gas is the resistance of the gas sensor. Use it only when GasValid and
	// HeaterStable are both set.
	Gas physic.ElectricResistance
	// GasValid reports that Gas stems from a real conversion in this measurement.
	GasValid bool
	// HeaterStable reports that the heater had reached its temperature.
	HeaterStable bool
}

// Dev is a handle to an initialized BME680 or BME688.
type Dev struct {
	conn i2c.Dev
	opts Opts

	haltMu sync.Mutex
	halt   chan struct{} // closed by Halt, then replaced

	high atomic.Bool // a BME688

	// turn is held for a whole measurement and guards what follows. A channel,
	// as a measurement takes up to seconds: those who wait can be interrupted.
	turn    chan struct{}
	ready   bool // reset and calibration have succeeded
	cal     calibration
	ambient float64 // °C near the heater: what the chip measured last
	buf     [lenField]byte
}

// NewI2C returns an object that communicates over I²C to a BME680 or BME688.
//
// The address is 0x76 or 0x77, depending on the SDO pin; 0 tries both in this
// order. A chip that is not one of the two is left untouched, and the error
// names it. opts may be nil for DefaultOpts; they are copied.
//
// It is recommended to call Halt() when done with the device, so that the
// heater stays off.
func NewI2C(b i2c.Bus, addr uint16, opts *Opts) (*Dev, error) {
	if opts == nil {
		opts = &DefaultOpts
	}
	if err := opts.validate(); err != nil {
		return nil, err
	}
	d := &Dev{opts: *opts, halt: make(chan struct{}), turn: make(chan struct{}, 1), ambient: opts.ambient()}
	var err error
	if d.conn, err = find(b, addr); err != nil {
		return nil, err
	}
	if err := d.setUp(nil); err != nil {
		return nil, d.wrap(err)
	}
	return d, nil
}

// String returns the chip, the bus and the address.
func (d *Dev) String() string {
	return fmt.Sprintf("%s{%s, %#02x}", d.name(), d.conn.Bus, d.conn.Addr)
}

// Sense makes one measurement: tens of milliseconds, depending on the
// oversampling, plus Opts.HeaterDuration. m is only changed on success.
//
// Transfers that fail are repeated up to three times. If that does not help, or
// if the chip lost its settings or answers what it cannot have measured, it is
// reset and set up anew, and the measurement tried once more. After an error,
// Sense can be called again: it heals when the chip comes back.
func (d *Dev) Sense(m *Measurement) error {
	halt := d.halted()
	select {
	case d.turn <- struct{}{}:
		defer d.release()
	case <-halt:
		return d.wrap(ErrHalted)
	}
	if err := d.sense(m, halt); err != nil {
		d.ready = false
		return d.wrap(err)
	}
	return nil
}

// attempts is how often a measurement is tried in one Sense.
const attempts = 2

// sense measures, with a second attempt after a reset when the first one failed
// in a way that a reset may mend.
func (d *Dev) sense(m *Measurement, halt <-chan struct{}) error {
	for i := 1; ; i++ {
		if !d.ready {
			if err := d.setUp(halt); err != nil {
				return err
			}
		}
		err := d.measure(m, halt)
		if i == attempts || !retryable(err) {
			return err
		}
		d.ready = false
	}
}

// Halt ends a Sense that waits, which then returns ErrHalted, and puts the chip
// to sleep with its heater off. Sense may be called again afterwards.
func (d *Dev) Halt() error {
	d.haltMu.Lock()
	close(d.halt)
	d.halt = make(chan struct{})
	d.haltMu.Unlock()

	d.turn <- struct{}{}
	defer d.release()
	if err := d.write(nil, regCtrlGas1, 0, regCtrlGas0, heatOff); err != nil {
		return d.wrap(err)
	}
	// The mode bits are 0: sleep.
	if err := d.write(nil, regCtrlMeas, d.ctrlMeas()); err != nil {
		return d.wrap(err)
	}
	return nil
}

func (d *Dev) release() { <-d.turn }

// halted returns the channel that the next Halt closes.
func (d *Dev) halted() <-chan struct{} {
	d.haltMu.Lock()
	defer d.haltMu.Unlock()
	return d.halt
}

// resetTime is how long the chip needs after a soft reset, with a margin: the
// start-up time is 2 ms.
const resetTime = 10 * time.Millisecond

// setUp resets the chip and reads its variant and calibration.
func (d *Dev) setUp(halt <-chan struct{}) error {
	d.ready = false
	// What comes back after an error may be another part: look before writing.
	id := d.buf[:1]
	if err := d.read(halt, regChipID, id); err != nil {
		return err
	}
	if id[0] != chipID {
		return fmt.Errorf("this is %s; connect a BME680 or BME688", other(&d.conn, id[0]))
	}
	if err := d.write(halt, regReset, softReset); err != nil {
		return err
	}
	if err := wait(halt, resetTime); err != nil {
		return err
	}
	if err := d.read(halt, regVariant, id); err != nil {
		return err
	}
	switch id[0] {
	case variantLow:
		d.high.Store(false)
	case variantHigh:
		d.high.Store(true)
	case variantBME690:
		return errors.New("this is a BME690, whose formulas differ; use a BME680 or BME688")
	default:
		return fmt.Errorf("variant %#02x is not known; use a BME680 or BME688", id[0])
	}
	var (
		a [lenCalib1]byte
		b [lenCalib2]byte
		c [lenCalib3]byte
	)
	if err := d.read(halt, regCalib1, a[:]); err != nil {
		return err
	}
	if err := d.read(halt, regCalib2, b[:]); err != nil {
		return err
	}
	if err := d.read(halt, regHeatVal, c[:]); err != nil {
		return err
	}
	var err error
	if d.cal, err = newCalibration(&a, &b, &c); err != nil {
		return err
	}
	d.ready = true
	return nil
}

// Polling after the expected end of a measurement: the chip's clock may be
// slower than typical.
const (
	polls     = 10
	pollPause = 10 * time.Millisecond
)

// measure starts a forced measurement, waits for its end and stores it in m.
func (d *Dev) measure(m *Measurement, halt <-chan struct{}) error {
	if err := d.cal.check(); err != nil {
		return err
	}
	if err := d.configure(halt); err != nil {
		return err
	}
	if err := d.write(halt, regCtrlMeas, d.ctrlMeas()|modeForced); err != nil {
		return err
	}
	if err := wait(halt, d.opts.duration()); err != nil {
		return err
	}
	field := d.buf[:]
	for i := 0; ; i++ {
		if err := d.read(halt, regField, field); err != nil {
			return err
		}
		if field[0]&statusNewData != 0 && field[0]&statusMeasuring == 0 {
			return d.decode(m, &d.buf)
		}
		if i == polls {
			err := fmt.Errorf("%w %s after the start of a measurement", ErrNoData, d.opts.duration()+polls*pollPause)
			if field[0]&statusMeasuring == 0 {
				err = &lostError{fmt.Errorf("%w: the chip sleeps", err)}
			}
			return err
		}
		if err := wait(halt, pollPause); err != nil {
			return err
		}
	}
}

// configure writes all settings. They are written for every measurement: the
// heater follows the temperature, and a chip that lost its supply for a moment
// has forgotten the others. ctrl_hum takes effect with ctrl_meas, which the
// caller writes next.
func (d *Dev) configure(halt <-chan struct{}) error {
	gas := []byte{regCtrlGas0, heatOff, regCtrlGas1, 0}
	if d.opts.gas() {
		run := byte(runGasLow)
		if d.high.Load() {
			run = runGasHigh
		}
		gas = []byte{
			regResHeat0, d.cal.heaterCode(celsius(d.opts.HeaterTemperature), d.ambient),
			regGasWait0, waitCode(d.opts.HeaterDuration.Milliseconds()),
			regCtrlGas0, 0,
			regCtrlGas1, run,
		}
	}
	return d.write(halt, append(gas,
		regCtrlHum, byte(d.opts.Humidity),
		regConfig, byte(d.opts.Filter)<<2)...)
}

// ctrlMeas returns the value of ctrl_meas in sleep mode.
func (d *Dev) ctrlMeas() byte {
	return byte(d.opts.Temperature)<<5 | byte(d.opts.Pressure)<<2
}

// decode calculates the quantities from the field's registers (§5.3.4).
func (d *Dev) decode(m *Measurement, f *[lenField]byte) error {
	var out Measurement
	o := &d.opts
	adc, err := readField(f, o)
	if err != nil {
		return err
	}
	tFine, ambient := 0.0, d.ambient
	if o.Temperature != Off {
		tFine = d.cal.tFine(adc.temperature)
		ambient = tFine / finePerCelsius
		if !(ambient >= minTemperature && ambient <= maxTemperature) {
			return implausible("%.4g °C", ambient)
		}
		tFine += float64(o.TemperatureOffset) / float64(physic.Kelvin) * finePerCelsius
		t := tFine / finePerCelsius
		out.Temperature = physic.ZeroCelsius + physic.Temperature(math.Round(t*float64(physic.Celsius)))
	}
	if o.Pressure != Off {
		p := d.cal.pressure(adc.pressure, tFine)
		if !(p >= minPressure && p <= maxPressure) {
			return implausible("%.4g Pa", p)
		}
		out.Pressure = physic.Pressure(math.Round(p * float64(physic.Pascal)))
	}
	if o.Humidity != Off {
		h := d.cal.humidity(adc.humidity, tFine)
		out.Humidity = physic.RelativeHumidity(math.Round(h * float64(physic.PercentRH)))
	}
	if o.gas() {
		g := f[13:15]
		if d.high.Load() {
			g = f[15:17]
		}
		gas := uint16(g[0])<<2 | uint16(g[1])>>6
		var r float64
		if d.high.Load() {
			r = gasHigh(gas, g[1]&gasRange)
		} else {
			r = d.cal.gasLow(gas, g[1]&gasRange)
		}
		out.Gas = physic.ElectricResistance(math.Round(r * float64(physic.Ohm)))
		out.GasValid = g[1]&gasValid != 0
		out.HeaterStable = g[1]&gasHeaterStable != 0
	}
	// The heater sits on the chip, so its surroundings are what the chip
	// measured, without the correction for the room.
	d.ambient = ambient
	*m = out
	return nil
}

// name returns the type of the chip.
func (d *Dev) name() string {
	if d.high.Load() {
		return "BME688"
	}
	return "BME680"
}

// celsius converts to °C.
func celsius(t physic.Temperature) float64 {
	return float64(t-physic.ZeroCelsius) / float64(physic.Celsius)
}

var _ conn.Resource = &Dev{}
