// Package builtin has the functions and types that every script sees, with the methods of
// the types.
package builtin

import (
	"maps"
	"slices"
	"sync"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// table makes all names at the first use, so that an agent without scripts has none of them.
var table = sync.OnceValue(func() map[string]py.Value {
	names := map[string]py.Value{"NotImplemented": py.NotImplemented, "Ellipsis": py.Ellipsis, "__name__": py.Str("__main__")}
	for _, t := range py.Exceptions {
		names[t.Name] = t
	}
	names["IOError"], names["EnvironmentError"] = py.OSError, py.OSError
	for _, defs := range [][]def{basics, iteration, numeric} {
		for _, d := range defs {
			names[d.name] = d.function()
		}
	}
	for _, b := range rawIteration() {
		names[b.Name] = b
	}
	types()
	for _, t := range []*py.Type{
		py.ObjectType, py.TypeType, py.IntType, py.BoolType, py.FloatType, py.StrType, py.BytesType, py.ByteArrayType, py.TupleType, py.ListType,
		py.DictType, py.SetType, py.FrozenSetType, py.RangeType, py.SliceType, py.PropertyType, py.StaticType, py.ClassMethodT, py.SuperType,
	} {
		names[t.Name] = t
	}
	return names
})

// Lookup returns what a name means that a script does not assign, or nil.
func Lookup(name string) py.Value { return table()[name] }

// types gives the types their constructors and methods.
func types() {
	for t, f := range constructors {
		t.New = f
	}
	install(py.BaseException, exceptionMethods)
	install(py.IntType, intMethods)
	install(py.FloatType, floatMethods)
	install(py.StrType, strMethods)
	install(py.StrType, strTests)
	install(py.BytesType, bytesMethods)
	install(py.ByteArrayType, bytesMethods)
	install(py.ByteArrayType, byteArrayMethods)
	install(py.ListType, listMethods)
	install(py.TupleType, tupleMethods)
	install(py.DictType, dictMethods)
	install(py.SetType, setMethods)
	install(py.SetType, setChanges)
	install(py.FrozenSetType, setMethods)
	install(py.RangeType, tupleMethods)
	install(py.IterType, iterMethods)
	install(py.PropertyType, propertyMethods)
	for t, b := range map[*py.Type]*py.Builtin{py.StrType: formatMethod(), py.DictType: updateMethod()} {
		b.Owner = t
		t.Attrs[b.Name] = b
	}
	for t, b := range initMethods() {
		install(t, nil)
		b.Owner = t
		t.Attrs["__init__"] = b
	}
	install(fileType, fileMethods)
	for _, t := range []*py.Type{py.IntType, py.FloatType} {
		t.Attrs["real"] = property(func(m *py.Machine, a []py.Value) py.Value { return ops.Unary(m, "+", a[0]) })
	}
	py.IntType.Attrs["numerator"] = py.IntType.Attrs["real"]
	py.IntType.Attrs["denominator"] = property(func(*py.Machine, []py.Value) py.Value { return py.Int(1) })
	py.IntType.Attrs["imag"] = property(func(*py.Machine, []py.Value) py.Value { return py.Int(0) })
	py.FloatType.Attrs["imag"] = property(func(*py.Machine, []py.Value) py.Value { return py.Float(0) })
}

// property returns an attribute that is computed.
func property(get func(m *py.Machine, a []py.Value) py.Value) *py.Wrapped {
	return &py.Wrapped{Kind: py.PropertyType, Func: &py.Builtin{Name: "get", Params: []string{"self"}, Fn: get}}
}

// Names are all that Lookup knows, in order.
func Names() []string { return slices.Sorted(maps.Keys(table())) }
