package py

import (
	"hash/maphash"
	"math"
	"math/big"
	"math/bits"
)

var seed = maphash.MakeSeed()

// Hash returns the hash of a key. Equal values have equal hashes; it raises TypeError for
// a value that can change.
func Hash(m *Machine, v Value) uint32 {
	switch v := v.(type) {
	case Str:
		return hashString(string(v))
	case Int:
		return hashInt(int64(v))
	case Bool:
		if v {
			return hashInt(1)
		}
		return hashInt(0)
	case Float:
		// One that is an integer is the same key as that integer, however large.
		if f := float64(v); f == math.Trunc(f) && !math.IsInf(f, 0) {
			if f >= -1<<63 && f < 1<<63 {
				return hashInt(int64(f))
			}
			whole, _ := big.NewFloat(f).Int(nil)
			return hashBig(whole)
		}
		return hashInt(int64(math.Float64bits(float64(v))))
	case *Big:
		return hashBig(v.V)
	case Bytes:
		return hashString(string(v)) + 1
	case *Tuple:
		m.Enter()
		defer m.Leave()
		h := uint32(len(v.Items))
		for _, i := range v.Items {
			m.Step()
			h = mix(h, uint64(Hash(m, i)))
		}
		return h
	case *Set:
		if v.Frozen {
			h := uint32(0)
			for i := range v.D.entries {
				if e := &v.D.entries[i]; e.key != nil {
					h += e.hash // in any order
				}
			}
			return h
		}
	case *Instance:
		if r, ok := Special(m, v, "__hash__"); ok {
			if n, isInt := r.(Int); isInt {
				return hashInt(int64(n))
			}
			Raise(m, TypeError, "__hash__ method should return an integer")
		}
		if v.Class.User && v.Class.Lookup("__eq__") != nil {
			break
		}
		return hashString(v.Class.Name) // all of a class alike: rarely used as keys
	case Hasher:
		return v.Hash()
	case NoneType:
		return 1
	case *List, *Dict, *ByteArray, *Slice:
	default:
		return hashString(v.Type().Name)
	}
	Raise(m, TypeError, "unhashable type: '%s'", v.Type().Name)
	return 0
}

// Hasher is a value of a module that can be a key.
type Hasher interface {
	Value
	Hash() uint32
}

// HashText is the hash of a Str.
func HashText(s string) uint32 { return hashString(s) }

func hashString(s string) uint32 { return uint32(maphash.String(seed, s)) }

func hashInt(i int64) uint32 { return mix(0x9e3779b9, uint64(i)) }

func hashBig(b *big.Int) uint32 {
	h := hashInt(int64(b.Sign()))
	for _, w := range b.Bits() {
		h = mix(h, uint64(w))
	}
	return h
}

// mix is a step of a multiplicative hash.
func mix(h uint32, w uint64) uint32 {
	hi, lo := bits.Mul64(w^uint64(h)^0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9)
	return uint32(hi ^ lo ^ lo>>32)
}
