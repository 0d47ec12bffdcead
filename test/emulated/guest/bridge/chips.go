//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// chips are sensors for which Debian's kernels have drivers, beside the BME680.
// They answer while they are switched on; a test gives them their values as the
// numbers that their converters have.
type chips struct {
	mu sync.Mutex
	on bool
	at map[byte]chip // by address

	light       *light
	climate     [2]*climate
	thermometer *thermometer
}

// chip is what answers at an address.
type chip interface {
	Write(w []byte) error
	Read(r []byte) error
}

var errRefused = errors.New("not acknowledged")

func newChips() *chips {
	c := &chips{light: &light{}, climate: [2]*climate{{}, {}}, thermometer: newThermometer(0x0316A2794F5B)}
	c.at = map[byte]chip{0x23: c.light, 0x40: c.climate[0], 0x41: c.climate[1], 0x18: &ds2482{slave: c.thermometer}}
	return c
}

// set gives a chip the number that its converter has.
func (c *chips) set(name string, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch name {
	case "light":
		c.light.raw = uint16(n)
	case "temperature":
		c.climate[0].temperature = uint16(n)
	case "humidity":
		c.climate[0].humidity = uint16(n)
	case "thermometer":
		c.thermometer.raw = int16(n)
	default:
		return fmt.Errorf("no chip measures %q", name)
	}
	return nil
}

// transfer is one I²C transfer; done is false if no device acknowledges it.
func (c *chips) transfer(address byte, w, r []byte) (done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.at[address]
	if x == nil || !c.on {
		return false
	}
	if len(w) > 0 && x.Write(w) != nil {
		return false
	}
	return len(r) == 0 || x.Read(r) == nil
}

// light is a BH1750: commands of one byte, and a result of two.
type light struct{ raw uint16 }

func (l *light) Write([]byte) error { return nil }

func (l *light) Read(r []byte) error {
	copy(r, binary.BigEndian.AppendUint16(nil, l.raw))
	return nil
}

// climate is an SHT21 in hold master mode: a command, then its result.
type climate struct {
	temperature, humidity uint16
	command               byte
}

func (c *climate) Write(w []byte) error {
	c.command = w[0]
	return nil
}

func (c *climate) Read(r []byte) error {
	switch c.command {
	case 0xE3:
		copy(r, binary.BigEndian.AppendUint16(nil, c.temperature))
	case 0xE5:
		copy(r, binary.BigEndian.AppendUint16(nil, c.humidity))
	default:
		return errRefused
	}
	return nil
}
