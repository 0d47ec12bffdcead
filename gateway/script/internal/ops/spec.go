package ops

import (
	"math/big"
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/py"
)

// spec is a format as f-strings and str.format have it.
// https://docs.python.org/3/library/string.html#formatspec
type spec struct {
	fill      string
	align     byte // '<', '>', '^', '=' or 0
	sign      byte
	noMinus   bool // "z": what is rounded to zero has no sign
	alternate bool
	width     int
	group     byte // ',' or '_'
	precision int  // -1 when absent
	zero      bool // a zero before the width, which puts zeros behind the sign of a number
	verb      byte
}

// maxWidth bounds width and precision by themselves; memory bounds them before.
const maxWidth = 1 << 30

// parseSpec reads a format, and counts the width that it asks for.
func parseSpec(m *py.Machine, s string) spec {
	sp := spec{fill: " ", precision: -1}
	isAlign := func(i int) bool { return i < len(s) && strings.IndexByte("<>^=", s[i]) >= 0 }
	i, filled := 0, false
	if _, n := utf8.DecodeRuneInString(s); n > 0 && isAlign(n) {
		sp.fill, sp.align, i, filled = s[:n], s[n], n+1, true
	} else if isAlign(0) {
		sp.align, i = s[0], 1
	}
	at := func() byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	if c := at(); c == '+' || c == '-' || c == ' ' {
		sp.sign = c
		i++
	}
	if at() == 'z' {
		sp.noMinus = true
		i++
	}
	if at() == '#' {
		sp.alternate = true
		i++
	}
	if at() == '0' && !filled {
		sp.fill, sp.zero = "0", true
		i++
	}
	number := func() int {
		n := 0
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			n = min(n*10+int(s[i]-'0'), maxWidth)
		}
		m.AllocN(n, len(sp.fill))
		return n
	}
	sp.width = number()
	if c := at(); c == ',' || c == '_' {
		sp.group = c
		i++
		if d := at(); d == c {
			py.Raise(m, py.ValueError, "Cannot specify '%c' with '%c'.", c, c)
		} else if d == ',' || d == '_' {
			py.Raise(m, py.ValueError, "Cannot specify both ',' and '_'.")
		}
	}
	if at() == '.' {
		i++
		if c := at(); c < '0' || c > '9' {
			py.Raise(m, py.ValueError, "Format specifier missing precision")
		}
		sp.precision = number()
	}
	if i < len(s) {
		sp.verb = s[i]
		i++
	}
	if i != len(s) {
		py.Raise(m, py.ValueError, "Invalid format specifier")
	}
	if sp.group != 0 && !(strings.IndexByte("\x00deEfFgG%", sp.verb) >= 0 || sp.group == '_' && strings.IndexByte("bxXo", sp.verb) >= 0) {
		py.Raise(m, py.ValueError, "Cannot specify '%c' with '%c'.", sp.group, sp.verb)
	}
	return sp
}

// pad fills s up to the width; usual is the alignment when the format names none.
func (sp *spec) pad(s string, usual byte) string {
	missing := sp.width - utf8.RuneCountInString(s)
	if missing <= 0 {
		return s
	}
	align := sp.align
	if align == 0 {
		align = usual
	}
	switch align {
	case '<':
		return s + strings.Repeat(sp.fill, missing)
	case '^':
		return strings.Repeat(sp.fill, missing/2) + s + strings.Repeat(sp.fill, missing-missing/2)
	}
	return strings.Repeat(sp.fill, missing) + s
}

// padNumber puts sign and digits together; with "=" the fill goes between them.
func (sp *spec) padNumber(sign, digits string) string {
	if sp.zero && sp.align == 0 {
		sp.align = '='
	}
	if sp.align != '=' {
		return sp.pad(sign+sp.grouped(digits, 0), '>')
	}
	if sp.fill == "0" && sp.group != 0 {
		return sign + sp.grouped(digits, sp.width-len(sign))
	}
	digits = sp.grouped(digits, 0)
	return sign + strings.Repeat(sp.fill, max(sp.width-len(sign)-utf8.RuneCountInString(digits), 0)) + digits
}

