package bme680

import "fmt"

// A measurement that the chip did not take must not pass for one. Two kinds are met
// in the field. A supply that dips resets the chip: what it answers then are the
// registers' values after power-on (§5.2, table 16), which compensate to some 33 °C and
// 100 %, or it sleeps and has nothing new. And transfers go wrong: zeroes, ones, bytes at the
// wrong place, in the field or in the calibration.

// The values of temp_adc, press_adc and hum_adc after power-on, which also stand for a
// conversion that was skipped (§5.3.2). A conversion can give the same number by chance, for a
// temperature one of 2^16 at least; such a measurement is taken again, too.
const (
	skipped20 = 0x80000 // temperature and pressure, 20 bits
	skipped16 = 0x8000  // humidity, 16 bits
)

// What the chip measures is -40 °C to 85 °C and 300 hPa to 1100 hPa (§1.2, §1.4). It works
// somewhat beyond: high-altitude balloons read some 10 hPa at 30 km.
const (
	minTemperature = -70.0  // °C, before Opts.TemperatureOffset
	maxTemperature = 115.0  // °C
	minPressure    = 1e3    // Pa
	maxPressure    = 1300e2 // Pa
)

// raw are the converters' numbers.
type raw struct {
	temperature, pressure uint32 // 20 bits
	humidity              uint16
}

// readField takes the numbers of what is measured out of the field, and refuses those
// that no conversion gave.
func readField(f *[lenField]byte, o *Opts) (raw, error) {
	r := raw{
		pressure:    uint32(f[2])<<12 | uint32(f[3])<<4 | uint32(f[4])>>4,
		temperature: uint32(f[5])<<12 | uint32(f[6])<<4 | uint32(f[7])>>4,
		humidity:    uint16(f[8])<<8 | uint16(f[9]),
	}
	// The lower half of an xlsb register is always 0 (§5.2, table 16): bytes that were shifted show there,
	// even where they lead to weather that could be.
	if o.Pressure != Off && f[4]&0xF != 0 || o.Temperature != Off && f[7]&0xF != 0 {
		return r, implausible("bits of the field that are always 0 are set (% x)", f[2:10])
	}
	for _, q := range [...]struct {
		name               string
		o                  Oversampling
		adc, skipped, full uint32
	}{
		{"temperature", o.Temperature, r.temperature, skipped20, 0xFFFFF},
		{"pressure", o.Pressure, r.pressure, skipped20, 0xFFFFF},
		{"humidity", o.Humidity, uint32(r.humidity), skipped16, 0xFFFF},
	} {
		switch {
		case q.o == Off:
		case q.adc == q.skipped:
			return r, &lostError{fmt.Errorf("%w: the chip skipped the %s, as after a reset", ErrNoData, q.name)}
		case q.adc == 0 || q.adc == q.full:
			return r, implausible("%s of all zeroes or ones (%#x)", q.name, q.adc)
		}
	}
	return r, nil
}

func implausible(format string, args ...any) error {
	return &lostError{fmt.Errorf("%w: %s", ErrImplausible, fmt.Sprintf(format, args...))}
}

// lostError is a measurement that did not take place as asked for, although every transfer was
// acknowledged: the chip lost its supply, or bytes went wrong.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// check refuses a calibration that is blank in part. Each of the parameters named is a large
// number in every chip: without one of them a quantity does not depend on what was measured.
func (c *calibration) check() error {
	for _, p := range [...]struct {
		name string
		v    int
		ones int
	}{
		{"par_t1", int(c.t1), 0xFFFF}, {"par_t2", int(c.t2), -1}, {"par_p1", int(c.p1), 0xFFFF},
		{"par_h1", int(c.h1), 0xFFF}, {"par_h2", int(c.h2), 0xFFF},
	} {
		if p.v == 0 || p.v == p.ones {
			return implausible("%s is %#x in the chip's calibration", p.name, uint16(p.v))
		}
	}
	return nil
}
