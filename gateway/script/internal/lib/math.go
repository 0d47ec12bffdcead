package lib

import (
	"math"
	"math/big"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// real makes a function of one on floats. What is not defined raises ValueError.
func real(f func(float64) float64) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		x := float(m, a[0])
		return checked(m, f(x), math.IsNaN(x), math.IsInf(x, 0))
	}
}

func checked(m *py.Machine, y float64, nan, inf bool) py.Value {
	if math.IsNaN(y) && !nan {
		py.Raise(m, py.ValueError, "math domain error")
	}
	if math.IsInf(y, 0) && !nan && !inf {
		py.Raise(m, py.OverflowError, "math range error")
	}
	return py.Float(y)
}

// logarithm is defined for positive numbers, integers of any size among them.
func logarithm(m *py.Machine, v py.Value, f func(float64) float64) float64 {
	if b, ok := v.(*py.Big); ok && b.V.Sign() > 0 {
		exp := b.V.BitLen() - 60
		top, _ := new(big.Float).SetInt(new(big.Int).Rsh(b.V, uint(exp))).Float64()
		return f(top) + float64(exp)*f(2)
	}
	x := float(m, v)
	if x <= 0 {
		py.Raise(m, py.ValueError, "math domain error")
	}
	return f(x)
}

func rounding(name string, f func(float64) float64) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		switch a[0].(type) {
		case py.Int, py.Bool, *py.Big:
			return ops.Unary(m, "+", a[0])
		}
		if r, ok := py.Special(m, a[0], name); ok {
			return r
		}
		return ops.Truncate(m, f(float(m, a[0])))
	}
}

func whole(m *py.Machine, v py.Value) *big.Int {
	b := py.ToBig(v)
	if b == nil {
		py.Raise(m, py.TypeError, "'%s' object cannot be interpreted as an integer", v.Type().FullName())
	}
	return b
}

func mathModule() map[string]py.Value {
	items := functions([]def{
		{"floor", "x", rounding("__floor__", math.Floor)},
		{"ceil", "x", rounding("__ceil__", math.Ceil)},
		{"trunc", "x", rounding("__trunc__", math.Trunc)},
		{"fabs", "x", real(math.Abs)},
		{"sqrt", "x", real(math.Sqrt)},
		{"exp", "x", real(math.Exp)},
		{"sin", "x", real(math.Sin)}, {"cos", "x", real(math.Cos)}, {"tan", "x", real(math.Tan)},
		{"asin", "x", real(math.Asin)}, {"acos", "x", real(math.Acos)}, {"atan", "x", real(math.Atan)},
		{"sinh", "x", real(math.Sinh)}, {"cosh", "x", real(math.Cosh)}, {"tanh", "x", real(math.Tanh)},
		{"degrees", "x", real(func(x float64) float64 { return x * (180 / math.Pi) })},
		{"radians", "x", real(func(x float64) float64 { return x * (math.Pi / 180) })},
		{"log", "x base=", func(m *py.Machine, a []py.Value) py.Value {
			x := logarithm(m, a[0], math.Log)
			if a[1] == nil {
				return py.Float(x)
			}
			base := logarithm(m, a[1], math.Log)
			if base == 0 {
				py.Raise(m, py.ZeroDivisionError, "float division by zero")
			}
			return py.Float(x / base)
		}},
		{"log10", "x", func(m *py.Machine, a []py.Value) py.Value { return py.Float(logarithm(m, a[0], math.Log10)) }},
		{"log2", "x", func(m *py.Machine, a []py.Value) py.Value { return py.Float(logarithm(m, a[0], math.Log2)) }},
		{"log1p", "x", real(math.Log1p)},
		{"pow", "x y", func(m *py.Machine, a []py.Value) py.Value {
			x, y := float(m, a[0]), float(m, a[1])
			return checked(m, math.Pow(x, y), math.IsNaN(x) || math.IsNaN(y), math.IsInf(x, 0) || math.IsInf(y, 0))
		}},
		{"fmod", "x y", func(m *py.Machine, a []py.Value) py.Value {
			x, y := float(m, a[0]), float(m, a[1])
			return checked(m, math.Mod(x, y), math.IsNaN(x) || math.IsNaN(y), false)
		}},
		{"modf", "x", func(m *py.Machine, a []py.Value) py.Value {
			i, f := math.Modf(float(m, a[0]))
			return py.NewTuple(py.Float(f), py.Float(i))
		}},
		{"atan2", "y x", func(m *py.Machine, a []py.Value) py.Value {
			return py.Float(math.Atan2(float(m, a[0]), float(m, a[1])))
		}},
		{"copysign", "x y", func(m *py.Machine, a []py.Value) py.Value {
			return py.Float(math.Copysign(float(m, a[0]), float(m, a[1])))
		}},
		{"isnan", "x", func(m *py.Machine, a []py.Value) py.Value { return py.Bool(math.IsNaN(float(m, a[0]))) }},
		{"isinf", "x", func(m *py.Machine, a []py.Value) py.Value { return py.Bool(math.IsInf(float(m, a[0]), 0)) }},
		{"isfinite", "x", func(m *py.Machine, a []py.Value) py.Value {
			x := float(m, a[0])
			return py.Bool(!math.IsInf(x, 0) && !math.IsNaN(x))
		}},
		{"isclose", "a b rel_tol= abs_tol=", func(m *py.Machine, a []py.Value) py.Value {
			x, y, rel, abs := float(m, a[0]), float(m, a[1]), 1e-9, 0.0
			if a[2] != nil {
				rel = float(m, a[2])
			}
			if a[3] != nil {
				abs = float(m, a[3])
			}
			if x == y {
				return py.Bool(true)
			}
			if math.IsInf(x, 0) || math.IsInf(y, 0) {
				return py.Bool(false)
			}
			return py.Bool(math.Abs(x-y) <= max(rel*max(math.Abs(x), math.Abs(y)), abs))
		}},
		{"factorial", "n", func(m *py.Machine, a []py.Value) py.Value {
			n := whole(m, a[0])
			if n.Sign() < 0 {
				py.Raise(m, py.ValueError, "factorial() not defined for negative values")
			}
			if !n.IsInt64() || n.Int64() > 10_000 {
				m.Work(-1)
			}
			m.Alloc(int(n.Int64()) * 2)
			m.Work(int(n.Int64()) * int(n.Int64()) / 512)
			return py.NewInt(new(big.Int).MulRange(1, n.Int64()))
		}},
		{"isqrt", "n", func(m *py.Machine, a []py.Value) py.Value {
			n := whole(m, a[0])
			if n.Sign() < 0 {
				py.Raise(m, py.ValueError, "isqrt() argument must be nonnegative")
			}
			m.Work(n.BitLen() * n.BitLen() / 65536)
			return py.NewInt(new(big.Int).Sqrt(n))
		}},
		{"fsum", "seq", fsum},
	}, map[string]py.Value{
		"pi": py.Float(math.Pi), "e": py.Float(math.E), "tau": py.Float(2 * math.Pi), "inf": py.Float(math.Inf(1)), "nan": py.Float(math.NaN()),
	})
	items["hypot"] = &py.Builtin{Name: "hypot", Raw: func(m *py.Machine, a py.Args) py.Value {
		h := 0.0
		for _, v := range a.Pos {
			h = math.Hypot(h, float(m, v))
		}
		return py.Float(h)
	}}
	items["gcd"] = &py.Builtin{Name: "gcd", Raw: func(m *py.Machine, a py.Args) py.Value {
		g := new(big.Int)
		for _, v := range a.Pos {
			b := whole(m, v)
			m.Work(b.BitLen() * b.BitLen() / 65536)
			g.GCD(nil, nil, g, new(big.Int).Abs(b))
		}
		return py.NewInt(g)
	}}
	return items
}

