package py

// NotImplemented is what a method returns for operands that it does not know.
var NotImplemented Value = &Instance{Class: NewType("NotImplementedType", ObjectType)}

// Truth is bool(v).
func Truth(m *Machine, v Value) bool {
	switch v := v.(type) {
	case Bool:
		return bool(v)
	case NoneType:
		return false
	case Int:
		return v != 0
	case Float:
		return v != 0
	case Str:
		return v != ""
	case Bytes:
		return v != ""
	case *ByteArray:
		return len(v.V) > 0
	case *List:
		return len(v.Items) > 0
	case *Tuple:
		return len(v.Items) > 0
	case *Dict:
		return v.live > 0
	case *Set:
		return v.D.live > 0
	case *View:
		return v.D.live > 0
	case *Range:
		return v.N > 0
	case *Instance:
		if r, ok := Special(m, v, "__bool__"); ok {
			return r == Bool(true)
		}
		if r, ok := Special(m, v, "__len__"); ok {
			return r != Int(0)
		}
	case Lengther:
		return v.Len() > 0
	case Truther:
		return v.Truth()
	}
	return true
}

// Lengther is a value of a module that has a length.
type Lengther interface {
	Value
	Len() int
}

// Truther is a value of a module that may be false.
type Truther interface {
	Value
	Truth() bool
}
