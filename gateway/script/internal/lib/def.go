package lib

import (
	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// def describes a function of a module, as in package builtin.
type def struct {
	name   string
	params string
	fn     func(m *py.Machine, a []py.Value) py.Value
}

// functions makes the items of a module.
func functions(defs []def, others map[string]py.Value) map[string]py.Value {
	items := map[string]py.Value{}
	for _, d := range defs {
		items[d.name] = builtin.Function(d.name, d.params, d.fn)
	}
	for name, v := range others {
		items[name] = v
	}
	return items
}

func methods(t *py.Type, defs []def) {
	for _, d := range defs {
		builtin.Method(t, d.name, d.params, d.fn)
	}
}

// float is a number as a float.
func float(m *py.Machine, v py.Value) float64 {
	if !ops.IsNumber(v) {
		if r, special := py.Special(m, v, "__float__"); special {
			v = r
		}
	}
	if !ops.IsNumber(v) {
		py.Raise(m, py.TypeError, "must be real number, not %s", v.Type().FullName())
	}
	return ops.Number(m, v)
}

// data are the bytes of bytes, bytearray, or a text in ASCII.
func data(m *py.Machine, v py.Value) string {
	if s, ok := v.(py.Str); ok {
		return string(s)
	}
	s, ok := py.ToBytes(v)
	if !ok {
		py.Raise(m, py.TypeError, "a bytes-like object is required, not '%s'", v.Type().FullName())
	}
	return s
}
