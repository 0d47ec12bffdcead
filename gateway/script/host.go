package script

import (
	"context"
	"errors"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// Module is what a script can import from a module of the host, by name.
type Module map[string]Value

// Call is a call of a function of the host.
type Call struct {
	Name string
	Args []Value
	Keys []Key
	m    *py.Machine
}

// Key is a keyword argument.
type Key struct {
	Name  string
	Value Value
}

// Bind returns a value for each parameter. Parameters whose names end in "=" may be left
// out: theirs are nil. A wrong call returns an error that raises TypeError in the script.
func (c *Call) Bind(params ...string) (args []Value, err error) {
	a := py.Args{Pos: c.Args}
	for _, k := range c.Keys {
		a.Kw = append(a.Kw, py.Kw{Name: k.Name, Value: k.Value})
	}
	if r := c.inside(func() { args = py.Bind(c.m, c.Name, params, false, a) }); r != nil {
		return nil, &raised{r}
	}
	return args, nil
}

// Run calls a function of the script from inside a function of the host, as part of the
// same call and under its limits.
func (c *Call) Run(f Value, args ...Value) (v Value, err error) {
	if r := c.inside(func() { v = py.Call(c.m, f, args...) }); r != nil {
		return nil, &raised{r}
	}
	return v, nil
}

// inside computes for the script, and returns what it has raised.
func (c *Call) inside(compute func()) (r *py.Raised) {
	c.m.Inside(func() { r = py.Try(c.m, compute) })
	return r
}

// Charge counts bytes that the host takes on behalf of the script, before it takes them.
// Too many end the script.
func (c *Call) Charge(bytes int) { c.m.Alloc(bytes) }

// Text is what str(v) returns in the script.
func (c *Call) Text(v Value) (text string) {
	c.m.Inside(func() { text = ops.ToStr(c.m, v) })
	return text
}

// raised is an exception that a function of the host lets pass.
type raised struct{ r *py.Raised }

func (r *raised) Error() string { return exceptionName(r.r) }

// Exception returns an error that raises an exception of Python in the script, by its
// name: "ValueError". A name that Python does not have raises RuntimeError.
func Exception(name, text string) error { return &exception{name, text} }

type exception struct{ name, text string }

func (e *exception) Error() string { return e.name + ": " + e.text }

// NewFunc returns a function of the host. An error that it returns is raised in the script:
// one of Exception as that, any other as RuntimeError. The context of f ends when the time
// of the call does; f has to return then, and the script ends.
func NewFunc(name string, f func(ctx context.Context, c *Call) (Value, error)) Value {
	return &py.Builtin{Name: name, Raw: func(m *py.Machine, a py.Args) Value {
		c := &Call{Name: name, Args: a.Pos, m: m}
		for _, k := range a.Kw {
			c.Keys = append(c.Keys, Key(k))
		}
		ctx, cancel := context.WithDeadline(m.Ctx, m.Deadline())
		var v Value
		var err error
		m.Outside(func() {
			defer cancel()
			v, err = f(ctx, c)
		})
		m.Work(0) // the time of the call may be over, whatever f made of that
		if err != nil {
			raise(m, err)
		}
		if v == nil {
			return None
		}
		return v
	}}
}

// raise raises an error of the host in the script.
func raise(m *py.Machine, err error) {
	var r *raised
	if errors.As(err, &r) {
		panic(r.r)
	}
	var e *exception
	if errors.As(err, &e) {
		for _, t := range py.Exceptions {
			if t.Name == e.name {
				py.Raise(m, t, "%s", e.text)
			}
		}
	}
	py.Raise(m, py.RuntimeError, "%s", err.Error())
}

// NewObject returns an object of the host with attributes, most of them functions. A script
// sees it under the name of its type, and cannot change it.
func NewObject(typeName string, attrs map[string]Value) Value {
	o := &py.Instance{Class: py.NewType(typeName, py.ObjectType), Native: typeName}
	for name, v := range attrs {
		o.Attrs.Set(name, v)
	}
	return o
}

// Params returns the names of the positional parameters of a function of a script; ok is
// false for all else.
func Params(f Value) (names []string, ok bool) {
	fn, ok := f.(interface{ Params() []string })
	if !ok {
		return nil, false
	}
	return fn.Params(), true
}
