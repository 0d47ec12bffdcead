package modbus

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
)

// register returns a register as a configuration has it, after a change.
func register(change func(*Register)) Register {
	r := Register{Name: "x", Address: Address{Holding, 0}, Type: Auto, Order: ABCD, Bit: -1, Gain: 1, Precision: -1, Writable: true}
	if change != nil {
		change(&r)
	}
	return r
}

func typed(t Type, o Order) func(*Register) { return func(r *Register) { r.Type, r.Order = t, o } }

func scaledBy(t Type, gain, offset float64, precision int) func(*Register) {
	return func(r *Register) { r.Type, r.Gain, r.Offset, r.Precision = t, gain, offset, precision }
}

// What is in the registers, and the value that it is. What is read can be written.
func TestValues(t *testing.T) {
	bit := func(n int, o Order) func(*Register) { return func(r *Register) { r.Bit, r.Order = n, o } }
	text := func(n int, o Order) func(*Register) {
		return func(r *Register) { r.Type, r.Length, r.Order = String, n, o }
	}
	bounded := func(r *Register) { r.Type, r.Min, r.Max = Int16, -40, 85 }
	for _, row := range []struct {
		name      string
		register  Register
		registers []byte
		want      any
		readOnly  bool // other registers have the value, too
	}{
		{"auto", register(nil), []byte{0x80, 0x01}, int64(0x8001), false},
		{"int16", register(typed(Int16, ABCD)), []byte{0xff, 0xfe}, int64(-2), false},
		{"int16, low byte first", register(typed(Int16, BADC)), []byte{0xfe, 0xff}, int64(-2), false},
		{"one register has no order of words", register(typed(Uint16, CDAB)), []byte{0x12, 0x34}, int64(0x1234), false},
		{"uint32 ABCD", register(typed(Uint32, ABCD)), []byte{1, 2, 3, 4}, int64(0x01020304), false},
		{"uint32 CDAB", register(typed(Uint32, CDAB)), []byte{3, 4, 1, 2}, int64(0x01020304), false},
		{"uint32 BADC", register(typed(Uint32, BADC)), []byte{2, 1, 4, 3}, int64(0x01020304), false},
		{"uint32 DCBA", register(typed(Uint32, DCBA)), []byte{4, 3, 2, 1}, int64(0x01020304), false},
		{"int32", register(typed(Int32, ABCD)), []byte{0xff, 0xff, 0xff, 0xff}, int64(-1), false},
		{"int64 CDAB", register(typed(Int64, CDAB)), []byte{0xff, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, int64(-5), false},
		{"uint64 BADC", register(typed(Uint64, BADC)), []byte{0, 0, 0, 0, 2, 1, 4, 3}, int64(0x01020304), false},
		{"uint64 above int64", register(typed(Uint64, ABCD)), []byte{0x80, 0, 0, 0, 0, 0, 0, 0}, float64(1 << 63), false},
		{"float32", register(typed(Float32, ABCD)), []byte{0x41, 0xaa, 0x66, 0x66}, 21.3, false},
		{"float32 CDAB", register(typed(Float32, CDAB)), []byte{0x66, 0x66, 0x41, 0xaa}, 21.3, false},
		{"float32 that is none", register(typed(Float32, ABCD)), []byte{0x7f, 0xc0, 0, 0}, nil, true},
		{"float64 DCBA", register(typed(Float64, DCBA)), []byte{0, 0, 0, 0, 0, 0, 0xf8, 0xbf}, -1.5, false},
		{"gain", register(scaledBy(Int16, 0.1, 0, -1)), []byte{0xff, 0x29}, -21.5, false},
		{"gain and offset", register(scaledBy(Uint16, 0.01, -273.15, -1)), []byte{0x72, 0xd7}, 20.84, false},
		{"a gain of whole numbers", register(scaledBy(Uint16, 10, 0, -1)), []byte{0, 7}, float64(70), false},
		{"a gain of floats", register(scaledBy(Float32, 0.001, 0, -1)), []byte{0x45, 0x65, 0x50, 0}, 3.669, false},
		{"precision", register(scaledBy(Float32, 1, 0, 1)), []byte{0x44, 0x7d, 0x4a, 0x3d}, 1013.2, true},
		{"within its bounds", register(bounded), []byte{0xff, 0xd8}, int64(-40), false},
		{"beyond its bounds", register(bounded), []byte{0x7f, 0xff}, nil, true},
		{"lowest bit", register(bit(0, ABCD)), []byte{0, 1}, true, false},
		{"bit 9", register(bit(9, ABCD)), []byte{0xfd, 0xff}, false, true},
		{"bit 9, low byte first", register(bit(9, DCBA)), []byte{0, 2}, true, true},
		{"text", register(text(3, ABCD)), []byte("SDM72\x00"), "SDM72", false},
		{"text, low byte first", register(text(3, BADC)), []byte("DS7M\x002"), "SDM72", false},
		{"text in a word order", register(text(2, CDAB)), []byte("abcd"), "abcd", false},
		{"text with blanks behind", register(text(3, ABCD)), []byte("ab    "), "ab", true},
		{"text that is none", register(text(1, ABCD)), []byte{0xff, 'a'}, "�a", true},
	} {
		r := row.register
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		before := bytes.Clone(row.registers)
		if got := r.value(row.registers); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %v (%T), want %v (%T)", row.name, got, got, row.want, row.want)
		}
		if !bytes.Equal(row.registers, before) {
			t.Errorf("%s: the registers were changed", row.name)
		}
		if row.readOnly {
			continue
		}
		v := row.want
		if n, whole := v.(int64); whole {
			v = float64(n)
		}
		for _, v := range []any{v, row.want} { // as JSON, and as a script has it
			if got, err := r.registers(v); err != nil || !bytes.Equal(got, row.registers) {
				t.Errorf("%s: written as % x (%v), want % x", row.name, got, err, row.registers)
			}
		}
	}
}

