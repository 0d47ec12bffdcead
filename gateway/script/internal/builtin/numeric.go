package builtin

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// numeric are the functions about numbers.
var numeric = []def{
	{"abs", "x", func(m *py.Machine, a []py.Value) py.Value {
		switch x := a[0].(type) {
		case py.Float:
			return py.Float(math.Abs(float64(x)))
		case py.Int, py.Bool, *py.Big:
			if py.ToBig(x).Sign() < 0 {
				return ops.Unary(m, "-", x)
			}
			return ops.Unary(m, "+", x)
		case interface{ Abs() py.Value }:
			return x.Abs()
		}
		if r, ok := py.Special(m, a[0], "__abs__"); ok {
			return r
		}
		py.Raise(m, py.TypeError, "bad operand type for abs(): '%s'", a[0].Type().FullName())
		return nil
	}},
	{"divmod", "x y", func(m *py.Machine, a []py.Value) py.Value {
		if !ops.IsNumber(a[0]) || !ops.IsNumber(a[1]) {
			if _, ok := a[0].(ops.Operand); !ok {
				py.Raise(m, py.TypeError, "unsupported operand type(s) for divmod(): '%s' and '%s'", a[0].Type().FullName(), a[1].Type().FullName())
			}
		}
		quotient := ops.Binary(m, "//", a[0], a[1])
		return py.NewTuple(quotient, ops.Binary(m, "%", a[0], a[1]))
	}},
	{"pow", "base exp mod=", func(m *py.Machine, a []py.Value) py.Value {
		if !Given(a[2]) {
			return ops.Binary(m, "**", a[0], a[1])
		}
		return modPower(m, a)
	}},
	{"round", "number ndigits=", round2},
}

func modPower(m *py.Machine, a []py.Value) py.Value {
	x, y, z := py.ToBig(a[0]), py.ToBig(a[1]), py.ToBig(a[2])
	if x == nil || y == nil || z == nil {
		py.Raise(m, py.TypeError, "pow() 3rd argument not allowed unless all arguments are integers")
	}
	if z.Sign() == 0 {
		py.Raise(m, py.ValueError, "pow() 3rd argument cannot be 0")
	}
	words := z.BitLen()/32 + 1
	m.Work(int(min(int64(words)*int64(words)*int64(y.BitLen()+1)/64, math.MaxInt32)))
	m.Alloc(8 * words)
	r := new(big.Int).Exp(x, y, new(big.Int).Abs(z))
	if r == nil {
		py.Raise(m, py.ValueError, "base is not invertible for the given modulus")
	}
	if z.Sign() < 0 && r.Sign() != 0 {
		r.Add(r, z)
	}
	return py.NewInt(r)
}

func round2(m *py.Machine, a []py.Value) py.Value {
	whole := !Given(a[1])
	digits := OptionalInt(m, a[1], 0)
	switch x := a[0].(type) {
	case py.Float:
		if whole {
			return ops.Truncate(m, math.RoundToEven(float64(x)))
		}
		return py.Float(roundFloat(float64(x), digits))
	case py.Int, py.Bool, *py.Big:
		if digits >= 0 {
			return ops.Unary(m, "+", x)
		}
		return roundInt(m, py.ToBig(x), -digits)
	}
	if whole {
		if r, ok := py.Special(m, a[0], "__round__"); ok {
			return r
		}
	} else if r, ok := py.Special(m, a[0], "__round__", a[1]); ok {
		return r
	}
	py.Raise(m, py.TypeError, "type %s doesn't define __round__ method", a[0].Type().FullName())
	return nil
}

// roundFloat rounds the decimal digits that the float stands for exactly, as CPython does.
func roundFloat(f float64, digits int) float64 {
	if math.IsInf(f, 0) || math.IsNaN(f) || digits > 323 {
		return f
	}
	if digits < -308 {
		return math.Copysign(0, f)
	}
	if digits >= 0 {
		r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
		return r
	}
	exact := new(big.Rat)
	exact.SetFloat64(f)
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	q := roundHalfEven(exact.Num(), new(big.Int).Mul(exact.Denom(), unit))
	r, _ := new(big.Float).SetInt(q.Mul(q, unit)).Float64()
	if r == 0 {
		return math.Copysign(0, f)
	}
	return r
}

func roundInt(m *py.Machine, b *big.Int, zeros int) py.Value {
	if zeros > b.BitLen() { // 10^zeros is larger than 2^BitLen
		return py.Int(0)
	}
	m.Alloc(zeros)
	m.Work(zeros * zeros / 4096)
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(zeros)), nil)
	q := roundHalfEven(b, unit)
	return py.NewInt(q.Mul(q, unit))
}

