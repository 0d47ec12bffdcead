package modbus

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"pithings/device"
)

// Register is one value of a device: a bit, or one or several registers.
type Register struct {
	Name    string
	Address Address
	Type    Type
	Order   Order
	// Bit is the bit of a register that the value is, 0 the lowest; -1: none.
	Bit int
	// Length is the registers of a text, two characters each.
	Length int
	// Gain and Offset make the value of the number in the registers: number × Gain + Offset.
	// They do not concern bits and texts.
	Gain, Offset float64
	// Precision is the number of decimal places that mean something; -1: those of Gain and
	// Offset for whole numbers, and all of floating-point numbers.
	Precision int
	// Min and Max bound the value, when it is read and when it is written. Both 0: no bounds.
	Min, Max    float64
	Unit, Class string
	Writable    bool
}

// longest is how many registers a text may have: those of one request.
const longest = maxWrite

// Check fills in what follows from other fields, and returns what is wrong with the
// register.
func (r *Register) Check() error {
	if r.Type == Auto && (r.Address.Table.bits() || r.Bit >= 0) {
		r.Type = Bool
	} else if r.Type == Auto {
		r.Type = Uint16
	}
	switch r.Order {
	case ABCD, CDAB, BADC, DCBA:
	default:
		return fmt.Errorf("its order is none of ABCD, CDAB, BADC, DCBA")
	}
	_, known := widths[r.Type]
	bits := r.Address.Table.bits()
	switch {
	case !known && r.Type != String:
		return fmt.Errorf("%q is no type", r.Type)
	case bits && r.Type != Bool:
		return fmt.Errorf("%s is a table of bits, whose type is bool", r.Address.Table)
	case bits && r.Bit >= 0:
		return fmt.Errorf("%s is a table of bits; the key bit is for registers", r.Address.Table)
	case !bits && r.Type == Bool && r.Bit < 0:
		return errors.New("write bit: which bit of the register it is, 0 for the lowest")
	case r.Bit >= 0 && r.Type != Bool || r.Bit > 15:
		return errors.New("bit is one of 0 to 15 of a register whose type is bool")
	case r.Type == String && (r.Length < 1 || r.Length > longest):
		return fmt.Errorf("write length: the registers that the text has, 1 to %d", longest)
	case r.Type != String && r.Length != 0:
		return errors.New("length is for the type string")
	case int(r.Address.Number)+r.width() > 1<<16:
		return errors.New("it goes beyond the last address, 0xffff")
	case r.Gain == 0 || r.Gain-r.Gain != 0 || r.Offset-r.Offset != 0:
		return errors.New("gain is a number other than 0, and offset a number")
	case (r.Type == Bool || r.Type == String) && (r.Gain != 1 || r.Offset != 0 || r.Min != 0 || r.Max != 0):
		return fmt.Errorf("gain, offset, min and max are for numbers, and not for %s", r.Type)
	case r.Min > r.Max:
		return errors.New("min is larger than max")
	case r.Writable && r.Address.Table != Coil && r.Address.Table != Holding:
		return fmt.Errorf("%s cannot be written, only coil and holding can", r.Address.Table)
	}
	if _, whole := bounds[r.Type]; whole && r.Precision < 0 && r.Type != Float32 && r.Type != Float64 {
		r.Precision = max(places(r.Gain), places(r.Offset))
	}
	return nil
}

// places is the number of decimal places with which a number is written, 9 at most.
func places(v float64) int {
	_, behind, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	return min(len(behind), 9)
}

// width is the number of registers, or 1 for a bit.
func (r *Register) width() int {
	if r.Type == String {
		return r.Length
	}
	return widths[r.Type]
}

// Quantity is what the value is to those who show it.
func (r *Register) Quantity() device.Quantity {
	q := device.Quantity{Name: r.Name, Key: r.Name, Unit: r.Unit, Class: r.Class, Precision: max(r.Precision, 0), Type: r.ValueType(), Min: r.Min, Max: r.Max}
	if r.Precision < 0 && r.Type != Bool && r.Type != String {
		q.Precision = min(3, places(math.Abs(r.Gain))+3)
	}
	return q
}

// ValueType is the type of the values in messages.
func (r *Register) ValueType() device.ValueType {
	switch {
	case r.Type == Bool:
		return device.BooleanType
	case r.Type == String:
		return device.StringType
	}
	return device.NumberType
}