func TestValuesThatCannotBeWritten(t *testing.T) {
	bounded := func(r *Register) { r.Type, r.Gain, r.Min, r.Max = Int16, 0.1, 5, 35 }
	for _, row := range []struct {
		register Register
		value    any
		want     string
	}{
		{register(bounded), 35.1, "not from 5 to 35"},
		{register(bounded), 4.99, "not from 5 to 35"},
		{register(bounded), math.NaN(), "a number is wanted"},
		{register(bounded), math.Inf(1), "a number is wanted"},
		{register(bounded), "20", "a number is wanted"},
		{register(bounded), true, "a number is wanted"},
		{register(bounded), nil, "a number is wanted"},
		{register(typed(Uint16, ABCD)), -1.0, "does not fit into uint16"},
		{register(typed(Uint16, ABCD)), 65536.0, "does not fit into uint16"},
		{register(typed(Int16, ABCD)), 32767.6, "does not fit into int16"},
		{register(typed(Uint32, ABCD)), 4294967296.0, "does not fit into uint32"},
		{register(typed(Int64, ABCD)), 9.3e18, "does not fit into int64"},
		{register(typed(Uint64, ABCD)), 1.9e19, "does not fit into uint64"},
		{register(typed(Float32, ABCD)), 1e39, "does not fit into float32"},
		{register(scaledBy(Float64, 1e-300, 0, -1)), 1e300, "does not fit into float64"},
		{register(func(r *Register) { r.Bit = 3 }), 2.0, "true or false"},
		{register(func(r *Register) { r.Bit = 3 }), "on", "true or false"},
		{register(func(r *Register) { r.Type, r.Length = String, 2 }), "abcde", "a text of up to 4 bytes"},
		{register(func(r *Register) { r.Type, r.Length = String, 2 }), "a\x00b", "a text of up to 4 bytes"},
		{register(func(r *Register) { r.Type, r.Length = String, 2 }), 5.0, "a text of up to 4 bytes"},
	} {
		r := row.register
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		if b, err := r.registers(row.value); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s %v: % x, %v; want %q", r.Type, row.value, b, err, row.want)
		}
	}
}

func TestRegistersThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*Register){
		"none of ABCD":                   func(r *Register) { r.Order = "AB" },
		`"double" is no type`:            func(r *Register) { r.Type = "double" },
		"whose type is bool":             func(r *Register) { r.Address, r.Type = Address{Coil, 1}, Int16 },
		"the key bit is for registers":   func(r *Register) { r.Address, r.Bit = Address{Discrete, 1}, 1 },
		"which bit of the register":      func(r *Register) { r.Type = Bool },
		"one of 0 to 15":                 func(r *Register) { r.Bit, r.Type = 3, Int16 },
		"write length":                   func(r *Register) { r.Type = String },
		"length is for":                  func(r *Register) { r.Length = 2 },
		"beyond the last address":        func(r *Register) { r.Address.Number, r.Type = 0xffff, Uint32 },
		"other than 0":                   func(r *Register) { r.Gain = 0 },
		"are for numbers":                func(r *Register) { r.Bit, r.Gain = 1, 10 },
		"min is larger":                  func(r *Register) { r.Min = 1 },
		"discrete cannot be written":     func(r *Register) { r.Address = Address{Discrete, 1} },
		"input cannot be written":        func(r *Register) { r.Address = Address{Input, 1} },
		"and not for string":             func(r *Register) { r.Type, r.Length, r.Max = String, 1, 9 },
		"gain is a number other than 0,": func(r *Register) { r.Gain = math.NaN() },
	} {
		r := register(change)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]Address{
		"40001": {Holding, 0}, "400001": {Holding, 0}, "49999": {Holding, 9998}, "465536": {Holding, 65535},
		"30005": {Input, 4}, "10001": {Discrete, 0}, "00001": {Coil, 0}, "000010": {Coil, 9},
		"holding:0": {Holding, 0}, "holding:0x0063": {Holding, 99}, "input:0xFFFF": {Input, 65535}, "coil:17": {Coil, 17}, "discrete:0b11": {Discrete, 3},
	} {
		if got, err := ParseAddress(text); err != nil || got != want {
			t.Errorf("%s is %v (%v), want %v", text, got, err, want)
		}
		if again, err := ParseAddress(want.String()); err != nil || again != want {
			t.Errorf("%v is written as %s and read as %v (%v)", want, want, again, err)
		}
	}
	for text, want := range map[string]string{
		"": "write 40001", "1": "write 40001", "0x10": "write 40001", "20001": "write 40001", "40000": "write 40001", "465537": "write 40001", "4000A": "write 40001",
		"-0001": "write 40001", "hold:1": "none of coil", "holding:": "is no address from 0", "holding:65536": "is no address from 0", "holding:-1": "is no address from 0",
	} {
		if got, err := ParseAddress(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v (%v), want %q", text, got, err, want)
		}
	}
}
