package py

import (
	"math"
	"math/big"
)

// Value is a value of a script.
type Value interface {
	// Type is what type(x) returns.
	Type() *Type
}

type (
	// NoneType has one value, None.
	NoneType struct{}
	// EllipsisType has one value, "...".
	EllipsisType struct{}
	// Bool is True or False.
	Bool bool
	// Int is an integer of 64 bits. Larger ones are *Big.
	Int int64
	// Big is an integer that does not fit into an Int. It is never changed.
	Big struct{ V *big.Int }
	// Float is a floating-point number.
	Float float64
	// Str is text in UTF-8.
	Str string
	// Bytes are bytes that do not change.
	Bytes string
	// ByteArray are bytes that change.
	ByteArray struct{ V []byte }
	// Tuple is a sequence that does not change. Class is nil, or the class of a named tuple.
	Tuple struct {
		Items []Value
		Class *Type
	}
	// List is a sequence that changes.
	List struct{ Items []Value }
	// Range is range(Start, Stop, Step) of N numbers.
	Range struct{ Start, Stop, Step, N int64 }
	// Slice is Low:High:Step between square brackets; each may be nil.
	Slice struct{ Low, High, Step Value }
	// Iter yields values until ok is false.
	Iter struct {
		Next  func() (v Value, ok bool)
		Name  string  // of its type
		Over  []Value // what it keeps alive
		type_ *Type
	}
	// Module is what import binds.
	Module struct {
		Name  string
		Items map[string]Value
	}
)

// None and Ellipsis are the values of their types.
var (
	None     = NoneType{}
	Ellipsis = EllipsisType{}
)

// The types of values that Go knows.
var (
	ObjectType    = NewType("object")
	TypeType      = NewType("type", ObjectType)
	NoneTypeType  = NewType("NoneType", ObjectType)
	EllipsisT     = NewType("ellipsis", ObjectType)
	IntType       = NewType("int", ObjectType)
	BoolType      = NewType("bool", IntType)
	FloatType     = NewType("float", ObjectType)
	StrType       = NewType("str", ObjectType)
	BytesType     = NewType("bytes", ObjectType)
	ByteArrayType = NewType("bytearray", ObjectType)
	TupleType     = NewType("tuple", ObjectType)
	ListType      = NewType("list", ObjectType)
	DictType      = NewType("dict", ObjectType)
	SetType       = NewType("set", ObjectType)
	FrozenSetType = NewType("frozenset", ObjectType)
	RangeType     = NewType("range", ObjectType)
	SliceType     = NewType("slice", ObjectType)
	ModuleType    = NewType("module", ObjectType)
	FunctionType  = NewType("function", ObjectType)
	BuiltinType   = NewType("builtin_function_or_method", ObjectType)
	MethodType    = NewType("method", ObjectType)
	IterType      = NewType("iterator", ObjectType)
	PropertyType  = NewType("property", ObjectType)
	StaticType    = NewType("staticmethod", ObjectType)
	ClassMethodT  = NewType("classmethod", ObjectType)
	SuperType     = NewType("super", ObjectType)
)

func (NoneType) Type() *Type     { return NoneTypeType }
func (EllipsisType) Type() *Type { return EllipsisT }
func (Bool) Type() *Type         { return BoolType }
func (Int) Type() *Type          { return IntType }
func (*Big) Type() *Type         { return IntType }
func (Float) Type() *Type        { return FloatType }
func (Str) Type() *Type          { return StrType }
func (Bytes) Type() *Type        { return BytesType }
func (*ByteArray) Type() *Type   { return ByteArrayType }
func (*List) Type() *Type        { return ListType }
func (*Range) Type() *Type       { return RangeType }
func (*Slice) Type() *Type       { return SliceType }
func (*Module) Type() *Type      { return ModuleType }

// Type is tuple, or the class of the named tuple.
func (t *Tuple) Type() *Type {
	if t.Class != nil {
		return t.Class
	}
	return TupleType
}

// Type is iterator under the name of what it goes through.
func (i *Iter) Type() *Type {
	if i.type_ == nil {
		if i.type_ = IterType; i.Name != "" {
			i.type_ = NewType(i.Name, IterType)
		}
	}
	return i.type_
}

// NewList returns a list of items.
func NewList(items ...Value) *List { return &List{Items: items} }

// NewTuple returns a tuple of items.
func NewTuple(items ...Value) *Tuple { return &Tuple{Items: items} }

// NewInt returns the integer, in its smallest form. It keeps b if b is large.
func NewInt(b *big.Int) Value {
	if b.IsInt64() {
		return Int(b.Int64())
	}
	return &Big{b}
}

// Container is a value that keeps others alive.
type Container interface {
	Value
	// Each calls f for every value inside, and returns the bytes of the container itself.
	Each(f func(Value)) int
}

func each(items []Value, f func(Value)) {
	for _, v := range items {
		f(v)
	}
}

// Each calls f for the items.
func (t *Tuple) Each(f func(Value)) int { each(t.Items, f); return 40 + 16*len(t.Items) }

// Each calls f for the items.
func (l *List) Each(f func(Value)) int { each(l.Items, f); return 40 + 16*cap(l.Items) }

// Each calls f for what the iterator goes through.
func (i *Iter) Each(f func(Value)) int { each(i.Over, f); return 96 }

// Same reports whether a and b are one object: "a is b".
func Same(a, b Value) bool {
	switch x := a.(type) {
	case Str:
		y, ok := b.(Str)
		return ok && x == y
	case Float: // a NaN is itself, though it equals nothing
		y, ok := b.(Float)
		return ok && math.Float64bits(float64(x)) == math.Float64bits(float64(y))
	case *Tuple:
		y, ok := b.(*Tuple)
		return ok && (x == y || len(x.Items) == 0 && len(y.Items) == 0)
	}
	return a == b
}
