package py

import (
	"math"
	"math/big"
)

// ToBig returns an integer or Bool as a big integer, or nil. The result must not be changed.
func ToBig(v Value) *big.Int {
	switch v := v.(type) {
	case Int:
		return big.NewInt(int64(v))
	case Bool:
		if v {
			return big.NewInt(1)
		}
		return new(big.Int)
	case *Big:
		return v.V
	}
	return nil
}

// ToInt returns an Int or Bool.
func ToInt(v Value) (int64, bool) {
	switch v := v.(type) {
	case Int:
		return int64(v), true
	case Bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// ToFloat returns a number as a float; an integer too large is an infinity.
func ToFloat(v Value) (float64, bool) {
	switch v := v.(type) {
	case Float:
		return float64(v), true
	case Int:
		return float64(v), true
	case Bool:
		if v {
			return 1, true
		}
		return 0, true
	case *Big:
		f, _ := new(big.Float).SetInt(v.V).Float64()
		return f, true
	}
	return 0, false
}

// CompareFloatInt compares a float with an integer exactly; ok is false for NaN.
func CompareFloatInt(f float64, i *big.Int) (order int, ok bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case math.IsInf(f, 0):
		if f > 0 {
			return 1, true
		}
		return -1, true
	}
	return new(big.Float).SetFloat64(f).Cmp(new(big.Float).SetInt(i)), true
}

// Comparer is a value of a module that compares itself with others.
type Comparer interface {
	Value
	// Compare returns less than 0, 0, or more. ok is false when they cannot be compared.
	Compare(other Value) (order int, ok bool)
}

// Equal is "a == b".
func Equal(m *Machine, a, b Value) bool {
	switch x := a.(type) {
	case Str:
		if y, ok := b.(Str); ok {
			return x == y
		}
	case Int:
		if y, ok := b.(Int); ok {
			return x == y
		}
	case Float:
		if y, ok := b.(Float); ok {
			return x == y
		}
	case NoneType:
		if b == None {
			return true
		}
	}
	if a.Type().User || b.Type().User {
		if r, ok := Special(m, a, "__eq__", b); ok && r != NotImplemented {
			return Truth(m, r)
		}
		if r, ok := Special(m, b, "__eq__", a); ok && r != NotImplemented {
			return Truth(m, r)
		}
	}
	return equalNative(m, a, b)
}

func equalNative(m *Machine, a, b Value) bool {
	switch x := a.(type) {
	case Int, Bool, *Big, Float:
		return equalNumbers(a, b)
	case Bytes, *ByteArray:
		p, _ := ToBytes(a)
		q, ok := ToBytes(b)
		return ok && p == q
	case *List:
		y, ok := b.(*List)
		return ok && (x == y || equalItems(m, x.Items, y.Items))
	case *Tuple:
		y, ok := b.(*Tuple)
		return ok && (x == y || equalItems(m, x.Items, y.Items))
	case *Dict:
		y, ok := b.(*Dict)
		return ok && (x == y || equalDicts(m, x, y))
	case *Set:
		y, ok := b.(*Set)
		return ok && equalSets(m, x, y)
	case *View:
		y, ok := b.(*View)
		if !ok || x.Kind == 'v' || x.Kind != y.Kind {
			return x == b
		}
		return x.Kind == 'k' && x.D.live == y.D.live && isSubset(m, x.D, y.D) || x.Kind == 'i' && equalDicts(m, x.D, y.D)
	case *Range:
		y, ok := b.(*Range)
		return ok && x.N == y.N && (x.N == 0 || x.Start == y.Start && (x.N == 1 || x.Step == y.Step))
	case *Instance:
		return a == b
	case Comparer:
		order, ok := x.Compare(b)
		return ok && order == 0
	}
	return a == b
}

func equalNumbers(a, b Value) bool {
	f, aFloat := a.(Float)
	g, bFloat := b.(Float)
	switch {
	case aFloat && bFloat:
		return f == g
	case aFloat:
		return equalFloatInt(float64(f), b)
	case bFloat:
		return equalFloatInt(float64(g), a)
	}
	x, xOK := ToInt(a)
	y, yOK := ToInt(b)
	if xOK && yOK {
		return x == y
	}
	p, q := ToBig(a), ToBig(b)
	return p != nil && q != nil && p.Cmp(q) == 0
}

func equalFloatInt(f float64, v Value) bool {
	i := ToBig(v)
	if i == nil {
		return false
	}
	order, ok := CompareFloatInt(f, i)
	return ok && order == 0
}

func equalItems(m *Machine, a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	m.Enter()
	defer m.Leave()
	for i := range a {
		m.Step()
		if i >= len(b) || !Same(a[i], b[i]) && !Equal(m, a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalDicts(m *Machine, a, b *Dict) bool {
	if a.live != b.live {
		return false
	}
	m.Enter()
	defer m.Leave()
	for i := 0; ; {
		key, v, next := a.At(i)
		if key == nil {
			return true
		}
		i = next
		m.Step()
		w := b.Get(m, key)
		if w == nil || !Same(v, w) && !Equal(m, v, w) {
			return false
		}
	}
}

func equalSets(m *Machine, a, b *Set) bool {
	m.Enter()
	defer m.Leave()
	return a.D.live == b.D.live && isSubset(m, &a.D, &b.D)
}

// isSubset reports whether b has all keys of a.
func isSubset(m *Machine, a, b *Dict) bool {
	for i := 0; ; {
		key, _, next := a.At(i)
		if key == nil {
			return true
		}
		i = next
		m.Step()
		if b.find(m, key, Hash(m, key)) < 0 {
			return false
		}
	}
}

// ToBytes returns the bytes of bytes or bytearray.
func ToBytes(v Value) (string, bool) {
	switch v := v.(type) {
	case Bytes:
		return string(v), true
	case *ByteArray:
		return string(v.V), true
	}
	return "", false
}
