package ops

import (
	"math/big"
	"strings"

	"pithings/gateway/script/internal/py"
)

// Compare is "a op b" of the operators of comparison, with in and is.
func Compare(m *py.Machine, op string, a, b py.Value) bool {
	switch op {
	case "==":
		return py.Equal(m, a, b)
	case "!=":
		if r, ok := py.Special(m, a, "__ne__", b); ok && r != py.NotImplemented {
			return py.Truth(m, r)
		}
		return !py.Equal(m, a, b)
	case "is":
		return py.Same(a, b)
	case "is not":
		return !py.Same(a, b)
	case "in":
		return Contains(m, b, a)
	case "not in":
		return !Contains(m, b, a)
	}
	return ordered(m, op, a, b)
}

// Less is "a < b", as sorting asks.
func Less(m *py.Machine, a, b py.Value) bool { return ordered(m, "<", a, b) }

var orderMethods = map[string][2]string{
	"<": {"__lt__", "__gt__"}, ">": {"__gt__", "__lt__"}, "<=": {"__le__", "__ge__"}, ">=": {"__ge__", "__le__"},
}

func ordered(m *py.Machine, op string, a, b py.Value) bool {
	if x, ok := a.(py.Int); ok {
		if y, ok := b.(py.Int); ok {
			return holds(op, cmp(x, y))
		}
	}
	if a.Type().User || b.Type().User {
		names := orderMethods[op]
		if r, ok := py.Special(m, a, names[0], b); ok && r != py.NotImplemented {
			return py.Truth(m, r)
		}
		if r, ok := py.Special(m, b, names[1], a); ok && r != py.NotImplemented {
			return py.Truth(m, r)
		}
	}
	if x, ok := a.(*py.Set); ok {
		if y, ok := b.(*py.Set); ok {
			return subset(m, op, x, y)
		}
	}
	order, has, ok := compare(m, a, b)
	if !ok {
		py.Raise(m, py.TypeError, "'%s' not supported between instances of '%s' and '%s'", op, a.Type().FullName(), b.Type().FullName())
	}
	return has && holds(op, order)
}

func holds(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	}
	return order >= 0
}

func cmp[T py.Int | py.Float](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// compare returns the order of two values; has is false for NaN, ok when they have none.
func compare(m *py.Machine, a, b py.Value) (order int, has, ok bool) {
	if IsNumber(a) && IsNumber(b) {
		order, has = compareNumbers(a, b)
		return order, has, true
	}
	switch x := a.(type) {
	case py.Str:
		if y, same := b.(py.Str); same {
			m.Work(min(len(x), len(y)) / 64)
			return strings.Compare(string(x), string(y)), true, true
		}
	case *py.List:
		if y, same := b.(*py.List); same {
			return compareItems(m, x.Items, y.Items)
		}
	case *py.Tuple:
		if y, same := b.(*py.Tuple); same {
			return compareItems(m, x.Items, y.Items)
		}
	case py.Bytes, *py.ByteArray:
		p, _ := py.ToBytes(a)
		if q, same := py.ToBytes(b); same {
			return strings.Compare(p, q), true, true
		}
	case py.Comparer:
		if order, ok = x.Compare(b); ok {
			return order, true, true
		}
	}
	return 0, false, false
}

func compareNumbers(a, b py.Value) (order int, has bool) {
	x, aFloat := a.(py.Float)
	y, bFloat := b.(py.Float)
	switch {
	case aFloat && bFloat:
		return cmp(x, y), x == x && y == y
	case aFloat:
		return py.CompareFloatInt(float64(x), py.ToBig(b))
	case bFloat:
		order, has = py.CompareFloatInt(float64(y), py.ToBig(a))
		return -order, has
	}
	return py.ToBig(a).Cmp(py.ToBig(b)), true
}

func compareItems(m *py.Machine, a, b []py.Value) (order int, has, ok bool) {
	m.Enter()
	defer m.Leave()
	for i := 0; i < len(a) && i < len(b); i++ {
		m.Step()
		if !py.Same(a[i], b[i]) && !py.Equal(m, a[i], b[i]) {
			if a[i].Type().User {
				if Less(m, a[i], b[i]) {
					return -1, true, true
				}
				return 1, true, true
			}
			order, has, ok = compare(m, a[i], b[i])
			if !ok {
				py.Raise(m, py.TypeError, "'<' not supported between instances of '%s' and '%s'", a[i].Type().FullName(), b[i].Type().FullName())
			}
			return order, has, true
		}
	}
	return cmp(py.Int(len(a)), py.Int(len(b))), true, true
}

func subset(m *py.Machine, op string, a, b *py.Set) bool {
	if op == ">" || op == ">=" {
		a, b = b, a
	}
	if (op == "<" || op == ">") && a.D.Len() == b.D.Len() || a.D.Len() > b.D.Len() {
		return false
	}
	for i := 0; ; {
		v, _, next := a.D.At(i)
		if v == nil {
			return true
		}
		i = next
		m.Step()
		if !b.Has(m, v) {
			return false
		}
	}
}

// Contains is "v in c".
func Contains(m *py.Machine, c, v py.Value) bool {
	switch x := c.(type) {
	case py.Str:
		s, ok := v.(py.Str)
		if !ok {
			py.Raise(m, py.TypeError, "'in <string>' requires string as left operand, not %s", v.Type().FullName())
		}
		m.Work(len(x) / 64)
		return strings.Contains(string(x), string(s))
	case *py.Dict:
		return x.Get(m, v) != nil
	case *py.Set:
		return x.Has(m, v)
	case *py.View:
		if x.Kind == 'k' {
			return x.D.Get(m, v) != nil
		}
	case *py.Range:
		if n, ok := py.ToInt(v); ok {
			return inRange(x, n)
		}
	case py.Bytes, *py.ByteArray:
		b, _ := py.ToBytes(c)
		if s, ok := py.ToBytes(v); ok {
			return strings.Contains(b, s)
		}
		n, ok := py.ToInt(v)
		return ok && n >= 0 && n < 256 && strings.IndexByte(b, byte(n)) >= 0
	}
	if r, ok := py.Special(m, c, "__contains__", v); ok {
		return py.Truth(m, r)
	}
	switch c.(type) {
	case py.Int, py.Float, py.Bool, *py.Big, py.NoneType:
		py.Raise(m, py.TypeError, "argument of type '%s' is not iterable", c.Type().Name)
	}
	for next := Iterate(m, c); ; {
		x, ok := next()
		if !ok {
			return false
		}
		m.Step()
		if py.Same(x, v) || py.Equal(m, x, v) {
			return true
		}
	}
}

func inRange(r *py.Range, n int64) bool {
	if r.N == 0 {
		return false
	}
	i := new(big.Int).Sub(big.NewInt(n), big.NewInt(r.Start))
	i, rest := i.QuoRem(i, big.NewInt(r.Step), new(big.Int))
	return rest.Sign() == 0 && i.Sign() >= 0 && i.Cmp(big.NewInt(r.N)) < 0
}
