package bme680

import (
	"fmt"
	"strings"

	"periph.io/x/conn/v3/i2c"
)

// addresses are the chip's two addresses: SDO low and SDO high (§6.2).
var addresses = [...]uint16{0x76, 0x77}

// find looks for the chip at addr, or at both addresses if addr is 0. It only
// reads, since what is there may be another part.
func find(b i2c.Bus, addr uint16) (i2c.Dev, error) {
	try := addresses[:]
	if addr != 0 {
		if addr != addresses[0] && addr != addresses[1] {
			return i2c.Dev{}, fmt.Errorf("bme680: no BME680 or BME688 can have address %#02x; use 0x76, 0x77, or 0 to try both", addr)
		}
		try = []uint16{addr}
	}
	e := &notFoundError{bus: b.String()}
	for _, a := range try {
		c := i2c.Dev{Bus: b, Addr: a}
		var id [1]byte
		err := tx(&c, nil, []byte{regChipID}, id[:])
		switch {
		case err != nil:
			e.found = append(e.found, fmt.Sprintf("no answer at %#02x (%v)", a, err))
			e.causes = append(e.causes, err)
		case id[0] == chipID:
			return c, nil
		default:
			e.found = append(e.found, fmt.Sprintf("%s at %#02x", other(&c, id[0]), a))
		}
	}
	return i2c.Dev{}, e
}

// notFoundError says what is at the addresses instead of the chip.
type notFoundError struct {
	bus    string
	found  []string // one for each address
	causes []error  // of the addresses where nothing answered
}

func (e *notFoundError) Error() string {
	hint := "connect a BME680 or BME688"
	switch {
	case len(e.causes) == len(e.found):
		hint = "check the sensor's wires and supply, that I²C is enabled, and what `i2cdetect` shows"
	case len(e.found) == 1:
		hint = "try the other address (the SDO pin decides), or connect a BME680 or BME688"
	}
	return fmt.Sprintf("bme680: no BME680 or BME688 on %s: %s; %s", e.bus, strings.Join(e.found, ", "), hint)
}

func (e *notFoundError) Unwrap() []error { return e.causes }

// other names the part that has another chip id.
func other(c *i2c.Dev, id byte) string {
	switch id {
	case 0x60:
		return "a BME280 (chip id 0x60)"
	case 0x58:
		return "a BMP280 (chip id 0x58)"
	case 0x56, 0x57:
		return fmt.Sprintf("a BMP280 sample (chip id %#02x)", id)
	case 0x55:
		return "a BMP180 or BMP085 (chip id 0x55)"
	case 0x50:
		return "a BMP388 (chip id 0x50)"
	}
	// The BMP3xx have their chip id at register 0.
	var first [1]byte
	if err := c.Tx([]byte{0x00}, first[:]); err == nil {
		switch first[0] {
		case 0x50:
			return "a BMP388 (chip id 0x50)"
		case 0x60:
			return "a BMP390 (chip id 0x60)"
		}
	}
	return fmt.Sprintf("an unknown part (chip id %#02x)", id)
}
