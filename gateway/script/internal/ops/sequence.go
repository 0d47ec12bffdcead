package ops

import (
	"math"
	"strings"

	"pithings/gateway/script/internal/py"
)

// sequences applies operators to texts, lists, sets and dicts; nil when they do not fit.
func sequences(m *py.Machine, op string, a, b py.Value) py.Value {
	switch op {
	case "+":
		return concatenate(m, a, b)
	case "*":
		if n, ok := count(m, b); ok {
			if v := repeat(m, a, n); v != nil {
				return v
			}
		}
		if n, ok := count(m, a); ok {
			return repeat(m, b, n)
		}
		return nil
	case "%":
		switch x := a.(type) {
		case py.Str:
			return py.Str(Percent(m, string(x), b))
		case py.Bytes:
			return py.Bytes(Percent(m, string(x), b))
		}
		return nil
	}
	if x, ok := setOf(m, a); ok {
		if y, ok := setOf(m, b); ok {
			return setOperation(m, op, x, y)
		}
	}
	if x, ok := a.(*py.Dict); ok && op == "|" {
		if y, ok := b.(*py.Dict); ok {
			d := x.Copy(m)
			Update(m, d, y)
			return d
		}
	}
	return nil
}

func concatenate(m *py.Machine, a, b py.Value) py.Value {
	switch x := a.(type) {
	case py.Str:
		if y, ok := b.(py.Str); ok {
			m.Alloc(16 + len(x) + len(y))
			return x + y
		}
	case *py.List:
		if y, ok := b.(*py.List); ok {
			return &py.List{Items: joined(m, x.Items, y.Items)}
		}
	case *py.Tuple:
		if y, ok := b.(*py.Tuple); ok {
			return &py.Tuple{Items: joined(m, x.Items, y.Items)}
		}
	case py.Bytes, *py.ByteArray:
		p, _ := py.ToBytes(a)
		q, ok := py.ToBytes(b)
		if !ok {
			return nil
		}
		m.Alloc(32 + 2*(len(p)+len(q)))
		if _, array := a.(*py.ByteArray); array {
			return &py.ByteArray{V: []byte(p + q)}
		}
		return py.Bytes(p + q)
	}
	return nil
}

// count is a number of repetitions: an integer, at least 0 and bounded.
func count(m *py.Machine, v py.Value) (int, bool) {
	if b, ok := v.(*py.Big); ok {
		if b.V.Sign() < 0 {
			return 0, true
		}
		return math.MaxInt32, true
	}
	n, ok := py.ToInt(v)
	return int(min(max(n, 0), math.MaxInt32)), ok
}

// repeat returns nil for what cannot be repeated.
func repeat(m *py.Machine, v py.Value, n int) py.Value {
	switch x := v.(type) {
	case py.Str:
		m.AllocN(n, len(x))
		return py.Str(strings.Repeat(string(x), empty(n, len(x))))
	case py.Bytes:
		m.AllocN(n, len(x))
		return py.Bytes(strings.Repeat(string(x), empty(n, len(x))))
	case *py.ByteArray:
		m.AllocN(n, len(x.V))
		return &py.ByteArray{V: []byte(strings.Repeat(string(x.V), empty(n, len(x.V))))}
	case *py.List:
		return &py.List{Items: repeated(m, x.Items, n)}
	case *py.Tuple:
		return &py.Tuple{Items: repeated(m, x.Items, n)}
	}
	return nil
}

// empty is n, or 0 where nothing is repeated.
func empty(n, size int) int {
	if size == 0 {
		return 0
	}
	return n
}

func repeated(m *py.Machine, items []py.Value, n int) []py.Value {
	n = empty(n, len(items))
	m.AllocN(n, 16*len(items))
	m.Alloc(40)
	out := make([]py.Value, 0, n*len(items))
	for range n {
		out = append(out, items...)
	}
	return out
}

// setOf returns sets, and the keys of a dict as one.
func setOf(m *py.Machine, v py.Value) (*py.Set, bool) {
	switch v := v.(type) {
	case *py.Set:
		return v, true
	case *py.View:
		if v.Kind == 'v' {
			return nil, false
		}
		return NewSet(m, v), true
	}
	return nil, false
}

// NewSet returns a set of the members that v yields.
func NewSet(m *py.Machine, v py.Value) *py.Set {
	m.Alloc(80)
	s := &py.Set{}
	for next := Iterate(m, v); ; {
		x, ok := next()
		if !ok {
			return s
		}
		m.Step()
		s.Add(m, x)
	}
}

func setOperation(m *py.Machine, op string, a, b *py.Set) py.Value {
	m.Alloc(80)
	s := &py.Set{Frozen: a.Frozen}
	take := func(from, other *py.Set, member bool) {
		for i := 0; ; {
			v, _, next := from.D.At(i)
			if v == nil {
				return
			}
			i = next
			m.Step()
			if other == nil || other.Has(m, v) == member {
				s.Add(m, v)
			}
		}
	}
	switch op {
	case "|":
		take(a, nil, false)
		take(b, nil, false)
	case "&":
		take(a, b, true)
	case "-":
		take(a, b, false)
	case "^":
		take(a, b, false)
		take(b, a, false)
	default:
		return nil
	}
	return s
}

// Update is d.update(v): v is a dict, or yields pairs.
func Update(m *py.Machine, d *py.Dict, v py.Value) {
	if s, ok := v.(*py.Dict); ok {
		for i := 0; ; {
			key, value, next := s.At(i)
			if key == nil {
				return
			}
			i = next
			m.Step()
			d.Set(m, key, value)
		}
	}
	n := 0
	for next := Iterate(m, v); ; n++ {
		x, ok := next()
		if !ok {
			return
		}
		m.Step()
		pair := pairOf(m, x, n)
		d.Set(m, pair[0], pair[1])
	}
}

func pairOf(m *py.Machine, v py.Value, n int) []py.Value {
	switch v.(type) {
	case *py.Tuple, *py.List, py.Str:
	default:
		py.Raise(m, py.TypeError, "cannot convert dictionary update sequence element #%d to a sequence", n)
	}
	pair := Items(m, v)
	if len(pair) != 2 {
		py.Raise(m, py.ValueError, "dictionary update sequence element #%d has length %d; 2 is required", n, len(pair))
	}
	return pair
}
