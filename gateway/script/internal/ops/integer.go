package ops

import (
	"math"
	"math/big"
	"math/bits"

	"pithings/gateway/script/internal/py"
)

// words is the number of machine words of an integer, at least one.
func words(b *big.Int) int { return 1 + b.BitLen()/bits.UintSize }

// bigInt counts an integer as a value of the script before it becomes one.
func bigInt(m *py.Machine, b *big.Int) py.Value {
	if b.IsInt64() {
		return py.Int(b.Int64())
	}
	m.Alloc(32 + b.BitLen()/8)
	return &py.Big{V: b}
}

func intAdd(m *py.Machine, x, y int64) py.Value {
	if s := x + y; (s > x) == (y > 0) {
		return py.Int(s)
	}
	return bigInt(m, new(big.Int).Add(big.NewInt(x), big.NewInt(y)))
}

func intSub(m *py.Machine, x, y int64) py.Value {
	if d := x - y; (d < x) == (y > 0) {
		return py.Int(d)
	}
	return bigInt(m, new(big.Int).Sub(big.NewInt(x), big.NewInt(y)))
}

func intMul(m *py.Machine, x, y int64) py.Value {
	if p := x * y; (x == int64(int32(x)) && y == int64(int32(y))) ||
		x == 0 || p/x == y && !(x == -1 && y == math.MinInt64) {
		return py.Int(p)
	}
	return bigInt(m, new(big.Int).Mul(big.NewInt(x), big.NewInt(y)))
}

// intDivMod is floor division, as Python rounds.
func intDivMod(x, y int64) (quotient, remainder int64) {
	quotient, remainder = x/y, x%y
	if remainder != 0 && (remainder < 0) != (y < 0) {
		quotient--
		remainder += y
	}
	return quotient, remainder
}

// integers applies an operator to two integers of any size.
func integers(m *py.Machine, op string, a, b py.Value) py.Value {
	x, xSmall := py.ToInt(a)
	y, ySmall := py.ToInt(b)
	if xSmall && ySmall {
		if v := smallIntegers(m, op, x, y); v != nil {
			return v
		}
	}
	p, q := py.ToBig(a), py.ToBig(b)
	switch op {
	case "+", "-":
		m.Alloc(8 * max(words(p), words(q)))
		m.Free(8 * max(words(p), words(q)))
		if op == "+" {
			return bigInt(m, new(big.Int).Add(p, q))
		}
		return bigInt(m, new(big.Int).Sub(p, q))
	case "*":
		chargeProduct(m, words(p), words(q))
		return bigInt(m, new(big.Int).Mul(p, q))
	case "//", "%":
		if q.Sign() == 0 {
			zeroDivision(m, op)
		}
		chargeProduct(m, words(p), words(q))
		d, r := FloorDivMod(p, q)
		if op == "%" {
			return bigInt(m, r)
		}
		return bigInt(m, d)
	case "/":
		return trueDivision(m, p, q)
	case "**":
		return intPower(m, p, q)
	case "<<", ">>":
		return shift(m, op, p, q)
	case "&", "|", "^":
		m.Alloc(8 * max(words(p), words(q)))
		r := new(big.Int)
		switch op {
		case "&":
			r.And(p, q)
		case "|":
			r.Or(p, q)
		default:
			r.Xor(p, q)
		}
		return bigInt(m, r)
	}
	return nil
}

// smallIntegers returns nil where the result may not fit.
func smallIntegers(m *py.Machine, op string, x, y int64) py.Value {
	switch op {
	case "+":
		return intAdd(m, x, y)
	case "-":
		return intSub(m, x, y)
	case "*":
		return intMul(m, x, y)
	case "//", "%":
		if y == 0 {
			zeroDivision(m, op)
		}
		if x == math.MinInt64 && y == -1 {
			return nil
		}
		quotient, remainder := intDivMod(x, y)
		if op == "%" {
			return py.Int(remainder)
		}
		return py.Int(quotient)
	case "/":
		if y == 0 {
			py.Raise(m, py.ZeroDivisionError, "division by zero")
		}
		const exact = 1 << 53
		if x <= exact && x >= -exact && y <= exact && y >= -exact {
			return py.Float(float64(x) / float64(y))
		}
	case "&":
		return py.Int(x & y)
	case "|":
		return py.Int(x | y)
	case "^":
		return py.Int(x ^ y)
	case ">>":
		if y >= 0 {
			return py.Int(x >> min(y, 63))
		}
	case "<<":
		if y >= 0 && y < 62 && x>>(62-y) == x>>63 {
			return py.Int(x << y)
		}
	}
	return nil
}

