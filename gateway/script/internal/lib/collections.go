package lib

import (
	"sort"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

var (
	orderedDictType = py.NewType("OrderedDict", py.DictType)
	defaultDictType = py.NewType("defaultdict", py.DictType)
	counterType     = py.NewType("Counter", py.DictType)
)

func collectionsModule() map[string]py.Value {
	defaultDictType.Module = "collections"
	orderedDictType.Module, counterType.Module = "collections", "collections"
	defaultDictType.New = func(m *py.Machine, t *py.Type, a py.Args) py.Value {
		d := &py.Dict{Class: t, Factory: py.None}
		if len(a.Pos) > 0 {
			d.Factory = a.Pos[0]
			a.Pos = a.Pos[1:]
		}
		fill(m, d, a)
		return d
	}
	methods(orderedDictType, []def{
		{"move_to_end", "self key last=", func(m *py.Machine, a []py.Value) py.Value {
			d, _ := a[0].(*py.Dict)
			v := d.Delete(m, a[1])
			if v == nil {
				py.RaiseKey(m, a[1])
			}
			if a[2] == nil || py.Truth(m, a[2]) {
				d.Set(m, a[1], v)
				return py.None
			}
			rest := d.Copy(m)
			d.Clear()
			d.Set(m, a[1], v)
			ops.Update(m, d, rest)
			return py.None
		}},
	})
	counterType.New = func(m *py.Machine, t *py.Type, a py.Args) py.Value {
		d := &py.Dict{Class: t}
		tally(m, d, a, 1)
		return d
	}
	methods(counterType, counterMethods)
	for name, sign := range map[string]int{"update": 1, "subtract": -1} {
		counterType.Attrs[name] = &py.Builtin{Name: name, Method: true, Raw: func(m *py.Machine, a py.Args) py.Value {
			d, ok := a.Pos[0].(*py.Dict)
			if !ok {
				py.Raise(m, py.TypeError, "%s() wants a Counter", name)
			}
			tally(m, d, py.Args{Pos: a.Pos[1:], Kw: a.Kw}, sign)
			return py.None
		}}
	}
	methods(dequeType, dequeMethods)
	dequeType.New = newDeque
	return functions([]def{{"namedtuple", "typename field_names rename= defaults=", namedTuple}}, map[string]py.Value{
		"OrderedDict": orderedDictType, "defaultdict": defaultDictType, "Counter": counterType, "deque": dequeType,
	})
}

func fill(m *py.Machine, d *py.Dict, a py.Args) {
	m.Alloc(80)
	if len(a.Pos) > 0 {
		ops.Update(m, d, a.Pos[0])
	}
	for _, k := range a.Kw {
		d.Set(m, py.Str(k.Name), k.Value)
	}
}

// tally adds to, or takes from, the counts of a Counter.
func tally(m *py.Machine, d *py.Dict, a py.Args, sign int) {
	m.Alloc(80)
	op := "+"
	if sign < 0 {
		op = "-"
	}
	add := func(key, n py.Value) {
		old := d.Get(m, key)
		if old == nil {
			old = py.Int(0)
		}
		d.Set(m, key, ops.Binary(m, op, old, n))
	}
	if len(a.Pos) > 0 && a.Pos[0] != py.None {
		if from, ok := a.Pos[0].(*py.Dict); ok {
			for i := 0; ; {
				key, n, next := from.At(i)
				if key == nil {
					break
				}
				i = next
				add(key, n)
			}
		} else {
			for next := ops.Iterate(m, a.Pos[0]); ; {
				key, ok := next()
				if !ok {
					break
				}
				m.Step()
				add(key, py.Int(1))
			}
		}
	}
	for _, k := range a.Kw {
		add(py.Str(k.Name), k.Value)
	}
}

var counterMethods = []def{
	{"__missing__", "self key", func(*py.Machine, []py.Value) py.Value { return py.Int(0) }},
	{"most_common", "self n=", func(m *py.Machine, a []py.Value) py.Value {
		d, _ := a[0].(*py.Dict)
		items := ops.Collect(m, ops.Iterate(m, &py.View{D: d, Kind: 'i'}))
		sort.SliceStable(items, func(i, j int) bool {
			m.Step()
			return ops.Less(m, items[j].(*py.Tuple).Items[1], items[i].(*py.Tuple).Items[1])
		})
		if n := builtin.OptionalInt(m, a[1], len(items)); n < len(items) {
			items = items[:max(n, 0)]
		}
		return py.NewList(items...)
	}},
	{"elements", "self", func(m *py.Machine, a []py.Value) py.Value {
		d, _ := a[0].(*py.Dict)
		l := &py.List{}
		for i := 0; ; {
			key, v, next := d.At(i)
			if key == nil {
				return ops.Over(l.Items)
			}
			i = next
			n := builtin.Integer(m, v)
			m.AllocN(max(n, 0), 16)
			for range n {
				l.Items = append(l.Items, key)
			}
		}
	}},
	{"total", "self", func(m *py.Machine, a []py.Value) py.Value {
		d, _ := a[0].(*py.Dict)
		var total py.Value = py.Int(0)
		for i := 0; ; {
			key, v, next := d.At(i)
			if key == nil {
				return total
			}
			i = next
			total = ops.Add(m, total, v)
		}
	}},
}

func namedTuple(m *py.Machine, a []py.Value) py.Value {
	name := builtin.Text(m, a[0], "typename")
	var names []py.Value
	if s, ok := a[1].(py.Str); ok {
		names = ops.Items(m, py.Call(m, ops.Attr(m, py.Call(m, ops.Attr(m, s, "replace"), py.Str(","), py.Str(" ")), "split")))
	} else {
		names = ops.Fresh(m, a[1])
	}
	var defaults []py.Value
	if builtin.Given(a[3]) {
		defaults = ops.Fresh(m, a[3])
	}
	m.AllocN(len(names)+6, 100)
	params := make([]string, len(names))
	attrs := map[string]py.Value{"_fields": py.NewTuple(names...)}
	for i, n := range names {
		field := builtin.Text(m, n, "a field name")
		params[i] = field
		if i >= len(names)-len(defaults) {
			params[i] += "="
		}
		attrs[field] = &py.Wrapped{Kind: py.PropertyType, Func: builtin.Function(field, "self", func(m *py.Machine, a []py.Value) py.Value {
			t, ok := a[0].(*py.Tuple)
			if !ok || i >= len(t.Items) {
				py.Raise(m, py.AttributeError, "%s", field)
			}
			return t.Items[i]
		})}
	}
	t := py.NewClass(m, name, []*py.Type{py.TupleType}, attrs)
	t.New = func(m *py.Machine, t *py.Type, args py.Args) py.Value {
		m.AllocN(len(params)+4, 16)
		items := append([]py.Value(nil), py.Bind(m, name, params, false, args)...)
		for i, v := range items {
			if v == nil {
				items[i] = defaults[i-len(names)+len(defaults)]
			}
		}
		return &py.Tuple{Items: items, Class: t}
	}
	builtin.Method(t, "_asdict", "self", func(m *py.Machine, a []py.Value) py.Value {
		d := py.NewDict()
		m.Alloc(80)
		for i, v := range ops.Items(m, a[0]) {
			d.Set(m, names[i], v)
		}
		return d
	})
	t.Attrs["_replace"] = &py.Builtin{Name: "_replace", Method: true, Raw: func(m *py.Machine, a py.Args) py.Value {
		old, ok := a.Pos[0].(*py.Tuple)
		if !ok {
			py.Raise(m, py.TypeError, "_replace() wants a %s", name)
		}
		items := ops.Fresh(m, old)
	next:
		for _, k := range a.Kw {
			for i, n := range names {
				if n == py.Value(py.Str(k.Name)) {
					items[i] = k.Value
					continue next
				}
			}
			py.Raise(m, py.ValueError, "Got unexpected field names: ['%s']", k.Name)
		}
		return &py.Tuple{Items: items, Class: old.Class}
	}}
	t.Attrs["_make"] = &py.Builtin{Name: "_make", Class: true, Params: []string{"cls", "iterable"}, Fn: func(m *py.Machine, a []py.Value) py.Value {
		return py.CallArgs(m, a[0], py.Args{Pos: ops.Fresh(m, a[1])})
	}}
	return t
}
