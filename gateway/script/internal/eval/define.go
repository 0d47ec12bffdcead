package eval

import (
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

func (c *statements) def(s *syntax.Def) stmt {
	k := c.signature(s.Func, s.Pos())
	inner := c.inside(s.Func.Name)
	k.body = (&statements{inner}).block(s.Func.Body)
	k.stack = inner.stack()
	set := c.storeName(s.Target)
	return func(f *Frame) flow {
		set(f, k.closure(f))
		return onward
	}
}

func (c *statements) classDef(s *syntax.Class) stmt {
	bases, set, name := c.exprs(s.Bases), c.storeName(s.Target), s.Name
	inner := *c.compiler
	inner.prefix = c.prefix + name + "."
	body := (&statements{&inner}).block(s.Body)
	c.deepest = max(c.deepest, inner.deepest)
	return func(f *Frame) flow {
		var types []*py.Type
		for _, b := range bases {
			types = append(types, baseOf(f.m, b(f)))
		}
		if len(types) == 0 {
			types = []*py.Type{py.ObjectType}
		}
		f.m.Alloc(400)
		attrs := map[string]py.Value{}
		if s.Doc != "" {
			attrs["__doc__"] = py.Str(s.Doc)
		}
		outer := f.class
		f.class = attrs
		body(f)
		f.class = outer
		t := py.NewClass(f.m, name, types, attrs)
		if t == nil {
			py.Raise(f.m, py.TypeError, "Cannot create a consistent method resolution order (MRO) for bases")
		}
		own(attrs, t)
		set(f, t)
		return onward
	}
}

// own gives the functions of a class their owner.
func own(attrs map[string]py.Value, t *py.Type) {
	for _, v := range attrs {
		if w, ok := v.(*py.Wrapped); ok {
			v = w.Func
		}
		if fn, ok := v.(*Func); ok && fn.owner == nil {
			fn.owner = t
		}
	}
}

// baseOf returns a class that others may derive from.
func baseOf(m *py.Machine, v py.Value) *py.Type {
	t, ok := v.(*py.Type)
	if !ok {
		py.Raise(m, py.TypeError, "bases of a class must be classes, not '%s'", v.Type().FullName())
	}
	native := t.Native()
	if native == py.ObjectType || native.Is(py.BaseException) || native.Is(py.DictType) || ops.FieldNames(t) != nil {
		return t
	}
	py.Raise(m, py.TypeError, "type '%s' is not an acceptable base type: derive from object and keep the value in an attribute", t.Name)
	return nil
}