func zeroDivision(m *py.Machine, op string) {
	if op == "%" {
		py.Raise(m, py.ZeroDivisionError, "integer modulo by zero")
	}
	py.Raise(m, py.ZeroDivisionError, "integer division or modulo by zero")
}

// chargeProduct counts the work and the memory of a product or quotient beforehand.
func chargeProduct(m *py.Machine, x, y int) {
	if x+y > 64 {
		m.Alloc(8 * (x + y))
		m.Free(8 * (x + y))
		m.Work(int(min(int64(x)*int64(y)/64, math.MaxInt32)))
	}
}

// FloorDivMod divides as Python does: the remainder has the sign of q.
func FloorDivMod(p, q *big.Int) (quotient, remainder *big.Int) {
	quotient, remainder = new(big.Int).QuoRem(p, q, new(big.Int))
	if remainder.Sign() != 0 && (remainder.Sign() < 0) != (q.Sign() < 0) {
		quotient.Sub(quotient, big.NewInt(1))
		remainder.Add(remainder, q)
	}
	return quotient, remainder
}

func trueDivision(m *py.Machine, p, q *big.Int) py.Value {
	if q.Sign() == 0 {
		py.Raise(m, py.ZeroDivisionError, "division by zero")
	}
	if p.Sign() == 0 && q.Sign() < 0 {
		return py.Float(math.Copysign(0, -1))
	}
	// A fraction is reduced, which costs the square of its length.
	chargeProduct(m, 4*words(p), 4*words(q))
	f, _ := new(big.Rat).SetFrac(p, q).Float64()
	if math.IsInf(f, 0) {
		py.Raise(m, py.OverflowError, "integer division result too large for a float")
	}
	return py.Float(f)
}

func intPower(m *py.Machine, p, q *big.Int) py.Value {
	if q.Sign() < 0 {
		if p.Sign() == 0 {
			py.Raise(m, py.ZeroDivisionError, "0.0 cannot be raised to a negative power")
		}
		x, y := bigFloat(m, p), bigFloat(m, q)
		return floatPower(m, x, y)
	}
	if p.BitLen() <= 1 { // 0, 1 or -1
		odd := q.Bit(0) == 1
		switch {
		case q.Sign() == 0 || p.Sign() > 0 || p.Sign() < 0 && !odd:
			return py.Int(1)
		default:
			return py.Int(int64(p.Sign()))
		}
	}
	if !q.IsInt64() || q.Int64() > math.MaxInt32 {
		m.Alloc(math.MaxInt)
	}
	n := int64(p.BitLen()) * q.Int64() / 8
	m.Alloc(int(min(n, math.MaxInt32)))
	m.Free(int(n))
	chargeProduct(m, int(n/8), int(n/8))
	return bigInt(m, new(big.Int).Exp(p, q, nil))
}

func shift(m *py.Machine, op string, p, q *big.Int) py.Value {
	if q.Sign() < 0 {
		py.Raise(m, py.ValueError, "negative shift count")
	}
	if op == ">>" {
		if !q.IsInt64() || q.Int64() > int64(p.BitLen()) {
			if p.Sign() < 0 {
				return py.Int(-1)
			}
			return py.Int(0)
		}
		m.Alloc(8 * words(p))
		return bigInt(m, new(big.Int).Rsh(p, uint(q.Int64())))
	}
	if p.Sign() == 0 {
		return py.Int(0)
	}
	if !q.IsInt64() || q.Int64() > math.MaxInt32*4 {
		m.Alloc(math.MaxInt)
	}
	n := int64(p.BitLen())/8 + q.Int64()/8
	m.Alloc(int(min(n, math.MaxInt32)))
	return py.NewInt(new(big.Int).Lsh(p, uint(q.Int64())))
}

// bigFloat is float(b), which may be too large.
func bigFloat(m *py.Machine, b *big.Int) float64 {
	f, _ := new(big.Float).SetInt(b).Float64()
	if math.IsInf(f, 0) {
		py.Raise(m, py.OverflowError, "int too large to convert to float")
	}
	return f
}
