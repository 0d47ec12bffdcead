package ops

import (
	"strconv"
	"strings"

	"pithings/gateway/script/internal/py"
)

// Formatter is a value of a module with formats of its own, as datetime has.
type Formatter interface {
	py.Value
	Format(m *py.Machine, spec string) string
}

// Format is format(v, spec).
func Format(m *py.Machine, v py.Value, s string) string {
	if s == "" {
		return ToStr(m, v)
	}
	switch x := v.(type) {
	case py.Str:
		sp := parseSpec(m, s)
		return sp.text(m, v, string(x))
	case py.Bool, py.Int, *py.Big:
		sp := parseSpec(m, s)
		switch sp.verb {
		case 0, 'd', 'n', 'x', 'X', 'o', 'b', 'c':
			if sp.precision >= 0 {
				py.Raise(m, py.ValueError, "Precision not allowed in integer format specifier")
			}
			return sp.integer(m, v)
		case 'e', 'E', 'f', 'F', 'g', 'G', '%':
			return sp.float(m, v)
		}
		sp.unknown(m, v)
	case py.Float:
		sp := parseSpec(m, s)
		return sp.float(m, v)
	case Formatter:
		return x.Format(m, s)
	}
	if r, ok := py.Special(m, v, "__format__", py.Str(s)); ok {
		return textOf(m, r, "__format__")
	}
	py.Raise(m, py.TypeError, "unsupported format string passed to %s.__format__", v.Type().FullName())
	return ""
}

// StrFormat is s.format(…).
func StrFormat(m *py.Machine, s string, a py.Args) string {
	f := &template{m: m, args: a}
	return f.fill(s, 0)
}

// template fills the fields of a str.format.
type template struct {
	m    *py.Machine
	args py.Args
	next int // number of the next field without a name, or -1 when fields have numbers
}

func (f *template) fill(s string, depth int) string {
	if depth > 2 {
		py.Raise(f.m, py.ValueError, "Max string recursion exceeded")
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case (c == '{' || c == '}') && i+1 < len(s) && s[i+1] == c:
			b.WriteByte(c)
			i += 2
		case c == '}':
			py.Raise(f.m, py.ValueError, "Single '}' encountered in format string")
		case c == '{':
			end := closing(s, i)
			if end < 0 {
				if i+1 == len(s) {
					py.Raise(f.m, py.ValueError, "Single '{' encountered in format string")
				}
				py.Raise(f.m, py.ValueError, "expected '}' before end of string")
			}
			text := f.field(s[i+1:end], depth)
			f.m.Alloc(len(text))
			b.WriteString(text)
			i = end + 1
		default:
			n := strings.IndexAny(s[i:], "{}")
			if n < 0 {
				n = len(s) - i
			}
			f.m.Alloc(n)
			b.WriteString(s[i : i+n])
			i += n
		}
	}
	return b.String()
}

// closing returns the place of the bracket that closes the one at i, or -1.
func closing(s string, i int) int {
	open := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

func (f *template) field(s string, depth int) string {
	// A colon or exclamation mark between square brackets belongs to the key.
	split, inKey := len(s), false
	for i := 0; i < len(s) && split == len(s); i++ {
		switch {
		case s[i] == '[':
			inKey = true
		case s[i] == ']':
			inKey = false
		case (s[i] == ':' || s[i] == '!') && !inKey:
			split = i
		}
	}
	path, rest := s[:split], s[split:]
	conversion := ""
	if strings.HasPrefix(rest, "!") {
		conversion, rest = rest[1:], ""
		if i := strings.IndexByte(conversion, ':'); i >= 0 {
			conversion, rest = conversion[:i], conversion[i:]
		}
	}
	v := f.value(path)
	spec := strings.TrimPrefix(rest, ":")
	if strings.Contains(spec, "{") {
		spec = f.fill(spec, depth+1)
	}
	switch conversion {
	case "":
	case "r":
		v = py.Str(Repr(f.m, v))
	case "a":
		v = py.Str(ASCII(f.m, v))
	case "s":
		v = py.Str(ToStr(f.m, v))
	default:
		py.Raise(f.m, py.ValueError, "Unknown conversion specifier %s", conversion)
	}
	return Format(f.m, v, spec)
}

// value follows a path like "name.attr[key]".
func (f *template) value(path string) py.Value {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	v := f.first(path[:end])
	for rest := path[end:]; rest != ""; {
		if rest[0] == '.' {
			n := strings.IndexAny(rest[1:], ".[") + 1
			if n == 0 {
				n = len(rest)
			}
			v = Attr(f.m, v, rest[1:n])
			rest = rest[n:]
			continue
		}
		n := strings.IndexByte(rest, ']')
		if rest[0] != '[' || n < 0 {
			py.Raise(f.m, py.ValueError, "Missing ']' in format string")
		}
		var key py.Value = py.Str(rest[1:n])
		if i, err := strconv.ParseInt(rest[1:n], 10, 64); err == nil {
			key = py.Int(i)
		}
		v = Index(f.m, v, key)
		rest = rest[n+1:]
	}
	return v
}

func (f *template) first(name string) py.Value {
	number, err := strconv.Atoi(name)
	switch {
	case name == "":
		if f.next < 0 {
			py.Raise(f.m, py.ValueError, "cannot switch from manual field specification to automatic field numbering")
		}
		number = f.next
		f.next++
	case err == nil:
		if f.next > 0 {
			py.Raise(f.m, py.ValueError, "cannot switch from automatic field numbering to manual field specification")
		}
		f.next = -1
	default:
		for _, k := range f.args.Kw {
			if k.Name == name {
				return k.Value
			}
		}
		py.RaiseKey(f.m, py.Str(name))
	}
	if number >= len(f.args.Pos) || number < 0 {
		py.Raise(f.m, py.IndexError, "Replacement index %d out of range for positional args tuple", number)
	}
	return f.args.Pos[number]
}

// ASCII is ascii(v): repr with escapes for all that is not ASCII.
func ASCII(m *py.Machine, v py.Value) string {
	s := Repr(m, v)
	if isASCII(s) {
		return s
	}
	m.AllocN(len(s), 10)
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r <= 0xff:
			b.WriteString(`\x` + hex(uint32(r), 2))
		case r <= 0xffff:
			b.WriteString(`\u` + hex(uint32(r), 4))
		default:
			b.WriteString(`\U` + hex(uint32(r), 8))
		}
	}
	return b.String()
}