// grouped puts separators between the digits before the point, and zeros before them up
// to a width.
func (sp *spec) grouped(s string, width int) string {
	if sp.group == 0 {
		return s
	}
	size := 3
	if strings.IndexByte("bxXo", sp.verb) >= 0 && sp.verb != 0 {
		size = 4
	}
	end := strings.IndexAny(s, ".eE%")
	if end < 0 || sp.verb == 'x' || sp.verb == 'X' {
		end = len(s)
	}
	whole, rest := s[:end], s[end:]
	var b []byte // backwards
	for i, n := len(whole)-1, 0; ; i, n = i-1, n+1 {
		if i < 0 && len(b)+len(rest) >= width {
			break
		}
		if n > 0 && n%size == 0 {
			b = append(b, sp.group)
		}
		if i >= 0 {
			b = append(b, whole[i])
		} else {
			b = append(b, '0')
		}
	}
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b) + rest
}

// signed returns the sign to write.
func (sp *spec) signed(negative bool) string {
	switch {
	case negative:
		return "-"
	case sp.sign == '+' || sp.sign == ' ':
		return string(sp.sign)
	}
	return ""
}

func (sp *spec) unknown(m *py.Machine, v py.Value) {
	py.Raise(m, py.ValueError, "Unknown format code '%c' for object of type '%s'", sp.verb, v.Type().Name)
}

func (sp *spec) text(m *py.Machine, v py.Value, s string) string {
	if sp.verb != 0 && sp.verb != 's' {
		sp.unknown(m, v)
	}
	switch {
	case sp.sign != 0:
		py.Raise(m, py.ValueError, "Sign not allowed in string format specifier")
	case sp.noMinus:
		py.Raise(m, py.ValueError, "Negative zero coercion (z) not allowed in string format specifier")
	case sp.alternate:
		py.Raise(m, py.ValueError, "Alternate form (#) not allowed in string format specifier")
	case sp.group != 0:
		py.Raise(m, py.ValueError, "Cannot specify '%c' with 's'.", sp.group)
	case sp.align == '=':
		py.Raise(m, py.ValueError, "'=' alignment not allowed in string format specifier")
	}
	return sp.pad(cut(s, sp.precision), '<')
}

// cut shortens a text to n characters; -1 does not.
func cut(s string, n int) string {
	if n < 0 || len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func (sp *spec) integer(m *py.Machine, v py.Value) string {
	b := py.ToBig(v)
	if sp.noMinus {
		py.Raise(m, py.ValueError, "Negative zero coercion (z) not allowed in integer format specifier")
	}
	if sp.verb == 'c' {
		if sp.sign != 0 {
			py.Raise(m, py.ValueError, "Sign not allowed with integer format specifier 'c'")
		}
		if sp.alternate {
			py.Raise(m, py.ValueError, "Alternate form (#) not allowed with integer format specifier 'c'")
		}
		if !b.IsInt64() || b.Int64() < 0 || b.Int64() > utf8.MaxRune {
			py.Raise(m, py.OverflowError, "%%c arg not in range(0x110000)")
		}
		return sp.padNumber("", string(rune(b.Int64())))
	}
	prefix, digits := sp.whole(m, b)
	return sp.padNumber(sp.signed(b.Sign() < 0)+prefix, digits)
}

// whole is the digits of an integer without its sign, and what the alternate form has before
// them.
func (sp *spec) whole(m *py.Machine, b *big.Int) (prefix, digits string) {
	m.Alloc(b.BitLen() + 1)
	abs := new(big.Int).Abs(b)
	switch sp.verb {
	case 'x':
		prefix, digits = "0x", abs.Text(16)
	case 'X':
		prefix, digits = "0X", strings.ToUpper(abs.Text(16))
	case 'o':
		prefix, digits = "0o", abs.Text(8)
	case 'b':
		prefix, digits = "0b", abs.Text(2)
	default:
		digits = strings.TrimPrefix(Repr(m, py.NewInt(b)), "-")
	}
	if !sp.alternate {
		prefix = ""
	}
	return prefix, digits
}
