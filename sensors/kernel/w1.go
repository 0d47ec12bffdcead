package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"pithings/device"
	"pithings/sensors/internal/sysfs"
)

// Errors of 1-wire thermometers.
var (
	// ErrCRC: the bytes were damaged on the wire.
	ErrCRC = errors.New("checksum is wrong")
	// ErrPowerOn: the value is the one that the chip holds before its first
	// measurement.
	ErrPowerOn = errors.New("85 °C, which is what the chip reads after power-on: check its supply")
)

// w1Families are the thermometers that the driver w1_therm knows
// (w1/slaves/w1_therm.rst), by the first byte of their numbers.
var w1Families = map[string]string{
	"10": "ds18s20", "22": "ds1822", "28": "ds18b20", "3b": "ds1825", "42": "ds28ea00",
}

var w1Number = regexp.MustCompile(`^([0-9a-f]{2})-[0-9a-f]{12}$`)

// w1Chip is the chip that has a 1-wire number, or "" if it is no thermometer.
func w1Chip(number string) string {
	if m := w1Number.FindStringSubmatch(number); m != nil {
		return w1Families[m[1]]
	}
	return ""
}

// w1Channels finds the temperature of a thermometer: in the file temperature,
// or, of older kernels, in w1_slave.
func w1Channels(f *folder) []channel {
	c := channel{
		// What all of them measure, by their datasheets. The 127.94 °C of a chip
		// whose supply breaks down during the measurement are beyond it.
		quantity: device.Quantity{Unit: "°C", Class: "temperature", Precision: 2, Min: -55, Max: 125},
		base:     "temperature", key: "temperature", factor: 1e-3, check: powerOn,
	}
	if c.value = f.has("temperature"); c.value == "" {
		c.value, c.parse = f.has("w1_slave"), parseSlave
	}
	if c.value == "" {
		return nil
	}
	return []channel{c}
}

// powerOn refuses the value that the temperature register has after power-on
// (DS18B20 datasheet, "the power-on reset value of the temperature register is
// +85°C"), unless the value before was near it.
func powerOn(v, last float64) error {
	const reset, near = 85, 3
	if v == reset && !(last > reset-near && last < reset+near) {
		return ErrPowerOn
	}
	return nil
}

// parseSlave reads w1_slave: the nine bytes, whether their checksum is right,
// and the temperature in millidegrees Celsius.
//
//	50 05 4b 46 7f ff 0c 10 1c : crc=1c YES
//	50 05 4b 46 7f ff 0c 10 1c t=85000
func parseSlave(text []byte) (float64, error) {
	first, second, found := bytes.Cut(text, []byte("\n"))
	if !found {
		return 0, fmt.Errorf("%w in %q", sysfs.ErrNoNumber, text[:min(len(text), 64)])
	}
	if !strings.HasSuffix(string(bytes.TrimSpace(first)), " YES") {
		return 0, ErrCRC
	}
	_, number, found := bytes.Cut(second, []byte(" t="))
	if !found {
		return 0, fmt.Errorf("%w in %q", sysfs.ErrNoNumber, second[:min(len(second), 64)])
	}
	return sysfs.Number(number)
}
