package chips

import (
	"fmt"
	"slices"

	"periph.io/x/conn/v3/i2c"
)

// Bosch's environment sensors have their number in register 0xD0, those of the BMP3
// family in register 0x00 (BST-BME680-DS001 §5.3.5.1, BST-BMP390-DS002 §4.3.1).
const (
	idRegister     = 0xd0
	idRegisterBMP3 = 0x00
)

var (
	ids     = map[byte]string{0x61: bme680, 0x60: bme280, 0x58: bmp280, 0x57: bmp280, 0x56: bmp280, 0x55: bmp180, 0x50: bmp388}
	idsBMP3 = map[byte]string{0x50: bmp388, 0x60: bmp390}
)

// Identify asks the chip at an address what it is, and returns the chips that it may be
// then: one if it says so. It asks at 0x76 and 0x77 only, where nearly all chips are
// Bosch's, and as the driver of the BME680 does: it writes the address of a register
// and reads the register. Of the other chips there no one takes these bytes for a
// command that changes something but the multiplexers of the PCA9548 family: 0xD0
// selects three of its channels, which its driver selects anew before each use.
//
// An error means that the chip did not answer; then all that it may be are returned.
func Identify(b i2c.Bus, address uint16) ([]Chip, error) {
	may := At(address)
	if address != 0x76 && address != 0x77 {
		return may, nil
	}
	read := func(register byte) (byte, error) {
		var r [1]byte
		if err := b.Tx(address, []byte{register}, r[:]); err != nil {
			return 0, fmt.Errorf("read chip id at %#02x: %w", address, err)
		}
		return r[0], nil
	}
	id, err := read(idRegister)
	if err != nil {
		return may, err
	}
	name := ids[id]
	if name == "" && id != idRegister { // a PCA9548 repeats what was written
		if id, err = read(idRegisterBMP3); err != nil {
			return may, err
		}
		name = idsBMP3[id]
	}
	if i := slices.IndexFunc(may, func(c Chip) bool { return c.Name == name }); i >= 0 {
		return may[i : i+1], nil
	}
	// It is none of those that say what they are.
	return slices.DeleteFunc(may, func(c Chip) bool { return known(c.Name) }), nil
}

// known reports whether a chip of that name says what it is.
func known(name string) bool {
	for _, list := range []map[byte]string{ids, idsBMP3} {
		for _, n := range list {
			if n == name {
				return true
			}
		}
	}
	return false
}
