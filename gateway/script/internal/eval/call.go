package eval

import (
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// call compiles a call. Calls of methods and of functions with positional arguments only,
// which are nearly all, make neither a bound method nor a second copy of the arguments.
func (c *compiler) call(x *syntax.Call) expr {
	line := x.Pos()
	if name, ok := x.Func.(*syntax.Name); ok && name.ID == "super" && len(x.Args) == 0 && len(x.Keywords) == 0 {
		return func(f *Frame) py.Value { return superOf(f) }
	}
	simple := len(x.Keywords) == 0
	for _, a := range x.Args {
		if _, star := a.(*syntax.Starred); star {
			simple = false
		}
	}
	if a, ok := x.Func.(*syntax.Attribute); ok && simple {
		return c.methodCall(a, x.Args, line)
	}
	fn := c.expr(x.Func)
	if simple {
		args := c.exprs(x.Args)
		return func(f *Frame) py.Value {
			v := fn(f)
			if user, ok := v.(*Func); ok && user.code.plain && len(args) == user.code.Pos {
				slots := make([]py.Value, user.code.Slots)
				for i, a := range args {
					slots[i] = a(f)
				}
				f.at.Line = line
				return user.run(f.m, slots)
			}
			pos := make([]py.Value, len(args))
			for i, a := range args {
				pos[i] = a(f)
			}
			f.at.Line = line
			return py.CallArgs(f.m, v, py.Args{Pos: pos})
		}
	}
	args := c.arguments(x)
	return func(f *Frame) py.Value {
		v := fn(f)
		a := args(f)
		f.at.Line = line
		return py.CallArgs(f.m, v, a)
	}
}

func (c *compiler) methodCall(x *syntax.Attribute, argExprs []syntax.Expr, line int) expr {
	object, name, args := c.expr(x.X), x.Name, c.exprs(argExprs)
	return func(f *Frame) py.Value {
		self := object(f)
		f.at.Line = line
		fn := method(self, name)
		if fn == nil {
			fn := ops.Attr(f.m, self, name)
			pos := make([]py.Value, len(args))
			for i, a := range args {
				pos[i] = a(f)
			}
			f.at.Line = line
			return py.CallArgs(f.m, fn, py.Args{Pos: pos})
		}
		if user, ok := fn.(*Func); ok && user.code.plain && len(args)+1 == user.code.Pos {
			slots := make([]py.Value, user.code.Slots)
			slots[0] = self
			for i, a := range args {
				slots[i+1] = a(f)
			}
			f.at.Line = line
			return user.run(f.m, slots)
		}
		pos := make([]py.Value, len(args)+1)
		pos[0] = self
		for i, a := range args {
			pos[i+1] = a(f)
		}
		f.at.Line = line
		return fn.Call(f.m, py.Args{Pos: pos})
	}
}

// method returns the function that self has under a name by its type, if it is called
// with self as its first argument; nil for all else.
func method(self py.Value, name string) py.Callable {
	switch x := self.(type) {
	case *py.Instance:
		if fn, ok := x.Class.Lookup(name).(*Func); ok && x.Attrs.Get(name) == nil {
			return fn
		}
	case *py.Module, *py.Type, ops.Attributed, *ops.Super:
	default:
		if b, ok := self.Type().Lookup(name).(*py.Builtin); ok && b.Method {
			return b
		}
	}
	return nil
}

// arguments compiles arguments of all kinds.
func (c *compiler) arguments(x *syntax.Call) func(f *Frame) py.Args {
	pos := c.items(x.Args)
	names := make([]string, len(x.Keywords))
	values := make([]expr, len(x.Keywords))
	for i, k := range x.Keywords {
		names[i], values[i] = k.Name, c.expr(k.Value)
	}
	return func(f *Frame) py.Args {
		a := py.Args{Pos: pos(f)}
		a.Kw = make([]py.Kw, 0, len(names))
		for i, name := range names {
			v := values[i](f)
			if name != "" {
				a.Kw = append(a.Kw, py.Kw{Name: name, Value: v})
				continue
			}
			d, ok := v.(*py.Dict)
			if !ok {
				py.Raise(f.m, py.TypeError, "argument after ** must be a mapping, not %s", v.Type().FullName())
			}
			f.m.AllocN(d.Len(), 32)
			for at := 0; ; {
				key, value, next := d.At(at)
				if key == nil {
					break
				}
				at = next
				s, ok := key.(py.Str)
				if !ok {
					py.Raise(f.m, py.TypeError, "keywords must be strings")
				}
				for _, k := range a.Kw {
					if k.Name == string(s) {
						py.Raise(f.m, py.TypeError, "got multiple values for keyword argument '%s'", s)
					}
				}
				a.Kw = append(a.Kw, py.Kw{Name: string(s), Value: value})
			}
		}
		return a
	}
}

// superOf is super() inside a method.
func superOf(f *Frame) py.Value {
	for at := f; at != nil; at = at.up {
		if at.fn != nil && at.fn.owner != nil && len(at.slots) > 0 && at.slots[0] != nil && at.up == at.fn.up {
			return &ops.Super{Class: at.fn.owner, Self: at.slots[0]}
		}
	}
	py.Raise(f.m, py.RuntimeError, "super(): no arguments")
	return nil
}
