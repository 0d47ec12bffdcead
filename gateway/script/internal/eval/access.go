package eval

import (
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// load compiles the use of a variable.
func (c *compiler) load(x *syntax.Name) expr {
	slot, up, id := x.Slot, x.Up, x.ID
	switch x.Place {
	case syntax.Local:
		return func(f *Frame) py.Value {
			if v := f.slots[slot]; v != nil {
				return v
			}
			py.Raise(f.m, py.UnboundLocalError, "cannot access local variable '%s' where it is not associated with a value", id)
			return nil
		}
	case syntax.Outer:
		return func(f *Frame) py.Value {
			at := f
			for range up {
				at = at.up
			}
			if v := at.slots[slot]; v != nil {
				return v
			}
			py.Raise(f.m, py.NameError, "cannot access free variable '%s' where it is not associated with a value in enclosing scope", id)
			return nil
		}
	case syntax.ClassName:
		outside := c.load(x.Else)
		return func(f *Frame) py.Value {
			if v := f.class[id]; v != nil {
				return v
			}
			return outside(f)
		}
	}
	builtin := c.builtin(id)
	return func(f *Frame) py.Value {
		if v := f.rt.Globals[slot]; v != nil {
			return v
		}
		if builtin == nil {
			py.Raise(f.m, py.NameError, "name '%s' is not defined", id)
		}
		return builtin
	}
}

func (c *compiler) attribute(x *syntax.Attribute) expr {
	e, name := c.expr(x.X), x.Name
	return func(f *Frame) py.Value { return ops.Attr(f.m, e(f), name) }
}

func (c *compiler) index(x *syntax.Index) expr {
	e, key := c.expr(x.X), c.expr(x.Key)
	if text, ok := constantText(x.Key); ok {
		var k py.Value = py.Str(text)
		hash := py.HashText(text)
		return func(f *Frame) py.Value {
			v := e(f)
			if d, ok := v.(*py.Dict); ok {
				if r := d.GetHashed(text, hash); r != nil {
					return r
				}
			}
			return ops.Index(f.m, v, k)
		}
	}
	return func(f *Frame) py.Value {
		v := e(f)
		k := key(f)
		if d, ok := v.(*py.Dict); ok {
			if s, ok := k.(py.Str); ok {
				if r := d.GetStr(string(s)); r != nil {
					return r
				}
			}
		}
		return ops.Index(f.m, v, k)
	}
}

// constantText returns the text that an expression is, if it is one.
func constantText(x syntax.Expr) (string, bool) {
	if c, ok := x.(*syntax.Const); ok {
		s, ok := c.Value.(string)
		return s, ok
	}
	return "", false
}

func (c *compiler) slice(x *syntax.Slice) expr {
	low, high, step := c.optional(x.Low), c.optional(x.High), c.optional(x.Step)
	part := func(f *Frame, e expr) py.Value {
		if e == nil {
			return nil
		}
		return e(f)
	}
	return func(f *Frame) py.Value {
		return &py.Slice{Low: part(f, low), High: part(f, high), Step: part(f, step)}
	}
}

// store compiles an assignment to a target.
func (c *compiler) store(x syntax.Expr) store {
	switch x := x.(type) {
	case *syntax.Name:
		return c.storeName(x)
	case *syntax.Attribute:
		e, name := c.expr(x.X), x.Name
		return func(f *Frame, v py.Value) { ops.SetAttr(f.m, e(f), name, v) }
	case *syntax.Index:
		e, key := c.expr(x.X), c.expr(x.Key)
		return func(f *Frame, v py.Value) {
			object := e(f)
			ops.SetIndex(f.m, object, key(f), v)
		}
	case *syntax.Sequence:
		return c.unpack(x.Items)
	}
	return func(f *Frame, _ py.Value) { py.Raise(f.m, py.SyntaxErrorType, "cannot assign to this") }
}

func (c *compiler) storeName(x *syntax.Name) store {
	slot, up, id := x.Slot, x.Up, x.ID
	switch x.Place {
	case syntax.Local:
		return func(f *Frame, v py.Value) { f.slots[slot] = v }
	case syntax.Outer:
		return func(f *Frame, v py.Value) {
			at := f
			for range up {
				at = at.up
			}
			at.slots[slot] = v
		}
	case syntax.ClassName:
		return func(f *Frame, v py.Value) {
			f.m.Alloc(64 + len(id))
			f.class[id] = v
		}
	}
	return func(f *Frame, v py.Value) { f.rt.Globals[slot] = v }
}

// unpack compiles an assignment to several targets, of which one may be starred.
func (c *compiler) unpack(targets []syntax.Expr) store {
	stores := make([]store, len(targets))
	star := -1
	for i, t := range targets {
		if s, ok := t.(*syntax.Starred); ok {
			star, t = i, s.X
		}
		stores[i] = c.store(t)
	}
	n := len(targets)
	if star >= 0 {
		return unpackStarred(stores, star)
	}
	return func(f *Frame, v py.Value) {
		items := unpacked(f.m, v, n)
		if len(items) < n {
			py.Raise(f.m, py.ValueError, "not enough values to unpack (expected %d, got %d)", n, len(items))
		}
		if len(items) > n {
			py.Raise(f.m, py.ValueError, "too many values to unpack (expected %d)", n)
		}
		if l, ok := v.(*py.List); ok && n > 1 {
			items = append([]py.Value(nil), l.Items...) // a target may change the list
		}
		for i, set := range stores {
			set(f, items[i])
		}
	}
}

// unpacked returns the items of v, and no more than one that is too many.
func unpacked(m *py.Machine, v py.Value, n int) []py.Value {
	switch x := v.(type) {
	case *py.Tuple:
		return x.Items
	case *py.List:
		return x.Items
	}
	if !iterable(v) {
		py.Raise(m, py.TypeError, "cannot unpack non-iterable %s object", v.Type().FullName())
	}
	var out []py.Value
	for next := ops.Iterate(m, v); len(out) <= n; {
		item, ok := next()
		if !ok {
			break
		}
		m.Step()
		m.Alloc(32)
		out = append(out, item)
	}
	return out
}

func iterable(v py.Value) bool {
	switch v.(type) {
	case py.NoneType, py.Int, py.Float, py.Bool, *py.Big, *py.Builtin, *Func, *py.Module:
		return false
	}
	return true
}

func unpackStarred(stores []store, star int) store {
	after := len(stores) - star - 1
	return func(f *Frame, v py.Value) {
		items := ops.Fresh(f.m, v)
		if len(items) < len(stores)-1 {
			py.Raise(f.m, py.ValueError, "not enough values to unpack (expected at least %d, got %d)", len(stores)-1, len(items))
		}
		for i, set := range stores {
			switch {
			case i < star:
				set(f, items[i])
			case i > star:
				set(f, items[len(items)-len(stores)+i])
			default:
				f.m.AllocN(len(items)+3, 16)
				set(f, &py.List{Items: append([]py.Value(nil), items[star:len(items)-after]...)})
			}
		}
	}
}

// remove compiles del of a target.
func (c *compiler) remove(x syntax.Expr) stmt {
	switch x := x.(type) {
	case *syntax.Name:
		load, clear := c.load(x), c.storeName(x)
		if x.Place == syntax.ClassName {
			id := x.ID
			return func(f *Frame) flow { load(f); delete(f.class, id); return onward }
		}
		return func(f *Frame) flow { load(f); clear(f, nil); return onward }
	case *syntax.Attribute:
		e, name := c.expr(x.X), x.Name
		return func(f *Frame) flow { ops.DelAttr(f.m, e(f), name); return onward }
	case *syntax.Index:
		e, key := c.expr(x.X), c.expr(x.Key)
		return func(f *Frame) flow {
			v := e(f)
			ops.DelIndex(f.m, v, key(f))
			return onward
		}
	case *syntax.Sequence:
		return c.removeAll(x.Items)
	}
	return func(f *Frame) flow { py.Raise(f.m, py.SyntaxErrorType, "cannot delete this"); return onward }
}

// removeAll removes targets, in their order.
func (c *compiler) removeAll(targets []syntax.Expr) stmt {
	var all []stmt
	for _, t := range targets {
		all = append(all, c.remove(t))
	}
	return func(f *Frame) flow {
		for _, s := range all {
			s(f)
		}
		return onward
	}
}
