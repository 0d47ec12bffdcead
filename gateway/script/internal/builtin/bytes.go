package builtin

import (
	"encoding/hex"
	"math"
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// codec returns the usual name of an encoding.
func codec(m *py.Machine, v py.Value) string {
	if !Given(v) {
		return "utf-8"
	}
	name := strings.ReplaceAll(strings.ToLower(Text(m, v, "encoding")), "_", "-")
	switch name {
	case "utf-8", "utf8", "utf-8-sig", "u8":
		return "utf-8"
	case "ascii", "us-ascii":
		return "ascii"
	case "latin-1", "latin1", "iso-8859-1", "iso8859-1":
		return "latin-1"
	}
	py.Raise(m, py.LookupError, "unknown encoding: %s (utf-8, ascii and latin-1 are known)", name)
	return ""
}

func handling(m *py.Machine, v py.Value) string {
	if !Given(v) {
		return "strict"
	}
	return Text(m, v, "errors")
}

func encode(m *py.Machine, s string, encoding, errors py.Value) py.Value {
	name, how := codec(m, encoding), handling(m, errors)
	m.Alloc(16 + len(s))
	if name == "utf-8" {
		return py.Bytes(s)
	}
	limit := rune(0x80)
	if name == "latin-1" {
		limit = 0x100
	}
	var b strings.Builder
	position := 0
	for _, r := range s {
		switch {
		case r < limit:
			b.WriteByte(byte(r))
		case how == "ignore":
		case how == "replace":
			b.WriteByte('?')
		default:
			py.Raise(m, py.UnicodeEncodeError, "'%s' codec can't encode character %s in position %d: ordinal not in range(%d)", name, ops.ASCII(m, py.Str(string(r))), position, limit)
		}
		position++
	}
	return py.Bytes(b.String())
}

func decode(m *py.Machine, s string, encoding, errors py.Value) py.Value {
	name, how := codec(m, encoding), handling(m, errors)
	m.Alloc(16 + 3*len(s))
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case name == "latin-1":
			r, n = rune(s[i]), 1
		case name == "ascii" && r >= 0x80, r == utf8.RuneError && n == 1:
			n = 1
			switch how {
			case "ignore":
				i++
				continue
			case "replace":
				r = utf8.RuneError
			default:
				py.Raise(m, py.UnicodeDecodeError, "'%s' codec can't decode byte 0x%02x in position %d: invalid start byte", name, s[i], i)
			}
		}
		b.WriteRune(r)
		i += n
	}
	return py.Str(b.String())
}

// bytesOf makes bytes of a count, an iterable of integers, or bytes.
func bytesOf(m *py.Machine, v py.Value) []byte {
	if s, ok := py.ToBytes(v); ok {
		m.Alloc(32 + len(s))
		return []byte(s)
	}
	if n, ok := py.ToInt(v); ok {
		if n < 0 {
			py.Raise(m, py.ValueError, "negative count")
		}
		m.Alloc(int(min(n, math.MaxInt32)))
		return make([]byte, n)
	}
	if _, ok := v.(*py.Big); ok {
		m.Alloc(-1)
	}
	if _, ok := v.(py.Str); ok {
		py.Raise(m, py.TypeError, "string argument without an encoding")
	}
	var out []byte
	for next := ops.Iterate(m, v); ; {
		x, ok := next()
		if !ok {
			return out
		}
		m.Step()
		m.Alloc(2)
		out = append(out, ops.Byte(m, x))
	}
}

// raw is what a method of bytes or bytearray belongs to.
func raw(m *py.Machine, a []py.Value) string {
	s, ok := py.ToBytes(a[0])
	if !ok {
		py.Raise(m, py.TypeError, "a bytes-like object is required, not '%s'", a[0].Type().FullName())
	}
	m.Work(len(s) / 64)
	return s
}

func part(m *py.Machine, v py.Value) string {
	if i, ok := v.(py.Int); ok {
		return string([]byte{ops.Byte(m, i)})
	}
	s, ok := py.ToBytes(v)
	if !ok {
		py.Raise(m, py.TypeError, "a bytes-like object is required, not '%s'", v.Type().FullName())
	}
	return s
}

// like makes bytes of the type that the method belongs to.
func like(m *py.Machine, a []py.Value, s string) py.Value {
	m.Alloc(32 + len(s))
	if _, array := a[0].(*py.ByteArray); array {
		return &py.ByteArray{V: []byte(s)}
	}
	return py.Bytes(s)
}

