package builtin

import (
	"strings"

	"pithings/gateway/script/internal/py"
)

// def describes a function in Go: its parameters are separated by blanks, and those that
// end in "=" may be left out. A method's first one is the object.
type def struct {
	name   string
	params string
	fn     func(m *py.Machine, a []py.Value) py.Value
}

func (d def) function() *py.Builtin { return Function(d.name, d.params, d.fn) }

// Function makes a function of one in Go. Its parameters are separated by blanks, and those
// that end in "=" may be left out.
func Function(name, params string, fn func(m *py.Machine, a []py.Value) py.Value) *py.Builtin {
	return &py.Builtin{Name: name, Params: strings.Fields(params), Fn: fn}
}

// Method adds a method to a type. Its first parameter is "self", or "cls" for one of the
// class itself.
func Method(t *py.Type, name, params string, fn func(m *py.Machine, a []py.Value) py.Value) {
	install(t, []def{{name, params, fn}})
}

// install makes methods of a type.
func install(t *py.Type, defs []def) {
	if t.Attrs == nil {
		t.Attrs = map[string]py.Value{}
	}
	for _, d := range defs {
		b := d.function()
		b.Method, b.Owner = true, t
		if b.Params[0] == "cls" {
			b.Method, b.Class, b.Owner = false, true, nil
		}
		t.Attrs[d.name] = b
	}
}

// The arguments of functions, as Go has them.

// Text is a text; what names it in the exception if it is none.
func Text(m *py.Machine, v py.Value, what string) string {
	s, ok := v.(py.Str)
	if !ok {
		py.Raise(m, py.TypeError, "%s must be str, not %s", what, v.Type().FullName())
	}
	return string(s)
}

// Integer is an integer of at most 32 bits; larger ones are cut.
func Integer(m *py.Machine, v py.Value) int {
	if i, ok := py.ToInt(v); ok {
		return int(max(min(i, 1<<31-1), -1<<31))
	}
	if r, ok := py.Special(m, v, "__index__"); ok {
		return Integer(m, r)
	}
	if _, ok := v.(*py.Big); ok {
		py.Raise(m, py.OverflowError, "Python int too large to convert to C ssize_t")
	}
	py.Raise(m, py.TypeError, "'%s' object cannot be interpreted as an integer", v.Type().FullName())
	return 0
}

// OptionalInt is an Integer, or absent for None and for what was left out.
func OptionalInt(m *py.Machine, v py.Value, absent int) int {
	if v == nil || v == py.None {
		return absent
	}
	return Integer(m, v)
}

// Given reports whether an argument is neither left out nor None.
func Given(v py.Value) bool { return v != nil && v != py.None }
