package ops

import (
	"unicode/utf8"

	"pithings/gateway/script/internal/py"
)

// Iterable is a value of a module that a for can go through.
type Iterable interface {
	py.Value
	Iterate(m *py.Machine) func() (py.Value, bool)
}

// Iterate returns a function that yields what v holds.
func Iterate(m *py.Machine, v py.Value) func() (py.Value, bool) {
	switch x := v.(type) {
	case *py.List:
		i := 0
		return func() (py.Value, bool) {
			if i >= len(x.Items) {
				return nil, false
			}
			i++
			return x.Items[i-1], true
		}
	case *py.Tuple:
		if !x.Type().User || x.Type().Lookup("__iter__") == nil {
			return over(x.Items)
		}
	case *py.Dict:
		return dictIter(m, x, 'k')
	case *py.View:
		return dictIter(m, x.D, x.Kind)
	case *py.Set:
		return dictIter(m, &x.D, 'k')
	case py.Str:
		return characters(string(x))
	case *py.Range:
		at, left := x.Start, x.N
		return func() (py.Value, bool) {
			if left <= 0 {
				return nil, false
			}
			v := py.Int(at)
			left--
			at += x.Step
			return v, true
		}
	case *py.Iter:
		return x.Next
	case py.Bytes, *py.ByteArray:
		b, _ := py.ToBytes(v)
		i := 0
		return func() (py.Value, bool) {
			if i >= len(b) {
				return nil, false
			}
			i++
			return py.Int(b[i-1]), true
		}
	case Iterable:
		return x.Iterate(m)
	}
	if it, ok := py.Special(m, v, "__iter__"); ok {
		if it != v {
			if _, same := it.(*py.Instance); !same {
				return Iterate(m, it)
			}
		}
		return instanceIter(m, it)
	}
	if v.Type().User && v.Type().Lookup("__getitem__") != nil {
		return indexIter(m, v)
	}
	py.Raise(m, py.TypeError, "'%s' object is not iterable", v.Type().FullName())
	return nil
}

func over(items []py.Value) func() (py.Value, bool) {
	i := 0
	return func() (py.Value, bool) {
		if i >= len(items) {
			return nil, false
		}
		i++
		return items[i-1], true
	}
}

// Lazy returns an iterator that computes its values from those of others. It counts as a
// call while it does: a chain of them recurses as deep as it is long.
func Lazy(m *py.Machine, name string, over []py.Value, next func() (py.Value, bool)) *py.Iter {
	m.Alloc(160)
	return &py.Iter{Name: name, Over: over, Next: func() (py.Value, bool) {
		m.Enter()
		v, ok := next()
		m.Leave()
		return v, ok
	}}
}

// Over returns an iterator through items.
func Over(items []py.Value) *py.Iter { return &py.Iter{Next: over(items), Over: items} }

func characters(s string) func() (py.Value, bool) {
	return func() (py.Value, bool) {
		if s == "" {
			return nil, false
		}
		_, n := utf8.DecodeRuneInString(s)
		c := s[:n]
		s = s[n:]
		return py.Str(c), true
	}
}

// tupleCost is what a tuple of a key and its value is counted with, in bytes.
const tupleCost = 72

func dictIter(m *py.Machine, d *py.Dict, kind byte) func() (py.Value, bool) {
	next := entries(m, d)
	return func() (py.Value, bool) {
		key, value := next()
		switch {
		case key == nil:
			return nil, false
		case kind == 'k':
			return key, true
		case kind == 'v':
			return value, true
		}
		m.Alloc(tupleCost)
		return py.NewTuple(key, value), true
	}
}

// entries returns a function that yields the keys of a dict with their values; nil is the end.
func entries(m *py.Machine, d *py.Dict) func() (key, value py.Value) {
	i, n := 0, d.Len()
	return func() (key, value py.Value) {
		if d.Len() != n {
			py.Raise(m, py.RuntimeError, "dictionary changed size during iteration")
		}
		key, value, i = d.At(i)
		return key, value
	}
}

// Pairs is Iterate for the items of a dict, without the tuples, which it counts all the same.
func Pairs(m *py.Machine, d *py.Dict) func() (key, value py.Value) {
	next := entries(m, d)
	return func() (key, value py.Value) {
		if key, value = next(); key != nil {
			m.Alloc(tupleCost)
		}
		return key, value
	}
}

// instanceIter calls __next__ until StopIteration.
func instanceIter(m *py.Machine, it py.Value) func() (py.Value, bool) {
	return func() (v py.Value, ok bool) {
		r := py.Try(m, func() { v, ok = py.Special(m, it, "__next__") })
		if r != nil {
			if r.Exc.Class.Is(py.StopIteration) {
				return nil, false
			}
			panic(r)
		}
		if !ok {
			py.Raise(m, py.TypeError, "iter() returned non-iterator of type '%s'", it.Type().FullName())
		}
		return v, true
	}
}

// indexIter calls __getitem__ with 0, 1, … until IndexError.
func indexIter(m *py.Machine, v py.Value) func() (py.Value, bool) {
	i := 0
	return func() (item py.Value, ok bool) {
		r := py.Try(m, func() { item, ok = py.Special(m, v, "__getitem__", py.Int(i)) })
		i++
		if r != nil {
			if r.Exc.Class.Is(py.IndexError) {
				return nil, false
			}
			panic(r)
		}
		return item, ok
	}
}

// Items returns what v holds as a slice, which the caller must not change.
func Items(m *py.Machine, v py.Value) []py.Value {
	switch x := v.(type) {
	case *py.List:
		return x.Items
	case *py.Tuple:
		return x.Items
	}
	return Collect(m, Iterate(m, v))
}

// Collect returns all that next yields.
func Collect(m *py.Machine, next func() (py.Value, bool)) []py.Value {
	var out []py.Value
	for {
		v, ok := next()
		if !ok {
			return out
		}
		m.Step()
		m.Alloc(32)
		out = append(out, v)
	}
}

// Fresh returns what v holds as a slice of its own.
func Fresh(m *py.Machine, v py.Value) []py.Value {
	switch x := v.(type) {
	case *py.List:
		return joined(m, x.Items, nil)
	case *py.Tuple:
		return joined(m, x.Items, nil)
	}
	return Collect(m, Iterate(m, v))
}

func joined(m *py.Machine, a, b []py.Value) []py.Value {
	m.AllocN(len(a)+len(b)+2, 16)
	out := make([]py.Value, 0, len(a)+len(b))
	return append(append(out, a...), b...)
}
