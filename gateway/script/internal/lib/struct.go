package lib

import (
	"encoding/binary"
	"math"
	"math/big"
	"strings"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/py"
)

var structError = py.NewType("error", py.Exception)

// field is one entry of a format of struct: count times a code.
type field struct {
	code  byte
	count int
	size  int // of one
}

// layout reads a format. Without a prefix the sizes are the standard ones, in the byte
// order of the processor, which is little-endian on all that pithings runs on.
// https://docs.python.org/3/library/struct.html
func layout(m *py.Machine, v py.Value) (order binary.ByteOrder, fields []field) {
	s := data(m, v)
	order = binary.LittleEndian
	if s != "" && strings.IndexByte("@=<>!", s[0]) >= 0 {
		if s[0] == '>' || s[0] == '!' {
			order = binary.BigEndian
		}
		s = s[1:]
	}
	for i := 0; i < len(s); i++ {
		count, counted := 0, false
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			count, counted = min(count*10+int(s[i]-'0'), 1<<24), true
		}
		if !counted {
			count = 1
		}
		if i >= len(s) {
			py.Raise(m, structError, "repeat count given without format specifier")
		}
		if s[i] == ' ' {
			continue
		}
		size := map[byte]int{'x': 1, 'c': 1, 'b': 1, 'B': 1, '?': 1, 's': 1, 'h': 2, 'H': 2, 'i': 4, 'I': 4, 'l': 4, 'L': 4, 'q': 8, 'Q': 8, 'f': 4, 'd': 8}[s[i]]
		if size == 0 {
			py.Raise(m, structError, "bad char in struct format")
		}
		m.AllocN(count, size)
		fields = append(fields, field{s[i], count, size})
	}
	return order, fields
}

func sizeOf(fields []field) int {
	n := 0
	for _, f := range fields {
		n += f.count * f.size
	}
	return n
}

func pack(m *py.Machine, a py.Args) py.Value {
	if len(a.Pos) == 0 {
		py.Raise(m, py.TypeError, "pack expected at least 1 argument")
	}
	order, fields := layout(m, a.Pos[0])
	args := a.Pos[1:]
	take := func() py.Value {
		if len(args) == 0 {
			py.Raise(m, structError, "pack expected more items for packing")
		}
		v := args[0]
		args = args[1:]
		return v
	}
	out := make([]byte, 0, sizeOf(fields))
	for _, f := range fields {
		switch f.code {
		case 'x':
			out = append(out, make([]byte, f.count)...)
		case 's':
			b := make([]byte, f.count)
			copy(b, data(m, take()))
			out = append(out, b...)
		default:
			for range f.count {
				m.Step()
				out = packOne(m, order, out, f, take())
			}
		}
	}
	if len(args) > 0 {
		py.Raise(m, structError, "pack got %d items too many for packing", len(args))
	}
	return py.Bytes(out)
}

func packOne(m *py.Machine, order binary.ByteOrder, out []byte, f field, v py.Value) []byte {
	var bits uint64
	switch f.code {
	case 'c':
		s := data(m, v)
		if len(s) != 1 {
			py.Raise(m, structError, "char format requires a bytes object of length 1")
		}
		return append(out, s...)
	case '?':
		if py.Truth(m, v) {
			return append(out, 1)
		}
		return append(out, 0)
	case 'f':
		x := float(m, v)
		if y := float32(x); math.IsInf(float64(y), 0) && !math.IsInf(x, 0) {
			py.Raise(m, py.OverflowError, "float too large to pack with f format")
		}
		bits = uint64(math.Float32bits(float32(x)))
	case 'd':
		bits = math.Float64bits(float(m, v))
	default:
		bits = integerBits(m, f, v)
	}
	var b [8]byte
	if order == binary.ByteOrder(binary.LittleEndian) {
		binary.LittleEndian.PutUint64(b[:], bits)
		return append(out, b[:f.size]...)
	}
	binary.BigEndian.PutUint64(b[:], bits)
	return append(out, b[8-f.size:]...)
}

func signed(code byte) bool { return code >= 'a' }

func integerBits(m *py.Machine, f field, v py.Value) uint64 {
	b := py.ToBig(v)
	if b == nil {
		py.Raise(m, structError, "required argument is not an integer")
	}
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(8*f.size))
	if signed(f.code) {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	if b.Cmp(low) < 0 || b.Cmp(high) >= 0 {
		py.Raise(m, structError, "'%c' format requires %v <= number <= %v", f.code, low, high.Sub(high, big.NewInt(1)))
	}
	if b.Sign() < 0 {
		return uint64(b.Int64())
	}
	return b.Uint64()
}

func unpack(m *py.Machine, format py.Value, s string) py.Value {
	order, fields := layout(m, format)
	if n := sizeOf(fields); n != len(s) {
		py.Raise(m, structError, "unpack requires a buffer of %d bytes", n)
	}
	t := &py.Tuple{}
	add := func(v py.Value) {
		m.Step()
		m.Alloc(32)
		t.Items = append(t.Items, v)
	}
	for _, f := range fields {
		switch f.code {
		case 'x':
			s = s[f.count:]
		case 's':
			add(py.Bytes(s[:f.count]))
			s = s[f.count:]
		default:
			for range f.count {
				add(unpackOne(order, f, s[:f.size]))
				s = s[f.size:]
			}
		}
	}
	return t
}

func unpackOne(order binary.ByteOrder, f field, s string) py.Value {
	var b [8]byte
	var bits uint64
	if order == binary.ByteOrder(binary.LittleEndian) {
		copy(b[:], s)
		bits = binary.LittleEndian.Uint64(b[:])
	} else {
		copy(b[8-f.size:], s)
		bits = binary.BigEndian.Uint64(b[:])
	}
	switch f.code {
	case 'c':
		return py.Bytes(s)
	case '?':
		return py.Bool(bits != 0)
	case 'f':
		return py.Float(math.Float32frombits(uint32(bits)))
	case 'd':
		return py.Float(math.Float64frombits(bits))
	}
	if signed(f.code) {
		shift := uint(64 - 8*f.size)
		return py.Int(int64(bits<<shift) >> shift)
	}
	return py.NewInt(new(big.Int).SetUint64(bits))
}

func structModule() map[string]py.Value {
	structError.Module = "struct"
	items := functions([]def{
		{"calcsize", "format", func(m *py.Machine, a []py.Value) py.Value {
			_, fields := layout(m, a[0])
			return py.Int(sizeOf(fields))
		}},
		{"unpack", "format buffer", func(m *py.Machine, a []py.Value) py.Value {
			s, ok := py.ToBytes(a[1])
			if !ok {
				py.Raise(m, py.TypeError, "a bytes-like object is required, not '%s'", a[1].Type().FullName())
			}
			return unpack(m, a[0], s)
		}},
		{"unpack_from", "format buffer offset=", func(m *py.Machine, a []py.Value) py.Value {
			_, fields := layout(m, a[0])
			at := builtin.OptionalInt(m, a[2], 0)
			s := data(m, a[1])
			n := sizeOf(fields)
			if at < 0 || at > len(s) || len(s)-at < n {
				py.Raise(m, structError, "unpack_from requires a buffer of at least %d bytes", n)
			}
			return unpack(m, a[0], s[at:at+n])
		}},
	}, map[string]py.Value{"error": structError, "pack": &py.Builtin{Name: "pack", Raw: pack}})
	return items
}
