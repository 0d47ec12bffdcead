package py

import (
	"fmt"
	"strings"
)

// Args are the arguments of a call.
type Args struct {
	Pos []Value
	Kw  []Kw
}

// Kw is a keyword argument.
type Kw struct {
	Name  string
	Value Value
}

// Callable is a value that can be called.
type Callable interface {
	Value
	Call(m *Machine, a Args) Value
}

// Builtin is a function written in Go.
type Builtin struct {
	Name string
	// Params names the parameters: those that end in "=" may be left out.
	Params []string
	// Fn gets a value for every parameter, nil for what was left out.
	Fn func(m *Machine, a []Value) Value
	// Raw gets the arguments as they are, in place of Params and Fn.
	Raw func(m *Machine, a Args) Value
	// Method says that it belongs to a type: its first parameter is the object.
	Method bool
	// Owner is the type that a method's object has to be of; nil leaves it to the method.
	Owner *Type
	// Class says that it is a method of the class itself, as dict.fromkeys is.
	Class bool
}

// Type is that of built-in functions.
func (*Builtin) Type() *Type { return BuiltinType }

// Call binds the arguments to the parameters and runs the function. It counts as a call of
// the script's own does: a class whose __len__ is len would call itself for ever.
func (b *Builtin) Call(m *Machine, a Args) Value {
	m.Step()
	m.Enter()
	if b.Owner != nil {
		b.checkOwner(m, a)
	}
	v := b.run(m, a)
	m.Leave() // after an exception Try does it
	return v
}

func (b *Builtin) run(m *Machine, a Args) Value {
	if b.Raw != nil {
		return b.Raw(m, a)
	}
	if len(a.Kw) == 0 && len(a.Pos) == len(b.Params) {
		return b.Fn(m, a.Pos)
	}
	return b.Fn(m, Bind(m, b.Name, b.Params, b.Method, a))
}

func (b *Builtin) checkOwner(m *Machine, a Args) {
	if len(a.Pos) == 0 {
		Raise(m, TypeError, "unbound method %s.%s() needs an argument", b.Owner.Name, b.Name)
	}
	if t := a.Pos[0].Type(); t != b.Owner && !t.Is(b.Owner) {
		Raise(m, TypeError, "descriptor '%s' for '%s' objects doesn't apply to a '%s' object", b.Name, b.Owner.Name, t.FullName())
	}
}

// Bind returns a value for every parameter of a function in Go. hidden says that the
// first one is the object of a method, which messages do not count.
func Bind(m *Machine, name string, params []string, hidden bool, a Args) []Value {
	out := make([]Value, len(params))
	first := 0
	if hidden {
		first = 1
	}
	if len(a.Pos) > len(params) {
		switch n := len(params) - first; {
		case n == 0:
			Raise(m, TypeError, "%s() takes no arguments (%d given)", name, len(a.Pos)-first)
		default:
			Raise(m, TypeError, "%s() takes at most %s (%d given)", name, plural(n, "argument"), len(a.Pos)-first)
		}
	}
	copy(out, a.Pos)
next:
	for _, k := range a.Kw {
		for i, p := range params {
			if strings.TrimSuffix(p, "=") == k.Name && i >= first {
				if out[i] != nil {
					Raise(m, TypeError, "argument for %s() given by name ('%s') and position (%d)", name, k.Name, i+1-first)
				}
				out[i] = k.Value
				continue next
			}
		}
		Raise(m, TypeError, "'%s' is an invalid keyword argument for %s()", k.Name, name)
	}
	for i, p := range params {
		if out[i] == nil && !strings.HasSuffix(p, "=") {
			Raise(m, TypeError, "%s() missing required argument '%s' (pos %d)", name, p, i+1-first)
		}
	}
	return out
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Bound is a method together with its object.
type Bound struct {
	Self Value
	Func Callable
}

// Type is that of methods.
func (*Bound) Type() *Type { return MethodType }

// Call puts the object before the arguments.
func (b *Bound) Call(m *Machine, a Args) Value {
	if _, again := b.Func.(*Bound); again { // classmethod makes chains of any length
		m.Enter()
		defer m.Leave()
	}
	return b.Func.Call(m, Args{Pos: append([]Value{b.Self}, a.Pos...), Kw: a.Kw})
}

// Each calls f for object and function.
func (b *Bound) Each(f func(Value)) int { f(b.Self); f(b.Func); return 48 }

// Wrapped is what staticmethod(f), classmethod(f) and property(f, …) return.
type Wrapped struct {
	Kind        *Type
	Func        Value // of a property: its getter
	Set, Delete Value
}

// Type is staticmethod, classmethod or property.
func (w *Wrapped) Type() *Type { return w.Kind }

// Each calls f for the functions inside.
func (w *Wrapped) Each(f func(Value)) int {
	for _, v := range []Value{w.Func, w.Set, w.Delete} {
		if v != nil {
			f(v)
		}
	}
	return 64
}

// Call calls any value.
func Call(m *Machine, f Value, args ...Value) Value {
	return CallArgs(m, f, Args{Pos: args})
}

// CallArgs calls any value with all kinds of arguments.
func CallArgs(m *Machine, f Value, a Args) Value {
	if c, ok := f.(Callable); ok {
		return c.Call(m, a)
	}
	if c, ok := f.Type().Lookup("__call__").(Callable); ok {
		return c.Call(m, Args{Pos: append([]Value{f}, a.Pos...), Kw: a.Kw})
	}
	Raise(m, TypeError, "'%s' object is not callable", f.Type().Name)
	return nil
}

// Special calls a method like __len__ that a script defined for the class of v; ok is
// false when there is none.
func Special(m *Machine, v Value, name string, args ...Value) (result Value, ok bool) {
	t := v.Type()
	if !t.User {
		return nil, false
	}
	f := t.Lookup(name)
	if f == nil || f == None {
		return nil, false
	}
	if b, native := f.(*Builtin); native {
		if _, object := v.(*Instance); !object {
			return nil, false // of a tuple or dict: what Go does anyway
		}
		return b.Call(m, Args{Pos: append([]Value{v}, args...)}), true
	}
	return CallArgs(m, f, Args{Pos: append([]Value{v}, args...)}), true
}

// Call makes an instance. It counts as a call: an __init__ may be the class itself.
func (t *Type) Call(m *Machine, a Args) Value {
	m.Step()
	m.Enter()
	for _, b := range t.mro {
		if b.New != nil {
			v := b.New(m, t, a)
			m.Leave() // after an exception Try does it
			return v
		}
	}
	Raise(m, TypeError, "cannot create '%s' instances", t.FullName())
	return nil
}
