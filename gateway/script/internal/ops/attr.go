package ops

import (
	"pithings/gateway/script/internal/py"
)

// Attributed is a value with attributes beyond those of its type.
type Attributed interface {
	py.Value
	// Attr returns nil for a name that it does not have.
	Attr(m *py.Machine, name string) py.Value
}

// Attr is "v.name".
func Attr(m *py.Machine, v py.Value, name string) py.Value {
	if r := FindAttr(m, v, name); r != nil {
		return r
	}
	switch x := v.(type) {
	case *py.Module:
		py.Raise(m, py.AttributeError, "module '%s' has no attribute '%s'", x.Name, name)
	case *py.Type:
		py.Raise(m, py.AttributeError, "type object '%s' has no attribute '%s'", x.Name, name)
	}
	py.Raise(m, py.AttributeError, "'%s' object has no attribute '%s'", v.Type().FullName(), name)
	return nil
}

// FindAttr is Attr, but returns nil when there is none.
func FindAttr(m *py.Machine, v py.Value, name string) py.Value {
	switch x := v.(type) {
	case *py.Instance:
		return instanceAttr(m, x, name)
	case *py.Module:
		if r := x.Items[name]; r != nil {
			return r
		}
		if name == "__name__" {
			return py.Str(x.Name)
		}
		return nil
	case *py.Type:
		return typeAttr(x, name)
	case *Super:
		return superAttr(m, x, name)
	case Attributed:
		if r := x.Attr(m, name); r != nil {
			return r
		}
	}
	if name == "__class__" {
		return v.Type()
	}
	if r := v.Type().Lookup(name); r != nil {
		return bind(m, r, v, v.Type())
	}
	if b, ok := v.(*py.Builtin); ok && name == "__name__" {
		return py.Str(b.Name)
	}
	return nil
}

func instanceAttr(m *py.Machine, i *py.Instance, name string) py.Value {
	class := i.Class.Lookup(name)
	if w, ok := class.(*py.Wrapped); ok && w.Kind == py.PropertyType {
		return py.Call(m, w.Func, i)
	}
	if r := i.Attrs.Get(name); r != nil {
		return r
	}
	if class != nil {
		return bind(m, class, i, i.Class)
	}
	switch name {
	case "__class__":
		return i.Class
	case "__dict__":
		d := py.NewDict() // a copy
		for _, a := range i.Attrs {
			d.Set(m, py.Str(a.Name), a.Value)
		}
		return d
	case "args":
		if i.Args != nil {
			return i.Args
		}
	case "__doc__":
		return py.None
	}
	if r, ok := py.Special(m, i, "__getattr__", py.Str(name)); ok {
		return r
	}
	return nil
}

// bind makes a method of a function found in a class.
func bind(m *py.Machine, attr, self py.Value, class *py.Type) py.Value {
	switch f := attr.(type) {
	case *py.Wrapped:
		switch f.Kind {
		case py.StaticType:
			return f.Func
		case py.ClassMethodT:
			return boundTo(m, f.Func, class)
		}
		return py.Call(m, f.Func, self)
	case *py.Builtin:
		if f.Method {
			return boundTo(m, f, self)
		}
	case Function:
		return boundTo(m, f, self)
	}
	return attr
}

func boundTo(m *py.Machine, f, self py.Value) py.Value {
	c, ok := f.(py.Callable)
	if !ok {
		return f
	}
	m.Alloc(48)
	return &py.Bound{Self: self, Func: c}
}

// Function is a function that a script defined.
type Function interface {
	py.Callable
	IsFunction()
}

func typeAttr(t *py.Type, name string) py.Value {
	if r := t.Lookup(name); r != nil {
		if w, ok := r.(*py.Wrapped); ok {
			switch w.Kind {
			case py.StaticType:
				return w.Func
			case py.ClassMethodT:
				if c, ok := w.Func.(py.Callable); ok {
					return &py.Bound{Self: t, Func: c}
				}
			}
		}
		if b, ok := r.(*py.Builtin); ok && b.Class {
			return &py.Bound{Self: t, Func: b}
		}
		return r
	}
	switch name {
	case "__name__", "__qualname__":
		return py.Str(t.Name)
	case "__module__":
		if t.Module != "" {
			return py.Str(t.Module)
		}
		return py.Str("__main__")
	case "__class__":
		return py.TypeType
	case "__doc__":
		if t.Doc != nil {
			return t.Doc
		}
		return py.None
	}
	return nil
}

// Super is what super() returns.
type Super struct {
	Class *py.Type
	Self  py.Value
}

// Type is super.
func (*Super) Type() *py.Type { return py.SuperType }

// Each calls f for the object.
func (s *Super) Each(f func(py.Value)) int { f(s.Self); return 32 }

func superAttr(m *py.Machine, s *Super, name string) py.Value {
	t, isClass := s.Self.(*py.Type)
	if !isClass {
		t = s.Self.Type()
	}
	if r := t.LookupAfter(s.Class, name); r != nil {
		if b, ok := r.(*py.Builtin); ok && b.Class {
			return &py.Bound{Self: t, Func: b}
		}
		return bind(m, r, s.Self, t)
	}
	return nil
}

// maxAttrs bounds the attributes of an object, which are searched one after the other.
const maxAttrs = 256

// SetAttr is "v.name = value".
func SetAttr(m *py.Machine, v py.Value, name string, value py.Value) {
	switch x := v.(type) {
	case *py.Instance:
		if w, ok := x.Class.Lookup(name).(*py.Wrapped); ok && w.Kind == py.PropertyType {
			if w.Set == nil {
				py.Raise(m, py.AttributeError, "property '%s' of '%s' object has no setter", name, x.Class.Name)
			}
			py.Call(m, w.Set, x, value)
			return
		}
		if x.Native != nil {
			break // an object of the host
		}
		if x.Args != nil && name == "args" {
			x.Args = py.NewTuple(Fresh(m, value)...)
			return
		}
		if len(x.Attrs) >= maxAttrs {
			py.Raise(m, py.AttributeError, "an object has %d attributes at most: use a dict", maxAttrs)
		}
		if x.Attrs.Set(name, value) {
			m.Alloc(128)
		}
		return
	case *py.Type:
		if !x.User {
			py.Raise(m, py.TypeError, "cannot set '%s' attribute of immutable type '%s'", name, x.Name)
		}
		m.Alloc(64 + len(name))
		x.Attrs[name] = value
		return
	case *py.Module:
		py.Raise(m, py.AttributeError, "cannot set attributes of module '%s': scripts share it", x.Name)
	}
	if FindAttr(m, v, name) != nil {
		py.Raise(m, py.AttributeError, "'%s' object attribute '%s' is read-only", v.Type().FullName(), name)
	}
	py.Raise(m, py.AttributeError, "'%s' object has no attribute '%s'", v.Type().FullName(), name)
}

// DelAttr is "del v.name".
func DelAttr(m *py.Machine, v py.Value, name string) {
	if i, ok := v.(*py.Instance); ok && i.Attrs.Delete(name) {
		return
	}
	if t, ok := v.(*py.Type); ok && t.User && t.Attrs[name] != nil {
		delete(t.Attrs, name)
		return
	}
	py.Raise(m, py.AttributeError, "'%s' object has no attribute '%s'", v.Type().FullName(), name)
}
