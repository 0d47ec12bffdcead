package ops

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pithings/gateway/script/internal/py"
)

// Decimal is the text of a large integer. As in CPython, it has 4300 digits at most.
func Decimal(m *py.Machine, b *py.Big) string {
	const most = 4300
	if b.V.BitLen() > most*10/3 {
		py.Raise(m, py.ValueError, "Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit", most)
	}
	m.Alloc(b.V.BitLen()/3 + 2)
	return b.V.String()
}

// FloatRepr is repr of a float: the shortest text that reads back as the same number.
func FloatRepr(f float64) string { return string(AppendFloat(nil, f)) }

// AppendFloat appends what FloatRepr returns.
func AppendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "nan"...)
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	from := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if bytes.IndexByte(b[from:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

// quote is repr of a text.
func quote(s string) string { return string(appendQuoted(nil, s)) }

// appendQuoted appends what quote returns.
func appendQuoted(b []byte, s string) []byte {
	if plain(s) {
		return append(append(append(b, '\''), s...), '\'')
	}
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b = append(b, q)
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b = utf8.AppendRune(append(b, '\\'), r)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ' || r == 0x7f:
			b = append(b, `\x`+hex(uint32(r), 2)...)
		case r < utf8.RuneSelf || unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r <= 0xff:
			b = append(b, `\x`+hex(uint32(r), 2)...)
		case r <= 0xffff:
			b = append(b, `\u`+hex(uint32(r), 4)...)
		default:
			b = append(b, `\U`+hex(uint32(r), 8)...)
		}
	}
	return append(b, q)
}

// plain reports whether a text stands between single quotes as it is, which most do.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '\'' || c == '\\' {
			return false
		}
	}
	return true
}

func hex(n uint32, digits int) string {
	s := strconv.FormatUint(uint64(n), 16)
	return strings.Repeat("0", max(digits-len(s), 0)) + s
}

func quoteBytes(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteByte('b')
	b.WriteByte(q)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == q || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f:
			b.WriteString(`\x` + hex(uint32(c), 2))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(q)
	return b.String()
}
