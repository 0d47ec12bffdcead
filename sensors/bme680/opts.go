package bme680

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/bmxx80"
)

// Oversampling is how many conversions are averaged for one value. It is the
// type of the elder sensors' driver: the BME680 uses the same codes.
type Oversampling = bmxx80.Oversampling

// Possible oversampling values. Off skips the quantity.
const (
	Off  = bmxx80.Off
	O1x  = bmxx80.O1x
	O2x  = bmxx80.O2x
	O4x  = bmxx80.O4x
	O8x  = bmxx80.O8x
	O16x = bmxx80.O16x
)

// Filter is the coefficient of the chip's infinite impulse response filter on
// temperature and pressure, as the code that the chip uses (§5.3.2).
// Humidity and gas are never filtered.
type Filter uint8

// Possible filter values, named by their coefficient. The higher, the slower a
// value follows a change.
const (
	NoFilter Filter = 0
	F1       Filter = 1
	F3       Filter = 2
	F7       Filter = 3
	F15      Filter = 4
	F31      Filter = 5
	F63      Filter = 6
	F127     Filter = 7
)

// String returns the coefficient: "F3".
func (f Filter) String() string {
	switch {
	case f == NoFilter:
		return "NoFilter"
	case f <= F127:
		return fmt.Sprintf("F%d", 1<<f-1)
	}
	return fmt.Sprintf("Filter(%d)", uint8(f))
}

// DefaultOpts are the options used when NewI2C is given none: indoor air, gas
// with the datasheet's example of a heater at 320 °C for 150 ms.
var DefaultOpts = Opts{
	Temperature:       O8x,
	Pressure:          O4x,
	Humidity:          O2x,
	Filter:            F3,
	HeaterTemperature: physic.ZeroCelsius + 320*physic.Celsius,
	HeaterDuration:    150 * time.Millisecond,
}

// Opts defines the options of the device.
type Opts struct {
	// Temperature, Pressure and Humidity choose how each is measured. Pressure
	// and humidity need the temperature. A quantity that is Off stays 0 in the
	// Measurement.
	Temperature, Pressure, Humidity Oversampling
	// Filter smooths temperature and pressure over successive measurements.
	Filter Filter
	// HeaterTemperature is what the gas sensor is heated to, 100 °C to 400 °C;
	// note that physic.Temperature counts from absolute zero, so 320 °C is
	// physic.ZeroCelsius + 320*physic.Celsius. 0 leaves the gas sensor off.
	HeaterTemperature physic.Temperature
	// HeaterDuration is how long it is heated before its resistance is read,
	// 1 ms to 4032 ms; the chip counts in steps of 1, 4, 16 or 64 ms. 0 leaves
	// the gas sensor off.
	HeaterDuration time.Duration
	// Ambient is the temperature of the air assumed for the heater before the
	// first measurement, -40 °C to 85 °C. 0 means 25 °C.
	Ambient physic.Temperature
	// TemperatureOffset is a difference, added to the measured temperature,
	// -50 K to 50 K. It is negative for a sensor that shows too much.
	TemperatureOffset physic.Temperature
}

// The ranges of the options. The lower end of the heater is that of Bosch's own
// heater profiles; the upper ones are those of §3.3.5 and of the six bits with a
// factor of up to 64 that hold the duration (§5.3.3).
const (
	minHeater         = physic.ZeroCelsius + 100*physic.Celsius
	maxHeater         = physic.ZeroCelsius + 400*physic.Celsius
	minHeaterDuration = time.Millisecond
	maxHeaterDuration = 4032 * time.Millisecond
	minAmbient        = physic.ZeroCelsius - 40*physic.Celsius
	maxAmbient        = physic.ZeroCelsius + 85*physic.Celsius
	defaultAmbient    = physic.ZeroCelsius + 25*physic.Celsius
	maxOffset         = 50 * physic.Kelvin
)

// gas reports whether the gas sensor is used.
func (o *Opts) gas() bool {
	return o.HeaterTemperature != 0 && o.HeaterDuration != 0
}

// ambient returns the temperature for the first heater setting in °C.
func (o *Opts) ambient() float64 {
	if o.Ambient == 0 {
		return celsius(defaultAmbient)
	}
	return celsius(o.Ambient)
}

// validate refuses what the chip cannot do.
func (o *Opts) validate() error {
	for _, q := range []struct {
		name string
		o    Oversampling
	}{{"Temperature", o.Temperature}, {"Pressure", o.Pressure}, {"Humidity", o.Humidity}} {
		if q.o > O16x {
			return fmt.Errorf("bme680: Opts.%s is oversampling code %d; use 0 (off) to 5 (16x)", q.name, uint8(q.o))
		}
	}
	switch {
	case o.Temperature == Off && (o.Pressure != Off || o.Humidity != Off):
		return fmt.Errorf("bme680: pressure and humidity cannot be calculated without the temperature; set Opts.Temperature to O1x or more")
	case o.Temperature == Off && !o.gas():
		return fmt.Errorf("bme680: every quantity is off; set Opts.Temperature to O1x or more, or pass no Opts for the defaults")
	case o.Filter > F127:
		return fmt.Errorf("bme680: Opts.Filter is code %d; use 0 (off) to 7 (coefficient 127)", uint8(o.Filter))
	case o.HeaterTemperature != 0 && (o.HeaterTemperature < minHeater || o.HeaterTemperature > maxHeater):
		return fmt.Errorf("bme680: Opts.HeaterTemperature is %s; use %s to %s, or 0 to leave the gas sensor off", o.HeaterTemperature, minHeater, maxHeater)
	case o.HeaterDuration != 0 && (o.HeaterDuration < minHeaterDuration || o.HeaterDuration > maxHeaterDuration):
		return fmt.Errorf("bme680: Opts.HeaterDuration is %s; use 1ms to 4032ms, or 0 to leave the gas sensor off", o.HeaterDuration)
	case o.Ambient != 0 && (o.Ambient < minAmbient || o.Ambient > maxAmbient):
		return fmt.Errorf("bme680: Opts.Ambient is %s; use %s to %s, or 0 for %s", o.Ambient, minAmbient, maxAmbient, defaultAmbient)
	case o.TemperatureOffset < -maxOffset || o.TemperatureOffset > maxOffset:
		return fmt.Errorf("bme680: Opts.TemperatureOffset is %g K; use a difference of -50 K to 50 K", float64(o.TemperatureOffset)/float64(physic.Kelvin))
	}
	return nil
}

// duration is the time from the start of a forced measurement to its result,
// after the chip's typical timing: 1963 µs for each conversion, 477 µs for each
// of four switches between quantities and five of the gas sensor, 1 ms to wake up.
func (o *Opts) duration() time.Duration {
	var n int
	for _, q := range [...]Oversampling{o.Temperature, o.Pressure, o.Humidity} {
		if q != Off {
			n += 1 << (q - O1x)
		}
	}
	d := time.Duration(n*1963+9*477+1000) * time.Microsecond
	if o.gas() {
		d += o.HeaterDuration
	}
	return d
}