// roundHalfEven is p/q, rounded; q is positive.
func roundHalfEven(p, q *big.Int) *big.Int {
	quotient, rest := ops.FloorDivMod(p, q)
	twice := new(big.Int).Lsh(rest, 1)
	if c := twice.Cmp(q); c > 0 || c == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient
}

// newInt is int(x, base).
func newInt(m *py.Machine, _ *py.Type, args py.Args) py.Value {
	a := py.Bind(m, "int", []string{"x=", "base="}, false, args)
	switch x := a[0].(type) {
	case nil:
		return py.Int(0)
	case py.Float:
		return ops.Truncate(m, float64(x))
	case py.Int, py.Bool, *py.Big:
		if a[1] != nil {
			py.Raise(m, py.TypeError, "int() can't convert non-string with explicit base")
		}
		return ops.Unary(m, "+", x)
	case py.Str:
		return parseInt(m, string(x), a[0], OptionalInt(m, a[1], 10))
	case py.Bytes, *py.ByteArray:
		s, _ := py.ToBytes(x)
		return parseInt(m, s, a[0], OptionalInt(m, a[1], 10))
	}
	for _, name := range []string{"__int__", "__index__", "__trunc__"} {
		if r, ok := py.Special(m, a[0], name); ok {
			return r
		}
	}
	py.Raise(m, py.TypeError, "int() argument must be a string, a bytes-like object or a real number, not '%s'", a[0].Type().FullName())
	return nil
}

func parseInt(m *py.Machine, s string, v py.Value, base int) py.Value {
	if base != 0 && base < 2 || base > 36 {
		py.Raise(m, py.ValueError, "int() base must be >= 2 and <= 36, or 0")
	}
	t := strings.TrimSpace(s)
	invalid := func() {
		py.Raise(m, py.ValueError, "invalid literal for int() with base %d: %s", base, ops.Repr(m, v))
	}
	sign := ""
	if strings.HasPrefix(t, "-") || strings.HasPrefix(t, "+") {
		sign, t = t[:1], t[1:]
	}
	used := base
	if len(t) > 2 && t[0] == '0' {
		if b := map[byte]int{'x': 16, 'o': 8, 'b': 2}[t[1]|0x20]; b != 0 && (base == b || base == 0) {
			used, t = b, t[2:]
			t = strings.TrimPrefix(t, "_")
		}
	}
	if used == 0 {
		used = 10
	}
	if t == "" || t[0] == '_' || t[len(t)-1] == '_' || strings.Contains(t, "__") || t[0] == '-' || t[0] == '+' {
		invalid()
	}
	t = strings.ReplaceAll(t, "_", "")
	if i, err := strconv.ParseInt(sign+t, used, 64); err == nil {
		return py.Int(i)
	}
	if used&(used-1) != 0 && len(t) > 4300 {
		py.Raise(m, py.ValueError, "Exceeds the limit (4300 digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit", len(t))
	}
	m.Alloc(len(t))
	b, ok := new(big.Int).SetString(sign+t, used)
	if !ok {
		invalid()
	}
	return py.NewInt(b)
}

// newFloat is float(x).
func newFloat(m *py.Machine, _ *py.Type, args py.Args) py.Value {
	a := py.Bind(m, "float", []string{"x="}, false, args)
	var s string
	switch x := a[0].(type) {
	case nil:
		return py.Float(0)
	case py.Float:
		return x
	case py.Int, py.Bool, *py.Big:
		return py.Float(ops.Number(m, x))
	case py.Str:
		s = string(x)
	case py.Bytes, *py.ByteArray:
		s, _ = py.ToBytes(x)
	default:
		if r, ok := py.Special(m, a[0], "__float__"); ok {
			return r
		}
		py.Raise(m, py.TypeError, "float() argument must be a string or a real number, not '%s'", a[0].Type().FullName())
	}
	f, ok := ParseFloat(s)
	if !ok {
		py.Raise(m, py.ValueError, "could not convert string to float: %s", ops.Repr(m, a[0]))
	}
	return py.Float(f)
}

// ParseFloat reads a float as Python writes it.
func ParseFloat(s string) (float64, bool) {
	t := strings.ToLower(strings.TrimSpace(s))
	if strings.HasPrefix(t, "_") || strings.HasSuffix(t, "_") || strings.Contains(t, "__") || strings.Contains(t, "x") || strings.Contains(t, "p") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(t, "_", ""), 64)
	if err != nil && !strings.Contains(err.Error(), "range") {
		return 0, false
	}
	return f, true
}
