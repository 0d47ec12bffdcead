package ops

import (
	"math"
	"math/big"

	"pithings/gateway/script/internal/py"
)

// floats applies an operator to two floats.
func floats(m *py.Machine, op string, x, y float64) py.Value {
	switch op {
	case "+":
		return py.Float(x + y)
	case "-":
		return py.Float(x - y)
	case "*":
		return py.Float(x * y)
	case "/":
		if y == 0 {
			py.Raise(m, py.ZeroDivisionError, "float division by zero")
		}
		return py.Float(x / y)
	case "//", "%":
		if y == 0 {
			if op == "%" {
				py.Raise(m, py.ZeroDivisionError, "float modulo")
			}
			py.Raise(m, py.ZeroDivisionError, "float floor division by zero")
		}
		quotient, remainder := floatDivMod(x, y)
		if op == "%" {
			return py.Float(remainder)
		}
		return py.Float(quotient)
	case "**":
		return floatPower(m, x, y)
	}
	return nil
}

// floatDivMod is float_divmod of CPython's Objects/floatobject.c.
func floatDivMod(x, y float64) (quotient, remainder float64) {
	remainder = math.Mod(x, y)
	quotient = (x - remainder) / y
	if remainder != 0 {
		if (y < 0) != (remainder < 0) {
			remainder += y
			quotient--
		}
	} else {
		remainder = math.Copysign(0, y)
	}
	if quotient == 0 {
		return math.Copysign(0, x/y), remainder
	}
	whole := math.Floor(quotient)
	if quotient-whole > 0.5 {
		whole++
	}
	return whole, remainder
}

func floatPower(m *py.Machine, x, y float64) py.Value {
	if x == 0 && y < 0 && !math.IsInf(y, 0) {
		py.Raise(m, py.ZeroDivisionError, "0.0 cannot be raised to a negative power")
	}
	if x < 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) && !math.IsNaN(y) && y != math.Trunc(y) {
		py.Raise(m, py.ValueError, "a negative number with a fraction as power is complex, which is not supported")
	}
	p := power(x, y)
	if math.IsInf(p, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		py.Throw(m, py.NewException(py.OverflowError, py.Int(34), py.Str("Numerical result out of range")))
	}
	return py.Float(p)
}

// power is x to the y. Go's Pow may be off by one in the last place where C's is not, so the
// common cases are computed exactly and rounded once.
func power(x, y float64) float64 {
	n := int(y)
	switch {
	case y == 0.5 && x >= 0:
		return math.Sqrt(x)
	case y == 2:
		return x * x
	case float64(n) != y || n < -64 || n > 64 || math.IsInf(x, 0) || math.IsNaN(x) || x == 0:
		return math.Pow(x, y)
	}
	product := new(big.Float).SetPrec(400).SetInt64(1)
	factor := new(big.Float).SetPrec(400).SetFloat64(x)
	for range max(n, -n) {
		product.Mul(product, factor)
	}
	if n < 0 {
		product.Quo(new(big.Float).SetPrec(400).SetInt64(1), product)
	}
	p, _ := product.Float64()
	return p
}
