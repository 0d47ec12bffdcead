package things

import (
	"fmt"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"

	"pithings/conf"
)

// Address is the I²C address of a BME680: 0x76, 0x77, or 0 for auto.
type Address uint16

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "auto" {
		*a = 0
		return nil
	}
	n, err := strconv.ParseUint(s, 0, 16)
	if err != nil || n != 0x76 && n != 0x77 {
		return fmt.Errorf("%s is not an address of a BME680; write 0x76, 0x77 or auto", conf.Quote(s))
	}
	*a = Address(n)
	return nil
}

// String returns the address as it is written.
func (a Address) String() string {
	if a == 0 {
		return "auto"
	}
	return fmt.Sprintf("%#02x", uint16(a))
}

// MarshalText implements encoding.TextMarshaler.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Schema implements conf.Schemer.
func (a Address) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{Enum: []any{"auto", "0x76", "0x77", 0x76, 0x77}}
}
