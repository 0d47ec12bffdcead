package script

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"

	"pithings/gateway/script/internal/py"
)

// Value is a value of a script. Hosts make and read the types below; all others are the
// script's own.
type Value = py.Value

// The values that hosts exchange with scripts.
type (
	Bool  = py.Bool
	Int   = py.Int
	Float = py.Float
	Str   = py.Str
	Bytes = py.Bytes
	// BigInt is an integer that does not fit into an Int.
	BigInt = py.Big
	// List and Tuple have their items in Items.
	List  = py.List
	Tuple = py.Tuple
	// Dict keeps its keys in order: see NewDict, SetStr, GetStr, Len, and At to go through.
	Dict = py.Dict
)

// None is None.
var None Value = py.None

// NewDict returns an empty dict.
func NewDict() *Dict { return py.NewDict() }

// NewDictSize returns an empty dict that n keys fit in without growing.
func NewDictSize(n int) *Dict { return py.NewDictOf(nil, n) }

// Shape makes dicts that have the same keys.
type Shape struct {
	keys   []Value
	hashes []uint32
}

// NewShape returns the shape of dicts with these keys.
func NewShape(keys ...string) *Shape {
	s := &Shape{}
	for _, k := range keys {
		s.keys, s.hashes = append(s.keys, Str(k)), append(s.hashes, py.HashText(k))
	}
	return s
}

// Dict returns a dict with a value for each key.
func (s *Shape) Dict(values ...Value) *Dict {
	d := NewDictSize(len(s.keys))
	for i, k := range s.keys {
		d.SetHashed(nil, k, values[i], s.hashes[i])
	}
	return d
}

// NewList returns a list.
func NewList(items ...Value) *List { return py.NewList(items...) }

// NewTuple returns a tuple.
func NewTuple(items ...Value) *Tuple { return py.NewTuple(items...) }

// TypeName is the name that a script sees of the type of v: "int", "dict".
func TypeName(v Value) string { return v.Type().Name }

// Size estimates the bytes of a value with all that it keeps alive: what Call.Charge takes
// for a value that the host makes.
func Size(v Value) int { return py.Size(v) }

// maxNesting is how deep values may nest that come from Go or go there.
const maxNesting = 100

// FromGo returns the value that a script sees of a value of Go: nil, bools, numbers,
// json.Number, *big.Int, strings, []byte, slices, maps with string keys (in order of the
// keys), and Values themselves.
func FromGo(v any) (Value, error) { return fromGo(v, 0) }

func fromGo(v any, depth int) (Value, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("script: a value nests more than %d levels", maxNesting)
	}
	switch v := v.(type) {
	case nil:
		return None, nil
	case Value:
		return v, nil
	case bool:
		return Bool(v), nil
	case int:
		return Int(v), nil
	case int64:
		return Int(v), nil
	case float64:
		return Float(v), nil
	case string:
		return Str(v), nil
	case []byte:
		return Bytes(v), nil
	case json.Number:
		return fromNumber(v)
	case *big.Int:
		return py.NewInt(new(big.Int).Set(v)), nil
	}
	return fromReflected(reflect.ValueOf(v), depth)
}

func fromNumber(n json.Number) (Value, error) {
	if b, ok := new(big.Int).SetString(string(n), 10); ok {
		return py.NewInt(b), nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return nil, fmt.Errorf("script: %q is not a number: %w", n, err)
	}
	return Float(f), nil
}

func fromReflected(v reflect.Value, depth int) (Value, error) {
	switch v.Kind() {
	case reflect.Bool:
		return Bool(v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Int(v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return py.NewInt(new(big.Int).SetUint64(v.Uint())), nil
	case reflect.Float32, reflect.Float64:
		return Float(v.Float()), nil
	case reflect.String:
		return Str(v.String()), nil
	case reflect.Slice, reflect.Array:
		l := &List{}
		for i := range v.Len() {
			item, err := fromGo(v.Index(i).Interface(), depth+1)
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items, item)
		}
		return l, nil
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			break
		}
		d := NewDict()
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int {
			return slices.Compare([]byte(a.String()), []byte(b.String()))
		})
		for _, k := range keys {
			item, err := fromGo(v.MapIndex(k).Interface(), depth+1)
			if err != nil {
				return nil, err
			}
			d.SetStr(k.String(), item)
		}
		return d, nil
	}
	return nil, fmt.Errorf("script: a script has no value for Go's %v", v.Type())
}
