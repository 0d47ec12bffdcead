// Package chips knows which chip an address on an I²C bus may be, and how Linux is
// given a driver for it.
//
// I²C has no way to ask a chip what it is. [At] lists the chips that people connect
// and that can have an address, the most usual ones first. [Identify] asks the few that
// have their name in a register that is safe to read.
package chips

import (
	"fmt"
	"slices"
	"strings"
)

// Chip is a kind of chip.
type Chip struct {
	Name string // "BH1750"
	What string // what it measures or does: "light"
	// Linux is the name by which Linux's driver is asked for; "" if it has none.
	Linux string
	// Overlay is the device tree overlay of Raspberry Pi's kernel that loads the
	// driver, with its parameter: "i2c-sensor,bh1750"; "" if there is none.
	Overlay string
	// Sensor says that Linux's driver makes a sensor of it: industrial I/O or hwmon.
	Sensor bool

	at      []uint16 // its addresses; the first is the one that the overlay takes
	address string   // the overlay's parameter for another one, if it is not addr
	onlyBus bool     // the overlay is for bus 1 only
}

// At lists what the chip at an address may be.
func At(address uint16) []Chip {
	var found []Chip
	for _, c := range table {
		if slices.Contains(c.at, address) {
			found = append(found, c)
		}
	}
	return found
}

// ConfigLine returns the line of a Raspberry Pi's config.txt that gives the chip at an
// address its driver, or "" if there is none. Bus is that of the header's I²C bus.
func (c *Chip) ConfigLine(bus int, address uint16) string {
	// The overlays take the buses that a Pi can have on its header as parameters
	// (i2c-buses.dtsi): i2c0, i2c3 to i2c6. i2c1 is the usual one.
	hasBus := bus == 0 || bus == 1 || bus >= 3 && bus <= 6
	if c.Overlay == "" || !hasBus || c.onlyBus && bus != 1 {
		return ""
	}
	line := "dtoverlay=" + c.Overlay
	if bus != 1 {
		line += fmt.Sprintf(",i2c%d", bus)
	}
	if address != c.at[0] {
		parameter := "addr"
		if c.address != "" {
			parameter = c.address
		}
		line += fmt.Sprintf(",%s=%#02x", parameter, address)
	}
	return line
}

// Command returns the shell command that gives the chip its driver until the next
// start, on any bus (kernel documentation, "How to instantiate I2C devices", method 4),
// or "" if Linux has no driver.
func (c *Chip) Command(bus int, address uint16) string {
	if c.Linux == "" {
		return ""
	}
	return fmt.Sprintf("echo %s %#02x | sudo tee /sys/bus/i2c/devices/i2c-%d/new_device", c.Linux, address, bus)
}

// String names the chip and what it is for.
func (c *Chip) String() string { return c.Name + " (" + c.What + ")" }

// Names lists at most n of the chips.
func Names(list []Chip, n int) string {
	var names []string
	for i := range list[:min(n, len(list))] {
		names = append(names, list[i].String())
	}
	text := strings.Join(names, ", ")
	if more := len(list) - n; more > 0 {
		text += fmt.Sprintf(" or %d more", more)
	} else if len(names) > 1 {
		last := len(names) - 1
		text = strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return text
}
