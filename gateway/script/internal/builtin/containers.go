package builtin

import (
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

func list(m *py.Machine, a []py.Value) *py.List {
	l, ok := a[0].(*py.List)
	if !ok {
		py.Raise(m, py.TypeError, "a method of 'list' object needs a list, not '%s'", a[0].Type().FullName())
	}
	return l
}

var listMethods = []def{
	{"append", "self item", func(m *py.Machine, a []py.Value) py.Value {
		l := list(m, a)
		m.Alloc(32)
		l.Items = append(l.Items, a[1])
		return py.None
	}},
	{"extend", "self iterable", func(m *py.Machine, a []py.Value) py.Value { ops.Extend(m, list(m, a), a[1]); return py.None }},
	{"insert", "self index item", func(m *py.Machine, a []py.Value) py.Value {
		l, i := list(m, a), Integer(m, a[1])
		if i < 0 {
			i = max(i+len(l.Items), 0)
		}
		i = min(i, len(l.Items))
		m.Alloc(32)
		m.Work(len(l.Items) / 64)
		l.Items = append(l.Items, nil)
		copy(l.Items[i+1:], l.Items[i:])
		l.Items[i] = a[2]
		return py.None
	}},
	{"pop", "self index=", func(m *py.Machine, a []py.Value) py.Value {
		l := list(m, a)
		if len(l.Items) == 0 {
			py.Raise(m, py.IndexError, "pop from empty list")
		}
		i := len(l.Items) - 1
		if a[1] != nil {
			i = ops.Position(m, len(l.Items), a[1], "pop index", "list indices")
		}
		m.Work((len(l.Items) - i) / 64)
		v := l.Items[i]
		l.Items = append(l.Items[:i], l.Items[i+1:]...)
		return v
	}},
	{"remove", "self item", func(m *py.Machine, a []py.Value) py.Value {
		l := list(m, a)
		i := indexOf(m, l.Items, a[1], 0, len(l.Items))
		if i < 0 {
			py.Raise(m, py.ValueError, "list.remove(x): x not in list")
		}
		l.Items = append(l.Items[:i], l.Items[i+1:]...)
		return py.None
	}},
	{"clear", "self", func(m *py.Machine, a []py.Value) py.Value { list(m, a).Items = nil; return py.None }},
	{"copy", "self", func(m *py.Machine, a []py.Value) py.Value { return &py.List{Items: ops.Fresh(m, list(m, a))} }},
	{"reverse", "self", func(m *py.Machine, a []py.Value) py.Value {
		items := list(m, a).Items
		m.Work(len(items) / 64)
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
		return py.None
	}},
	{"sort", "self key= reverse=", func(m *py.Machine, a []py.Value) py.Value {
		l := list(m, a)
		items := l.Items
		l.Items = nil // as in CPython, the list is empty while it is sorted
		defer func() { l.Items = items }()
		Sort(m, items, a[1], a[2] != nil && py.Truth(m, a[2]))
		return py.None
	}},
	{"index", "self item start= end=", index},
	{"count", "self item", count},
}

var tupleMethods = []def{
	{"index", "self item start= end=", index},
	{"count", "self item", count},
}

func index(m *py.Machine, a []py.Value) py.Value {
	items := ops.Items(m, a[0])
	clamp := func(v py.Value, absent int) int {
		i := OptionalInt(m, v, absent)
		if i < 0 {
			i = max(i+len(items), 0)
		}
		return min(i, len(items))
	}
	i := indexOf(m, items, a[1], clamp(a[2], 0), clamp(a[3], len(items)))
	if i < 0 {
		if _, tuple := a[0].(*py.Tuple); tuple {
			py.Raise(m, py.ValueError, "tuple.index(x): x not in tuple")
		}
		py.Raise(m, py.ValueError, "%s is not in %s", ops.Repr(m, a[1]), a[0].Type().Name)
	}
	return py.Int(i)
}

func indexOf(m *py.Machine, items []py.Value, v py.Value, from, to int) int {
	for i := from; i < to; i++ {
		m.Step()
		if py.Same(items[i], v) || py.Equal(m, items[i], v) {
			return i
		}
	}
	return -1
}

func count(m *py.Machine, a []py.Value) py.Value {
	n := 0
	for _, x := range ops.Items(m, a[0]) {
		m.Step()
		if py.Same(x, a[1]) || py.Equal(m, x, a[1]) {
			n++
		}
	}
	return py.Int(n)
}

func dict(m *py.Machine, a []py.Value) *py.Dict {
	d, ok := a[0].(*py.Dict)
	if !ok {
		py.Raise(m, py.TypeError, "a method of 'dict' object needs a dict, not '%s'", a[0].Type().FullName())
	}
	return d
}

func view(kind byte) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value { return &py.View{D: dict(m, a), Kind: kind} }
}

