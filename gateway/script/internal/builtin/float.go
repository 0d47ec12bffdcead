package builtin

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

var floatMethods = []def{
	{"is_integer", "self", func(m *py.Machine, a []py.Value) py.Value {
		f, _ := py.ToFloat(a[0])
		return py.Bool(f == math.Trunc(f) && !math.IsInf(f, 0))
	}},
	{"hex", "self", func(m *py.Machine, a []py.Value) py.Value {
		f, _ := py.ToFloat(a[0])
		m.Alloc(24)
		return py.Str(hexFloat(f))
	}},
	{"fromhex", "cls string", func(m *py.Machine, a []py.Value) py.Value {
		return py.Float(parseHexFloat(m, Text(m, a[1], "argument of float.fromhex()")))
	}},
	{"as_integer_ratio", "self", func(m *py.Machine, a []py.Value) py.Value {
		f, _ := py.ToFloat(a[0])
		switch {
		case math.IsNaN(f):
			py.Raise(m, py.ValueError, "cannot convert NaN to integer ratio")
		case math.IsInf(f, 0):
			py.Raise(m, py.OverflowError, "cannot convert Infinity to integer ratio")
		}
		m.Alloc(2 * 160)
		r := new(big.Rat)
		r.SetFloat64(f)
		return py.NewTuple(py.NewInt(r.Num()), py.NewInt(r.Denom()))
	}},
	{"conjugate", "self", func(m *py.Machine, a []py.Value) py.Value { return a[0] }},
}

// hexFloat is float.hex: one digit, which is 0 below the smallest normal number, all thirteen
// behind the point, and the exponent without zeros before it.
func hexFloat(f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return ops.FloatRepr(f)
	}
	sign := ""
	if math.Signbit(f) {
		sign = "-"
	}
	if f == 0 {
		return sign + "0x0.0p+0"
	}
	bits := math.Float64bits(f)
	first, exponent := "1", int(bits>>52&0x7ff)-1023
	if exponent == -1023 {
		first, exponent = "0", -1022
	}
	digits := strconv.FormatUint(bits&(1<<52-1), 16)
	plus := ""
	if exponent >= 0 {
		plus = "+"
	}
	return sign + "0x" + first + "." + strings.Repeat("0", 13-len(digits)) + digits + "p" + plus + strconv.Itoa(exponent)
}

// parseHexFloat reads what float.hex writes, and what people write: without 0x, point or
// exponent.
func parseHexFloat(m *py.Machine, s string) float64 {
	t := strings.ToLower(strings.TrimSpace(s))
	sign := ""
	if strings.HasPrefix(t, "-") || strings.HasPrefix(t, "+") {
		sign, t = t[:1], t[1:]
	}
	number := sign + t
	if t != "inf" && t != "infinity" && t != "nan" {
		t = strings.TrimPrefix(t, "0x")
		if !strings.Contains(t, "p") {
			t += "p0"
		}
		number = sign + "0x" + t
	}
	f, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil && math.IsInf(f, 0):
		py.Raise(m, py.OverflowError, "hexadecimal value too large to represent as a float")
	case err != nil || strings.Contains(t, "_") || strings.HasPrefix(t, "0x"):
		py.Raise(m, py.ValueError, "invalid hexadecimal floating-point string")
	}
	return f
}
