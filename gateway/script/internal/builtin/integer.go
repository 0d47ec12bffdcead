package builtin

import (
	"math/big"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

var intMethods = []def{
	{"bit_length", "self", func(m *py.Machine, a []py.Value) py.Value { return py.Int(py.ToBig(a[0]).BitLen()) }},
	{"bit_count", "self", func(m *py.Machine, a []py.Value) py.Value {
		n := 0
		for _, w := range py.ToBig(a[0]).Bits() {
			for ; w != 0; w &= w - 1 {
				n++
			}
		}
		return py.Int(n)
	}},
	{"to_bytes", "self length= byteorder= signed=", intToBytes},
	{"from_bytes", "cls bytes byteorder= signed=", intFromBytes},
	{"conjugate", "self", func(m *py.Machine, a []py.Value) py.Value { return ops.Unary(m, "+", a[0]) }},
	{"as_integer_ratio", "self", func(m *py.Machine, a []py.Value) py.Value {
		return py.NewTuple(ops.Unary(m, "+", a[0]), py.Int(1))
	}},
}

func littleEndian(m *py.Machine, v py.Value) bool {
	if v == nil {
		return false
	}
	switch order := Text(m, v, "byteorder"); order {
	case "little":
		return true
	case "big":
		return false
	}
	py.Raise(m, py.ValueError, "byteorder must be either 'little' or 'big'")
	return false
}

func intToBytes(m *py.Machine, a []py.Value) py.Value {
	n, little, signed := OptionalInt(m, a[1], 1), littleEndian(m, a[2]), a[3] != nil && py.Truth(m, a[3])
	b := new(big.Int).Set(py.ToBig(a[0]))
	if n < 0 {
		py.Raise(m, py.ValueError, "length argument must be non-negative")
	}
	m.AllocN(n, 2)
	bits := 8 * n
	if b.Sign() < 0 {
		if !signed {
			py.Raise(m, py.OverflowError, "can't convert negative int to unsigned")
		}
		if new(big.Int).Add(b, big.NewInt(1)).BitLen() > bits-1 {
			py.Raise(m, py.OverflowError, "int too big to convert")
		}
		b.Add(b, new(big.Int).Lsh(big.NewInt(1), uint(bits)))
	} else if b.BitLen() > bits || signed && b.BitLen() > bits-1 {
		py.Raise(m, py.OverflowError, "int too big to convert")
	}
	out := b.FillBytes(make([]byte, n))
	if little {
		reverse(out)
	}
	return py.Bytes(out)
}

func intFromBytes(m *py.Machine, a []py.Value) py.Value {
	s, ok := py.ToBytes(a[1])
	if !ok {
		s = string(bytesOf(m, a[1]))
	}
	m.Alloc(2 * len(s))
	data := []byte(s)
	if littleEndian(m, a[2]) {
		reverse(data)
	}
	b := new(big.Int).SetBytes(data)
	if a[3] != nil && py.Truth(m, a[3]) && len(data) > 0 && data[0] >= 0x80 {
		b.Sub(b, new(big.Int).Lsh(big.NewInt(1), uint(8*len(data))))
	}
	return py.NewInt(b)
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}