var dictMethods = []def{
	{"get", "self key default=", func(m *py.Machine, a []py.Value) py.Value {
		if v := dict(m, a).Get(m, a[1]); v != nil {
			return v
		}
		if a[2] != nil {
			return a[2]
		}
		return py.None
	}},
	{"keys", "self", view('k')},
	{"values", "self", view('v')},
	{"items", "self", view('i')},
	{"pop", "self key default=", func(m *py.Machine, a []py.Value) py.Value {
		if v := dict(m, a).Delete(m, a[1]); v != nil {
			return v
		}
		if a[2] == nil {
			py.RaiseKey(m, a[1])
		}
		return a[2]
	}},
	{"popitem", "self last=", func(m *py.Machine, a []py.Value) py.Value {
		d := dict(m, a)
		key, v := d.Last()
		if a[1] != nil && !py.Truth(m, a[1]) {
			key, v, _ = d.At(0)
		}
		if key == nil {
			py.Raise(m, py.KeyError, "popitem(): dictionary is empty")
		}
		d.Delete(m, key)
		m.Alloc(72)
		return py.NewTuple(key, v)
	}},
	{"setdefault", "self key default=", func(m *py.Machine, a []py.Value) py.Value {
		d := dict(m, a)
		if v := d.Get(m, a[1]); v != nil {
			return v
		}
		v := a[2]
		if v == nil {
			v = py.None
		}
		d.Set(m, a[1], v)
		return v
	}},
	{"clear", "self", func(m *py.Machine, a []py.Value) py.Value { dict(m, a).Clear(); return py.None }},
	{"copy", "self", func(m *py.Machine, a []py.Value) py.Value { return dict(m, a).Copy(m) }},
	{"__getitem__", "self key", func(m *py.Machine, a []py.Value) py.Value { return ops.Index(m, dict(m, a), a[1]) }},
	{"__setitem__", "self key value", func(m *py.Machine, a []py.Value) py.Value { dict(m, a).Set(m, a[1], a[2]); return py.None }},
	{"__contains__", "self key", func(m *py.Machine, a []py.Value) py.Value { return py.Bool(dict(m, a).Get(m, a[1]) != nil) }},
	{"fromkeys", "cls iterable value=", func(m *py.Machine, a []py.Value) py.Value {
		m.Alloc(80)
		d := py.NewDict()
		v := a[2]
		if v == nil {
			v = py.None
		}
		for next := ops.Iterate(m, a[1]); ; {
			key, ok := next()
			if !ok {
				return d
			}
			m.Step()
			d.Set(m, key, v)
		}
	}},
}

// updateMethod is dict.update, which takes keywords of any name.
func updateMethod() *py.Builtin {
	return &py.Builtin{Name: "update", Method: true, Raw: func(m *py.Machine, a py.Args) py.Value {
		if len(a.Pos) == 0 || len(a.Pos) > 2 {
			py.Raise(m, py.TypeError, "update expected at most 1 argument, got %d", len(a.Pos)-1)
		}
		d := dict(m, a.Pos)
		if len(a.Pos) == 2 {
			ops.Update(m, d, a.Pos[1])
		}
		for _, k := range a.Kw {
			d.Set(m, py.Str(k.Name), k.Value)
		}
		return py.None
	}}
}

var iterMethods = []def{
	{"__iter__", "self", func(m *py.Machine, a []py.Value) py.Value { return a[0] }},
	{"__next__", "self", func(m *py.Machine, a []py.Value) py.Value { return nextOf(m, a[0], nil) }},
}