// fsum is the sum without an error, rounded once.
func fsum(m *py.Machine, a []py.Value) py.Value {
	total := new(big.Float).SetPrec(2200) // all bits that a sum of floats can have
	special, infinite := 0.0, 0.0
	for next := ops.Iterate(m, a[0]); ; {
		v, ok := next()
		if !ok {
			break
		}
		m.Work(8)
		x := float(m, v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			if special += x; math.IsInf(x, 0) {
				infinite += x
			}
			continue
		}
		total.Add(total, big.NewFloat(x))
	}
	if special != 0 || math.IsNaN(special) {
		if math.IsNaN(infinite) {
			py.Raise(m, py.ValueError, "-inf + inf in fsum")
		}
		return py.Float(special)
	}
	f, _ := total.Float64()
	if math.IsInf(f, 0) {
		py.Raise(m, py.OverflowError, "intermediate overflow in fsum")
	}
	return py.Float(f)
}

func randomModule() map[string]py.Value {
	span := func(m *py.Machine, low, high int) py.Value {
		if high < low {
			py.Raise(m, py.ValueError, "empty range for randrange() (%d, %d, %d)", low, high+1, high+1-low)
		}
		return py.Int(int64(low) + m.Rand.Int64N(int64(high)-int64(low)+1))
	}
	sequence := func(m *py.Machine, v py.Value) []py.Value {
		items := ops.Items(m, v)
		if len(items) == 0 {
			py.Raise(m, py.IndexError, "Cannot choose from an empty sequence")
		}
		return items
	}
	shuffle := func(m *py.Machine, items []py.Value) {
		m.Work(len(items))
		m.Rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	}
	return functions([]def{
		{"random", "", func(m *py.Machine, _ []py.Value) py.Value { return py.Float(m.Rand.Float64()) }},
		{"uniform", "a b", func(m *py.Machine, a []py.Value) py.Value {
			low, high := float(m, a[0]), float(m, a[1])
			return py.Float(low + float64((high-low)*m.Rand.Float64()))
		}},
		{"gauss", "mu sigma", func(m *py.Machine, a []py.Value) py.Value {
			return py.Float(float(m, a[0]) + float64(float(m, a[1])*m.Rand.NormFloat64()))
		}},
		{"randint", "a b", func(m *py.Machine, a []py.Value) py.Value {
			return span(m, builtin.Integer(m, a[0]), builtin.Integer(m, a[1]))
		}},
		{"randrange", "start stop=", func(m *py.Machine, a []py.Value) py.Value {
			if a[1] == nil {
				return span(m, 0, builtin.Integer(m, a[0])-1)
			}
			return span(m, builtin.Integer(m, a[0]), builtin.Integer(m, a[1])-1)
		}},
		{"choice", "seq", func(m *py.Machine, a []py.Value) py.Value {
			items := sequence(m, a[0])
			return items[m.Rand.IntN(len(items))]
		}},
		{"shuffle", "x", func(m *py.Machine, a []py.Value) py.Value {
			l, ok := a[0].(*py.List)
			if !ok {
				py.Raise(m, py.TypeError, "shuffle() wants a list")
			}
			shuffle(m, l.Items)
			return py.None
		}},
		{"sample", "population k", func(m *py.Machine, a []py.Value) py.Value {
			items, k := ops.Fresh(m, a[0]), builtin.Integer(m, a[1])
			if k < 0 || k > len(items) {
				py.Raise(m, py.ValueError, "Sample larger than population or is negative")
			}
			shuffle(m, items)
			return py.NewList(items[:k]...)
		}},
		{"seed", "a=", nothing},
	}, nil)
}
