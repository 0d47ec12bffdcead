package ops

import (
	"pithings/gateway/script/internal/py"
)

// InPlace is "a op= b": what can change does, all else is replaced.
func InPlace(m *py.Machine, op string, a, b py.Value) py.Value {
	switch x := a.(type) {
	case py.Int, py.Float, py.Str:
		switch op {
		case "+":
			return Add(m, a, b)
		case "-":
			return Sub(m, a, b)
		}
	case *py.List:
		switch op {
		case "+":
			Extend(m, x, b)
			return x
		case "*":
			if n, ok := count(m, b); ok {
				x.Items = repeated(m, x.Items, n)
				return x
			}
		}
	case *py.ByteArray:
		if s, ok := py.ToBytes(b); ok && op == "+" {
			m.Alloc(2 * len(s))
			x.V = append(x.V, s...)
			return x
		}
	case *py.Dict:
		if op == "|" {
			Update(m, x, b)
			return x
		}
	case *py.Set:
		if y, ok := setOf(m, b); ok && !x.Frozen {
			if r, ok := setOperation(m, op, x, y).(*py.Set); ok {
				x.D = r.D
				return x
			}
		}
	}
	if name := specials[op]; a.Type().User {
		if r, ok := py.Special(m, a, "__i"+name+"__", b); ok && r != py.NotImplemented {
			return r
		}
	}
	if v := TryBinary(m, op, a, b); v != nil {
		return v
	}
	operandError(m, op+"=", a, b)
	return nil
}

// Extend is l.extend(v).
func Extend(m *py.Machine, l *py.List, v py.Value) {
	if s, ok := v.(*py.List); ok {
		m.AllocN(len(s.Items), 32)
		l.Items = append(l.Items, s.Items...)
		return
	}
	for next := Iterate(m, v); ; {
		x, ok := next()
		if !ok {
			return
		}
		m.Step()
		m.Alloc(32)
		l.Items = append(l.Items, x)
	}
}
