package builtin

import (
	"strings"
	"unicode"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// test makes a method that reports whether a text is not empty and all of one kind.
func test(is func(r rune) bool) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		s := str(m, a)
		for _, r := range s {
			if !is(r) {
				return py.Bool(false)
			}
		}
		return py.Bool(s != "")
	}
}

// cased makes isupper and islower: there is a letter with a case, and none of the other.
func cased(is, not func(r rune) bool) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		s := str(m, a)
		return py.Bool(strings.IndexFunc(s, is) >= 0 && strings.IndexFunc(s, not) < 0)
	}
}

var strTests = []def{
	{"isdigit", "self", test(func(r rune) bool {
		return unicode.IsDigit(r) || strings.ContainsRune("¹²³⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", r)
	})},
	{"isdecimal", "self", test(unicode.IsDigit)},
	{"isnumeric", "self", test(unicode.IsNumber)},
	{"isalpha", "self", test(unicode.IsLetter)},
	{"isalnum", "self", test(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })},
	{"isspace", "self", test(isSpace)},
	{"isupper", "self", cased(unicode.IsUpper, unicode.IsLower)},
	{"islower", "self", cased(unicode.IsLower, unicode.IsUpper)},
	{"istitle", "self", func(m *py.Machine, a []py.Value) py.Value {
		s := str(m, a)
		return py.Bool(strings.IndexFunc(s, unicode.IsLetter) >= 0 && title(s) == s)
	}},
	{"isascii", "self", func(m *py.Machine, a []py.Value) py.Value {
		return py.Bool(strings.IndexFunc(str(m, a), func(r rune) bool { return r >= 0x80 }) < 0)
	}},
	{"isprintable", "self", func(m *py.Machine, a []py.Value) py.Value {
		return py.Bool(strings.IndexFunc(str(m, a), func(r rune) bool { return !unicode.IsPrint(r) }) < 0)
	}},
	{"isidentifier", "self", func(m *py.Machine, a []py.Value) py.Value {
		s := str(m, a)
		for i, r := range s {
			if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
				return py.Bool(false)
			}
		}
		return py.Bool(s != "")
	}},
	{"format_map", "self mapping", func(m *py.Machine, a []py.Value) py.Value {
		d, ok := a[1].(*py.Dict)
		if !ok {
			py.Raise(m, py.TypeError, "format_map() wants a dict")
		}
		args := py.Args{}
		for i := 0; ; {
			key, v, next := d.At(i)
			if key == nil {
				return py.Str(ops.StrFormat(m, str(m, a), args))
			}
			i = next
			if s, ok := key.(py.Str); ok {
				m.Alloc(32)
				args.Kw = append(args.Kw, py.Kw{Name: string(s), Value: v})
			}
		}
	}},
}

// formatMethod is str.format.
func formatMethod() *py.Builtin {
	return &py.Builtin{Name: "format", Method: true, Raw: func(m *py.Machine, a py.Args) py.Value {
		if len(a.Pos) == 0 {
			py.Raise(m, py.TypeError, "str.format() needs a text")
		}
		return py.Str(ops.StrFormat(m, str(m, a.Pos[:1]), py.Args{Pos: a.Pos[1:], Kw: a.Kw}))
	}}
}
