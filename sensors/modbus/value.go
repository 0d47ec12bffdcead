package modbus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Type is how the registers of a value are read.
type Type string

// The types of values. Auto is Bool for bits, and Uint16 for registers.
const (
	Auto    Type = "auto"
	Bool    Type = "bool"
	Int16   Type = "int16"
	Uint16  Type = "uint16"
	Int32   Type = "int32"
	Uint32  Type = "uint32"
	Int64   Type = "int64"
	Uint64  Type = "uint64"
	Float32 Type = "float32"
	Float64 Type = "float64"
	String  Type = "string"
)

// widths are the registers of a value of a type; a text's are its Length.
var widths = map[Type]int{Bool: 1, Int16: 1, Uint16: 1, Int32: 2, Uint32: 2, Float32: 2, Int64: 4, Uint64: 4, Float64: 4}

// Order is in which order the bytes of a value of two registers are sent: A is the highest.
// The protocol has it for one register only, which is AB; every maker chooses for two.
// Values of four registers follow the same pattern, texts the order within a register.
type Order string

// The orders.
const (
	ABCD Order = "ABCD" // high register first
	CDAB Order = "CDAB" // low register first
	BADC Order = "BADC" // high register first, low byte first in each
	DCBA Order = "DCBA" // low register first, low byte first in each
)

// swap changes the bytes of registers from an order to ABCD, or back.
func (o Order) swap(b []byte, t Type) {
	if o == BADC || o == DCBA {
		for i := 0; i+1 < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	}
	if (o == CDAB || o == DCBA) && t != String {
		for i, j := 0, len(b)-2; i < j; i, j = i+2, j-2 {
			b[i], b[i+1], b[j], b[j+1] = b[j], b[j+1], b[i], b[i+1]
		}
	}
}

// value makes a value of the registers that are its own: a bool, an int64, a float64 or a
// string; nil if it is no number or not plausible.
func (r *Register) value(registers []byte) any {
	b := slices.Clone(registers)
	if !r.Address.Table.bits() {
		r.Order.swap(b, r.Type)
	}
	switch r.Type {
	case Bool:
		return binary.BigEndian.Uint16(b)>>max(r.Bit, 0)&1 == 1 // a bit of a table of bits is the lowest
	case String:
		text, _, _ := bytes.Cut(b, []byte{0})
		return strings.ToValidUTF8(strings.TrimRight(string(text), " "), "�")
	case Float32:
		f := math.Float32frombits(binary.BigEndian.Uint32(b))
		v := float64(f)
		if v-v == 0 { // 21.3 is meant as the decimal that it is written as
			v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
		}
		return r.scaled(v)
	case Float64:
		return r.scaled(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case Uint64:
		if n := binary.BigEndian.Uint64(b); n > math.MaxInt64 {
			return r.scaled(float64(n))
		}
	}
	n := r.integer(b)
	if r.plain() && r.plausible(float64(n)) {
		return n
	}
	return r.scaled(float64(n))
}

// integer reads a whole number in the order ABCD.
func (r *Register) integer(b []byte) int64 {
	switch r.Type {
	case Int16:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case Int32:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case Uint32:
		return int64(binary.BigEndian.Uint32(b))
	case Int64, Uint64:
		return int64(binary.BigEndian.Uint64(b))
	}
	return int64(binary.BigEndian.Uint16(b))
}

// plain reports whether a value is the number in the registers.
func (r *Register) plain() bool { return r.Gain == 1 && r.Offset == 0 && r.Precision <= 0 }

func (r *Register) plausible(v float64) bool {
	return v-v == 0 && (r.Min == 0 && r.Max == 0 || v >= r.Min && v <= r.Max)
}

// scaled is the value of a number in the registers, nil if it is none or not plausible.
func (r *Register) scaled(n float64) any {
	v := float64(n*r.Gain) + r.Offset // not fused, so that all processors have the same digits
	if r.Precision >= 0 {
		steps := math.Pow10(r.Precision)
		if rounded := math.Round(v*steps) / steps; rounded-rounded == 0 {
			v = rounded
		}
	} else if r.Gain != 1 || r.Offset != 0 { // without the digits that a multiplication adds
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	}
	if !r.plausible(v) {
		return nil
	}
	return v
}

// bounds are what fits into the registers of a type.
var bounds = map[Type][2]float64{
	Int16: {math.MinInt16, math.MaxInt16}, Uint16: {0, math.MaxUint16},
	Int32: {math.MinInt32, math.MaxInt32}, Uint32: {0, math.MaxUint32},
	Int64: {-1 << 63, 1<<63 - 1024}, Uint64: {0, 1<<64 - 2048}, // the last floats before the end
	Float32: {-math.MaxFloat32, math.MaxFloat32}, Float64: {-math.MaxFloat64, math.MaxFloat64},
}

// registers makes the registers of a value that is to be written: true and false for bits
// (1 and 0, too), numbers, and texts.
func (r *Register) registers(v any) ([]byte, error) {
	b := make([]byte, 2*r.width())
	switch {
	case r.Type == Bool:
		on, err := truth(v)
		if err != nil {
			return nil, err
		}
		if on {
			b[1] = 1
		}
		return b, nil
	case r.Type == String:
		text, ok := v.(string)
		if !ok || len(text) > len(b) || strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("a text of up to %d bytes is wanted", len(b))
		}
		copy(b, text)
	default:
		if err := r.put(b, v); err != nil {
			return nil, err
		}
	}
	r.Order.swap(b, r.Type)
	return b, nil
}

func truth(v any) (bool, error) {
	if on, ok := v.(bool); ok {
		return on, nil
	}
	if n, ok := number(v); ok && (n == 0 || n == 1) {
		return n == 1, nil
	}
	return false, errors.New("true or false is wanted")
}

// number is a value as JSON or a script has it, as a number.
func number(v any) (n float64, ok bool) {
	switch v := v.(type) {
	case float64:
		return v, v-v == 0
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// put puts a number into registers in the order ABCD.
func (r *Register) put(b []byte, v any) error {
	n, ok := number(v)
	if !ok {
		return errors.New("a number is wanted")
	}
	if !r.plausible(n) {
		return fmt.Errorf("it is not from %v to %v, the limits in the configuration", r.Min, r.Max)
	}
	raw := (n - r.Offset) / r.Gain
	floats := r.Type == Float32 || r.Type == Float64
	if !floats {
		raw = math.Round(raw)
	}
	if limit := bounds[r.Type]; raw < limit[0] || raw > limit[1] {
		return fmt.Errorf("it does not fit into %s", r.Type)
	}
	switch {
	case r.Type == Float32:
		binary.BigEndian.PutUint32(b, math.Float32bits(float32(raw)))
	case r.Type == Float64:
		binary.BigEndian.PutUint64(b, math.Float64bits(raw))
	case len(b) == 2:
		binary.BigEndian.PutUint16(b, uint16(int64(raw)))
	case len(b) == 4:
		binary.BigEndian.PutUint32(b, uint32(int64(raw)))
	case raw >= 0:
		binary.BigEndian.PutUint64(b, uint64(raw))
	default:
		binary.BigEndian.PutUint64(b, uint64(int64(raw)))
	}
	return nil
}
