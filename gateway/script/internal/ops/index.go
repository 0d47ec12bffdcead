package ops

import (
	"math"
	"unicode/utf8"

	"pithings/gateway/script/internal/py"
)

// Indexable is a value of a module that has items.
type Indexable interface {
	py.Value
	Index(m *py.Machine, key py.Value) py.Value
}

// Assignable is an Indexable whose items can be set and, with a nil value, deleted.
type Assignable interface {
	py.Value
	SetIndex(m *py.Machine, key, value py.Value)
}

// Index is "v[key]".
func Index(m *py.Machine, v, key py.Value) py.Value {
	if s, ok := key.(*py.Slice); ok {
		if r := sliceOf(m, v, s); r != nil {
			return r
		}
	}
	switch x := v.(type) {
	case *py.Dict:
		return lookup(m, x, key)
	case *py.List:
		return x.Items[Position(m, len(x.Items), key, "list index", "list indices")]
	case *py.Tuple:
		return x.Items[Position(m, len(x.Items), key, "tuple index", "tuple indices")]
	case py.Str:
		return character(m, string(x), key)
	case py.Bytes, *py.ByteArray:
		b, _ := py.ToBytes(v)
		return py.Int(b[Position(m, len(b), key, v.Type().Name+" index", v.Type().Name+" indices")])
	case *py.Range:
		return rangeItem(m, x, key)
	case Indexable:
		return x.Index(m, key)
	}
	if r, ok := py.Special(m, v, "__getitem__", key); ok {
		return r
	}
	py.Raise(m, py.TypeError, "'%s' object is not subscriptable", v.Type().FullName())
	return nil
}

func rangeItem(m *py.Machine, r *py.Range, key py.Value) py.Value {
	if r.N <= math.MaxInt32 {
		return py.Int(r.Start + int64(Position(m, int(r.N), key, "range object index", "range indices"))*r.Step)
	}
	i, ok := py.ToInt(key)
	if i < 0 {
		i += r.N
	}
	if !ok || i < 0 || i >= r.N {
		py.Raise(m, py.IndexError, "range object index out of range")
	}
	return py.Int(r.Start + i*r.Step)
}

func lookup(m *py.Machine, d *py.Dict, key py.Value) py.Value {
	if v := d.Get(m, key); v != nil {
		return v
	}
	if d.Factory != nil && d.Factory != py.None {
		v := py.Call(m, d.Factory)
		d.Set(m, key, v)
		return v
	}
	if d.Class != nil {
		if missing, ok := d.Class.Lookup("__missing__").(py.Callable); ok {
			return py.Call(m, missing, d, key)
		}
	}
	py.RaiseKey(m, key)
	return nil
}

// Position turns an index into a place among n items, or raises.
func Position(m *py.Machine, n int, key py.Value, what, plural string) int {
	i, ok := py.ToInt(key)
	if !ok {
		if r, special := py.Special(m, key, "__index__"); special {
			i, ok = py.ToInt(r)
		}
		if _, large := key.(*py.Big); large {
			py.Raise(m, py.IndexError, "cannot fit 'int' into an index-sized integer")
		}
	}
	if !ok {
		py.Raise(m, py.TypeError, "%s must be integers or slices, not %s", plural, key.Type().FullName())
	}
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		py.Raise(m, py.IndexError, "%s out of range", what)
	}
	return int(i)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func character(m *py.Machine, s string, key py.Value) py.Value {
	if isASCII(s) {
		i := Position(m, len(s), key, "string index", "string indices")
		return py.Str(s[i : i+1])
	}
	m.Work(len(s) / 64)
	i := Position(m, utf8.RuneCountInString(s), key, "string index", "string indices")
	for ; i > 0; i-- {
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:]
	}
	_, n := utf8.DecodeRuneInString(s)
	return py.Str(s[:n])
}

// SetIndex is "v[key] = value".
func SetIndex(m *py.Machine, v, key, value py.Value) {
	switch x := v.(type) {
	case *py.Dict:
		x.Set(m, key, value)
		return
	case *py.List:
		if s, ok := key.(*py.Slice); ok {
			setSlice(m, x, s, Fresh(m, value))
			return
		}
		x.Items[Position(m, len(x.Items), key, "list assignment index", "list indices")] = value
		return
	case *py.ByteArray:
		i := Position(m, len(x.V), key, "bytearray index", "bytearray indices")
		x.V[i] = Byte(m, value)
		return
	case Assignable:
		x.SetIndex(m, key, value)
		return
	}
	if _, ok := py.Special(m, v, "__setitem__", key, value); ok {
		return
	}
	py.Raise(m, py.TypeError, "'%s' object does not support item assignment", v.Type().FullName())
}

// Byte is an integer from 0 to 255.
func Byte(m *py.Machine, v py.Value) byte {
	i, ok := py.ToInt(v)
	if !ok {
		py.Raise(m, py.TypeError, "'%s' object cannot be interpreted as an integer", v.Type().FullName())
	}
	if i < 0 || i > 255 {
		py.Raise(m, py.ValueError, "byte must be in range(0, 256)")
	}
	return byte(i)
}

// DelIndex is "del v[key]".
func DelIndex(m *py.Machine, v, key py.Value) {
	switch x := v.(type) {
	case *py.Dict:
		if x.Delete(m, key) == nil {
			py.RaiseKey(m, key)
		}
		return
	case *py.List:
		if s, ok := key.(*py.Slice); ok {
			delSlice(m, x, s)
			return
		}
		i := Position(m, len(x.Items), key, "list assignment index", "list indices")
		x.Items = append(x.Items[:i], x.Items[i+1:]...)
		return
	case Assignable:
		x.SetIndex(m, key, nil)
		return
	}
	if _, ok := py.Special(m, v, "__delitem__", key); ok {
		return
	}
	py.Raise(m, py.TypeError, "'%s' object doesn't support item deletion", v.Type().FullName())
}