var bytesMethods = []def{
	{"decode", "self encoding= errors=", func(m *py.Machine, a []py.Value) py.Value { return decode(m, raw(m, a), a[1], a[2]) }},
	{"hex", "self sep= bytes_per_sep=", func(m *py.Machine, a []py.Value) py.Value {
		s := raw(m, a)
		m.AllocN(len(s), 3)
		out := hex.EncodeToString([]byte(s))
		if !Given(a[1]) {
			return py.Str(out)
		}
		sep, group := Text(m, a[1], "sep"), max(OptionalInt(m, a[2], 1), 1)
		m.AllocN(len(s), len(sep))
		var parts []string
		for i := len(s); i > 0; i -= group { // groups are counted from the right
			parts = append([]string{out[2*max(i-group, 0) : 2*i]}, parts...)
			m.Work(len(parts) / 64)
		}
		return py.Str(strings.Join(parts, sep))
	}},
	{"fromhex", "cls string", func(m *py.Machine, a []py.Value) py.Value {
		s := strings.Join(strings.Fields(Text(m, a[1], "fromhex() argument")), "")
		m.Alloc(len(s))
		b, err := hex.DecodeString(s)
		if err != nil {
			py.Raise(m, py.ValueError, "non-hexadecimal number found in fromhex() arg")
		}
		if a[0] == py.Value(py.ByteArrayType) {
			return &py.ByteArray{V: b}
		}
		return py.Bytes(b)
	}},
	{"find", "self sub", func(m *py.Machine, a []py.Value) py.Value { return py.Int(strings.Index(raw(m, a), part(m, a[1]))) }},
	{"rfind", "self sub", func(m *py.Machine, a []py.Value) py.Value { return py.Int(strings.LastIndex(raw(m, a), part(m, a[1]))) }},
	{"index", "self sub", func(m *py.Machine, a []py.Value) py.Value {
		i := strings.Index(raw(m, a), part(m, a[1]))
		if i < 0 {
			py.Raise(m, py.ValueError, "subsection not found")
		}
		return py.Int(i)
	}},
	{"count", "self sub", func(m *py.Machine, a []py.Value) py.Value { return py.Int(strings.Count(raw(m, a), part(m, a[1]))) }},
	{"startswith", "self prefix", func(m *py.Machine, a []py.Value) py.Value {
		return py.Bool(strings.HasPrefix(raw(m, a), part(m, a[1])))
	}},
	{"endswith", "self suffix", func(m *py.Machine, a []py.Value) py.Value {
		return py.Bool(strings.HasSuffix(raw(m, a), part(m, a[1])))
	}},
	{"split", "self sep= maxsplit=", func(m *py.Machine, a []py.Value) py.Value {
		s, most := raw(m, a), OptionalInt(m, a[2], -1)
		m.AllocN(len(s)+3, 32)
		var parts []string
		if Given(a[1]) {
			sep := part(m, a[1])
			if sep == "" {
				py.Raise(m, py.ValueError, "empty separator")
			}
			n := -1
			if most >= 0 {
				n = most + 1
			}
			parts = strings.SplitN(s, sep, n)
		} else {
			parts = splitSpace(s, most, false)
		}
		l := &py.List{}
		for _, p := range parts {
			l.Items = append(l.Items, py.Bytes(p))
		}
		return l
	}},
	{"join", "self iterable", func(m *py.Machine, a []py.Value) py.Value {
		sep := raw(m, a)
		var b strings.Builder
		for i, v := range ops.Items(m, a[1]) {
			p := part(m, v)
			m.Alloc(len(p) + len(sep))
			if i > 0 {
				b.WriteString(sep)
			}
			b.WriteString(p)
		}
		return like(m, a, b.String())
	}},
	{"replace", "self old new", func(m *py.Machine, a []py.Value) py.Value {
		s, old, by := raw(m, a), part(m, a[1]), part(m, a[2])
		m.AllocN(strings.Count(s, old), len(by))
		return like(m, a, strings.ReplaceAll(s, old, by))
	}},
	{"strip", "self chars=", func(m *py.Machine, a []py.Value) py.Value {
		chars := " \t\n\r\x0b\f"
		if Given(a[1]) {
			chars = part(m, a[1])
		}
		s := raw(m, a)
		for s != "" && strings.IndexByte(chars, s[0]) >= 0 {
			s = s[1:]
		}
		for s != "" && strings.IndexByte(chars, s[len(s)-1]) >= 0 {
			s = s[:len(s)-1]
		}
		return like(m, a, s)
	}},
	{"upper", "self", func(m *py.Machine, a []py.Value) py.Value { return like(m, a, asciiCase(raw(m, a), 'a', 'z')) }},
	{"lower", "self", func(m *py.Machine, a []py.Value) py.Value { return like(m, a, asciiCase(raw(m, a), 'A', 'Z')) }},
}

// asciiCase changes the case of the letters from one to another.
func asciiCase(s string, from, to byte) string {
	b := []byte(s)
	for i, c := range b {
		if c >= from && c <= to {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}

func array(a []py.Value) *py.ByteArray { b, _ := a[0].(*py.ByteArray); return b }

var byteArrayMethods = []def{
	{"append", "self item", func(m *py.Machine, a []py.Value) py.Value {
		m.Alloc(2)
		array(a).V = append(array(a).V, ops.Byte(m, a[1]))
		return py.None
	}},
	{"extend", "self items", func(m *py.Machine, a []py.Value) py.Value {
		array(a).V = append(array(a).V, bytesOf(m, a[1])...)
		return py.None
	}},
	{"pop", "self index=", func(m *py.Machine, a []py.Value) py.Value {
		b := array(a)
		if len(b.V) == 0 {
			py.Raise(m, py.IndexError, "pop from empty bytearray")
		}
		i := ops.Position(m, len(b.V), py.Int(OptionalInt(m, a[1], -1)), "pop index", "pop index")
		v := b.V[i]
		b.V = append(b.V[:i], b.V[i+1:]...)
		return py.Int(v)
	}},
	{"clear", "self", func(m *py.Machine, a []py.Value) py.Value { array(a).V = nil; return py.None }},
	{"reverse", "self", func(m *py.Machine, a []py.Value) py.Value { reverse(array(a).V); return py.None }},
}
