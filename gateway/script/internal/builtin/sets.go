package builtin

import (
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

func set(m *py.Machine, v py.Value) *py.Set {
	if s, ok := v.(*py.Set); ok {
		return s
	}
	return ops.NewSet(m, v)
}

// operation makes a method of a set that returns a new one.
func operation(op string) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		if a[1] == nil {
			return ops.Binary(m, "|", set(m, a[0]), &py.Set{})
		}
		return ops.Binary(m, op, set(m, a[0]), set(m, a[1]))
	}
}

var setMethods = []def{
	{"union", "self other=", operation("|")},
	{"intersection", "self other=", operation("&")},
	{"difference", "self other=", operation("-")},
	{"symmetric_difference", "self other=", operation("^")},
	{"copy", "self", func(m *py.Machine, a []py.Value) py.Value { return ops.Binary(m, "|", set(m, a[0]), &py.Set{}) }},
	{"issubset", "self other", func(m *py.Machine, a []py.Value) py.Value {
		return py.Bool(ops.Compare(m, "<=", set(m, a[0]), set(m, a[1])))
	}},
	{"issuperset", "self other", func(m *py.Machine, a []py.Value) py.Value {
		return py.Bool(ops.Compare(m, ">=", set(m, a[0]), set(m, a[1])))
	}},
	{"isdisjoint", "self other", func(m *py.Machine, a []py.Value) py.Value {
		both, _ := ops.Binary(m, "&", set(m, a[0]), set(m, a[1])).(*py.Set)
		return py.Bool(both != nil && both.D.Len() == 0)
	}},
}

// change makes a method of a set that changes it.
func change(op string) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		ops.InPlace(m, op, a[0], set(m, a[1]))
		return py.None
	}
}

var setChanges = []def{
	{"add", "self item", func(m *py.Machine, a []py.Value) py.Value { set(m, a[0]).Add(m, a[1]); return py.None }},
	{"discard", "self item", func(m *py.Machine, a []py.Value) py.Value { set(m, a[0]).D.Delete(m, a[1]); return py.None }},
	{"remove", "self item", func(m *py.Machine, a []py.Value) py.Value {
		if set(m, a[0]).D.Delete(m, a[1]) == nil {
			py.RaiseKey(m, a[1])
		}
		return py.None
	}},
	{"pop", "self", func(m *py.Machine, a []py.Value) py.Value {
		s := set(m, a[0])
		v, _, _ := s.D.At(0)
		if v == nil {
			py.Throw(m, py.NewException(py.KeyError, py.Str("pop from an empty set")))
		}
		s.D.Delete(m, v)
		return v
	}},
	{"clear", "self", func(m *py.Machine, a []py.Value) py.Value { set(m, a[0]).D.Clear(); return py.None }},
	{"update", "self other", change("|")},
	{"intersection_update", "self other", change("&")},
	{"difference_update", "self other", change("-")},
	{"symmetric_difference_update", "self other", change("^")},
}
