package kernel

import (
	"errors"
	"fmt"
	"math"

	"pithings/device"
	"pithings/sensors/internal/sysfs"
)

// ErrImplausible is the error of a value that the sensor cannot have measured.
var ErrImplausible = errors.New("implausible value")

// channel is one quantity of a device, and the files that it is read from.
type channel struct {
	quantity device.Quantity
	base     string // its name without a number: "voltage"
	number   string // the kernel's number for it, or numbers: "0", "0_1"
	label    string
	key      string // the kernel's name for it: "in_voltage0"

	// Files of the device's folder; "" for one that there is not. The value is (value + offset) × scale ×
	// factor, in the quantity's unit.
	value, offset, scale string
	factor               float64
	fault                string // holds 1 while the sensor is broken (hwmon)

	slack float64 // how far beyond Min and Max a value is cut to them
	parse func([]byte) (float64, error)
	check func(v, last float64) error // last is the value before, NaN if none
}

// read reads the channel.
func (c *channel) read(f *sysfs.Job, last float64) (float64, error) {
	if c.fault != "" {
		if broken, err := f.Number(c.fault); err == nil && broken != 0 {
			return 0, errors.New("the driver reports a fault: check the sensor's wires")
		}
	}
	text, err := f.Text(c.value)
	if err != nil {
		return 0, err
	}
	parse := sysfs.Number
	if c.parse != nil {
		parse = c.parse
	}
	v, err := parse(text)
	if err != nil {
		return 0, err
	}
	if c.offset != "" {
		offset, err := f.Number(c.offset)
		if err != nil {
			return 0, err
		}
		v += offset
	}
	if c.scale != "" {
		scale, err := f.Number(c.scale)
		if err != nil {
			return 0, err
		}
		v *= scale
	}
	return c.judge(convert(v, c.factor), last)
}

// convert multiplies by a unit's factor. A factor of a thousandth is not exact as
// a float64, a thousand is: 21243 m°C are 21.243 °C, and not 21.243000000000002.
func convert(v, factor float64) float64 {
	if factor < 1 {
		return v / math.Round(1/factor)
	}
	return v * factor
}

// judge refuses what is implausible.
func (c *channel) judge(v, last float64) (float64, error) {
	q := &c.quantity
	bounded := q.Min != 0 || q.Max != 0
	if bounded && v >= q.Min-c.slack && v <= q.Max+c.slack {
		v = min(max(v, q.Min), q.Max)
	}
	if math.IsInf(v, 0) || !q.Plausible(v) {
		return 0, fmt.Errorf("%w: %.6g %s", ErrImplausible, v, q.Unit)
	}
	if c.check != nil {
		if err := c.check(v, last); err != nil {
			return 0, err
		}
	}
	return v, nil
}
