package ops

import (
	"math"
	"math/big"

	"pithings/gateway/script/internal/py"
)

// IsNumber reports whether v is an int, bool or float.
func IsNumber(v py.Value) bool {
	switch v.(type) {
	case py.Int, py.Float, py.Bool, *py.Big:
		return true
	}
	return false
}

// Number is float(v) of a number; an integer may be too large.
func Number(m *py.Machine, v py.Value) float64 {
	if b, ok := v.(*py.Big); ok {
		return bigFloat(m, b.V)
	}
	f, _ := py.ToFloat(v)
	return f
}

// Truncate is int(f).
func Truncate(m *py.Machine, f float64) py.Value {
	switch {
	case math.IsNaN(f):
		py.Raise(m, py.ValueError, "cannot convert float NaN to integer")
	case math.IsInf(f, 0):
		py.Raise(m, py.OverflowError, "cannot convert float infinity to integer")
	case math.Abs(f) < 1<<62:
		return py.Int(f)
	}
	b, _ := new(big.Float).SetFloat64(f).Int(nil)
	return bigInt(m, b)
}
