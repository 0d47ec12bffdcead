package modbus

import (
	"fmt"
	"strconv"
	"strings"
)

// Table is one of the four kinds of data of a device (Application Protocol V1.1b3,
// section 4.3).
type Table uint8

// The kinds of data. The first two are bits, the others registers of 16 bits. Coils and
// holding registers can be written.
const (
	Coil Table = iota
	Discrete
	Input
	Holding
)

var tableNames = [...]string{Coil: "coil", Discrete: "discrete", Input: "input", Holding: "holding"}

// String is the table's name in an address.
func (t Table) String() string { return tableNames[t] }

// bits reports whether the table has bits, and not registers.
func (t Table) bits() bool { return t <= Discrete }

// Address is the place of the first register, or of the bit, of a value.
type Address struct {
	Table  Table
	Number uint16 // as it is sent, from 0
}

// String is the address as the protocol has it: "holding:0x0063".
func (a Address) String() string { return fmt.Sprintf("%s:%#04x", a.Table, a.Number) }

// digits have the table of an address's first digit in the notation that counts from 1.
var digits = map[byte]Table{'0': Coil, '1': Discrete, '3': Input, '4': Holding}

// ParseAddress reads an address in one of the notations of manuals: a table and the number
// that is sent, from 0 ("holding:99", "input:0x1f"), or five or six digits of which the
// first says the table, and the others count from 1 ("40100", "400100").
func ParseAddress(text string) (Address, error) {
	if name, number, ok := strings.Cut(text, ":"); ok {
		for t, known := range tableNames {
			if name != known {
				continue
			}
			n, err := strconv.ParseUint(number, 0, 16)
			if err != nil {
				return Address{}, fmt.Errorf("%q is no address from 0 to 65535 or from 0x0 to 0xffff", number)
			}
			return Address{Table(t), uint16(n)}, nil
		}
		return Address{}, fmt.Errorf("%q is none of coil, discrete, input, holding", name)
	}
	if len(text) == 5 || len(text) == 6 {
		t, known := digits[text[0]]
		n, err := strconv.ParseUint(text[1:], 10, 32)
		if known && err == nil && n >= 1 && n <= 65536 {
			return Address{t, uint16(n - 1)}, nil
		}
	}
	return Address{}, fmt.Errorf(`%q is no address; write 40001 as in manuals that count from 1, or "holding:0x0000" as it is sent`, text)
}
