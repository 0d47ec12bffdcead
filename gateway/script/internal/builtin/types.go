package builtin

import (
	"math/big"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// constructors make the instances of the types that Go knows.
var constructors = map[*py.Type]func(m *py.Machine, t *py.Type, a py.Args) py.Value{
	py.ObjectType:    newObject,
	py.BaseException: newException,
	py.TypeType:      typeOf,
	py.IntType:       newInt,
	py.FloatType:     newFloat,
	py.BoolType: func(m *py.Machine, _ *py.Type, a py.Args) py.Value {
		v := py.Bind(m, "bool", []string{"x="}, false, a)[0]
		return py.Bool(v != nil && py.Truth(m, v))
	},
	py.StrType: func(m *py.Machine, _ *py.Type, args py.Args) py.Value {
		a := py.Bind(m, "str", []string{"object=", "encoding=", "errors="}, false, args)
		if a[0] == nil {
			return py.Str("")
		}
		if s, ok := py.ToBytes(a[0]); ok && (a[1] != nil || a[2] != nil) {
			return decode(m, s, a[1], a[2])
		}
		return py.Str(ops.ToStr(m, a[0]))
	},
	py.BytesType: func(m *py.Machine, _ *py.Type, a py.Args) py.Value { return py.Bytes(newBytes(m, "bytes", a)) },
	py.ByteArrayType: func(m *py.Machine, _ *py.Type, a py.Args) py.Value {
		return &py.ByteArray{V: newBytes(m, "bytearray", a)}
	},
	py.ListType: func(m *py.Machine, _ *py.Type, a py.Args) py.Value {
		v := py.Bind(m, "list", []string{"iterable="}, false, a)[0]
		m.Alloc(40)
		if v == nil {
			return &py.List{}
		}
		return &py.List{Items: ops.Fresh(m, v)}
	},
	py.TupleType: func(m *py.Machine, _ *py.Type, a py.Args) py.Value {
		v := py.Bind(m, "tuple", []string{"iterable="}, false, a)[0]
		if v == nil {
			return &py.Tuple{}
		}
		if t, ok := v.(*py.Tuple); ok && t.Class == nil {
			return t
		}
		return &py.Tuple{Items: ops.Fresh(m, v)}
	},
	py.DictType: newDict,
	py.SetType:  func(m *py.Machine, _ *py.Type, a py.Args) py.Value { return newSet(m, "set", a) },
	py.FrozenSetType: func(m *py.Machine, _ *py.Type, a py.Args) py.Value {
		s := newSet(m, "frozenset", a)
		s.Frozen = true
		return s
	},
	py.RangeType: newRange,
	py.SliceType: func(m *py.Machine, _ *py.Type, a py.Args) py.Value {
		p := py.Bind(m, "slice", []string{"start", "stop=", "step="}, false, a)
		if p[1] == nil {
			return &py.Slice{High: p[0]}
		}
		return &py.Slice{Low: p[0], High: p[1], Step: p[2]}
	},
	py.StaticType:   func(m *py.Machine, _ *py.Type, a py.Args) py.Value { return wrap(m, py.StaticType, a) },
	py.ClassMethodT: func(m *py.Machine, _ *py.Type, a py.Args) py.Value { return wrap(m, py.ClassMethodT, a) },
	py.PropertyType: func(m *py.Machine, _ *py.Type, a py.Args) py.Value { return wrap(m, py.PropertyType, a) },
	py.SuperType: func(m *py.Machine, _ *py.Type, args py.Args) py.Value {
		a := py.Bind(m, "super", []string{"type", "object"}, false, args)
		t, ok := a[0].(*py.Type)
		if !ok {
			py.Raise(m, py.TypeError, "super() argument 1 must be a type, not %s", a[0].Type().FullName())
		}
		return &ops.Super{Class: t, Self: a[1]}
	},
}

func newBytes(m *py.Machine, name string, args py.Args) []byte {
	a := py.Bind(m, name, []string{"source=", "encoding=", "errors="}, false, args)
	if s, ok := a[0].(py.Str); ok && a[1] != nil {
		b, _ := py.ToBytes(encode(m, string(s), a[1], a[2]))
		return []byte(b)
	}
	if a[0] == nil {
		return nil
	}
	return bytesOf(m, a[0])
}

func newSet(m *py.Machine, name string, a py.Args) *py.Set {
	v := py.Bind(m, name, []string{"iterable="}, false, a)[0]
	if v == nil {
		m.Alloc(80)
		return &py.Set{}
	}
	return ops.NewSet(m, v)
}

// initialize calls the __init__ that a script defined, and reports whether there is one.
func initialize(m *py.Machine, t *py.Type, v py.Value, a py.Args) bool {
	f, ok := t.Lookup("__init__").(py.Callable)
	if !ok {
		return false
	}
	if b, native := f.(*py.Builtin); native && b.Method {
		return false
	}
	r := f.Call(m, py.Args{Pos: append([]py.Value{v}, a.Pos...), Kw: a.Kw})
	if r != py.None {
		py.Raise(m, py.TypeError, "__init__() should return None, not '%s'", r.Type().FullName())
	}
	return true
}

func newObject(m *py.Machine, t *py.Type, a py.Args) py.Value {
	m.Alloc(128)
	i := &py.Instance{Class: t}
	if !initialize(m, t, i, a) && len(a.Pos)+len(a.Kw) > 0 {
		py.Raise(m, py.TypeError, "%s() takes no arguments", t.Name)
	}
	return i
}

func newException(m *py.Machine, t *py.Type, a py.Args) py.Value {
	m.AllocN(len(a.Pos)+10, 16)
	i := &py.Instance{Class: t, Args: py.NewTuple(a.Pos...)}
	if !initialize(m, t, i, a) && len(a.Kw) > 0 {
		py.Raise(m, py.TypeError, "%s() takes no keyword arguments", t.Name)
	}
	return i
}

// newDict makes a dict, or an instance of a class derived from it.
func newDict(m *py.Machine, t *py.Type, a py.Args) py.Value {
	m.Alloc(80)
	d := py.NewDict()
	if t != py.DictType {
		d.Class = t
		if initialize(m, t, d, a) {
			return d
		}
	}
	fillDict(m, d, t.Name, a)
	return d
}

func fillDict(m *py.Machine, d *py.Dict, name string, a py.Args) {
	if len(a.Pos) > 1 {
		py.Raise(m, py.TypeError, "%s expected at most 1 argument, got %d", name, len(a.Pos))
	}
	if len(a.Pos) == 1 {
		ops.Update(m, d, a.Pos[0])
	}
	for _, k := range a.Kw {
		d.Set(m, py.Str(k.Name), k.Value)
	}
}

func typeOf(m *py.Machine, _ *py.Type, a py.Args) py.Value {
	if len(a.Pos) != 1 {
		py.Raise(m, py.TypeError, "type() takes 1 argument; write class to make one")
	}
	return a.Pos[0].Type()
}

func newRange(m *py.Machine, _ *py.Type, a py.Args) py.Value {
	p := py.Bind(m, "range", []string{"start", "stop=", "step="}, false, a)
	number := func(v py.Value) int64 {
		i, ok := py.ToInt(v)
		if _, large := v.(*py.Big); large {
			py.Raise(m, py.OverflowError, "Python int too large for a range of 64 bits")
		}
		if !ok {
			py.Raise(m, py.TypeError, "'%s' object cannot be interpreted as an integer", v.Type().FullName())
		}
		return i
	}
	r := &py.Range{Step: 1}
	if p[1] == nil {
		r.Stop = number(p[0])
	} else {
		r.Start, r.Stop = number(p[0]), number(p[1])
	}
	if p[2] != nil {
		r.Step = number(p[2])
	}
	if r.Step == 0 {
		py.Raise(m, py.ValueError, "range() arg 3 must not be zero")
	}
	n := new(big.Int).Sub(big.NewInt(r.Stop), big.NewInt(r.Start))
	step := big.NewInt(r.Step)
	if r.Step < 0 {
		n.Neg(n)
		step.Neg(step)
	}
	if n.Sign() > 0 {
		n.Add(n, step).Sub(n, big.NewInt(1)).Quo(n, step)
		if !n.IsInt64() {
			py.Raise(m, py.OverflowError, "Python int too large for a range of 64 bits")
		}
		r.N = n.Int64()
	}
	return r
}

func wrap(m *py.Machine, kind *py.Type, args py.Args) py.Value {
	a := py.Bind(m, kind.Name, []string{"fget=", "fset=", "fdel=", "doc="}, false, args)
	w := &py.Wrapped{Kind: kind, Func: a[0], Set: a[1], Delete: a[2]}
	if w.Func == nil {
		w.Func = py.None
	}
	return w
}

var propertyMethods = []def{
	{"setter", "self f", func(m *py.Machine, a []py.Value) py.Value {
		w, _ := a[0].(*py.Wrapped)
		return &py.Wrapped{Kind: py.PropertyType, Func: w.Func, Set: a[1], Delete: w.Delete}
	}},
	{"getter", "self f", func(m *py.Machine, a []py.Value) py.Value {
		w, _ := a[0].(*py.Wrapped)
		return &py.Wrapped{Kind: py.PropertyType, Func: a[1], Set: w.Set, Delete: w.Delete}
	}},
}

// initMethods are the __init__ that super() finds at the end.
func initMethods() map[*py.Type]*py.Builtin {
	method := func(f func(m *py.Machine, a py.Args)) *py.Builtin {
		return &py.Builtin{Name: "__init__", Method: true, Raw: func(m *py.Machine, a py.Args) py.Value {
			if len(a.Pos) == 0 {
				py.Raise(m, py.TypeError, "__init__() needs an object")
			}
			f(m, a)
			return py.None
		}}
	}
	return map[*py.Type]*py.Builtin{
		py.ObjectType: method(func(*py.Machine, py.Args) {}),
		py.BaseException: method(func(m *py.Machine, a py.Args) {
			if i, ok := a.Pos[0].(*py.Instance); ok {
				m.AllocN(len(a.Pos)+2, 16)
				i.Args = py.NewTuple(a.Pos[1:]...)
			}
		}),
		py.DictType: method(func(m *py.Machine, a py.Args) {
			fillDict(m, dict(m, a.Pos), "dict", py.Args{Pos: a.Pos[1:], Kw: a.Kw})
		}),
	}
}

var exceptionMethods = []def{
	{"with_traceback", "self traceback", func(m *py.Machine, a []py.Value) py.Value { return a[0] }},
}
