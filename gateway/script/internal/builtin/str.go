package builtin

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// str is the text that a method belongs to, counted as work.
func str(m *py.Machine, a []py.Value) string {
	s, ok := a[0].(py.Str)
	if !ok {
		py.Raise(m, py.TypeError, "descriptor of 'str' object needs an argument of type 'str', not '%s'", a[0].Type().FullName())
	}
	if len(s) > 256 {
		m.Work(len(s) / 64)
	}
	return string(s)
}

// made counts a text that a method has made.
func made(m *py.Machine, s string) py.Value {
	m.Alloc(16 + len(s))
	return py.Str(s)
}

// mapped makes a method of a function from text to text of about the same length.
func mapped(f func(string) string) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		s := str(m, a)
		m.Alloc(16 + 2*len(s))
		return py.Str(f(s))
	}
}

var strMethods = []def{
	{"upper", "self", mapped(func(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "ß", "SS")) })},
	{"lower", "self", mapped(strings.ToLower)},
	{"casefold", "self", mapped(strings.ToLower)},
	{"title", "self", mapped(title)},
	{"capitalize", "self", mapped(func(s string) string {
		r, n := utf8.DecodeRuneInString(s)
		if n == 0 {
			return ""
		}
		return string(unicode.ToTitle(r)) + strings.ToLower(s[n:])
	})},
	{"swapcase", "self", mapped(func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsUpper(r) {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}, s)
	})},
	{"strip", "self chars=", strip(true, true)},
	{"lstrip", "self chars=", strip(true, false)},
	{"rstrip", "self chars=", strip(false, true)},
	{"split", "self sep= maxsplit=", func(m *py.Machine, a []py.Value) py.Value { return split(m, a, false) }},
	{"rsplit", "self sep= maxsplit=", func(m *py.Machine, a []py.Value) py.Value { return split(m, a, true) }},
	{"splitlines", "self keepends=", func(m *py.Machine, a []py.Value) py.Value {
		return texts(m, splitLines(str(m, a), a[1] != nil && py.Truth(m, a[1])))
	}},
	{"partition", "self sep", func(m *py.Machine, a []py.Value) py.Value {
		s, sep := str(m, a), separator(m, a[1])
		before, after, found := strings.Cut(s, sep)
		if !found {
			sep = ""
		}
		m.Alloc(96 + len(s))
		return py.NewTuple(py.Str(before), py.Str(sep), py.Str(after))
	}},
	{"rpartition", "self sep", func(m *py.Machine, a []py.Value) py.Value {
		s, sep := str(m, a), separator(m, a[1])
		m.Alloc(96 + len(s))
		i := strings.LastIndex(s, sep)
		if i < 0 {
			return py.NewTuple(py.Str(""), py.Str(""), py.Str(s))
		}
		return py.NewTuple(py.Str(s[:i]), py.Str(sep), py.Str(s[i+len(sep):]))
	}},
	{"join", "self iterable", join},
	{"replace", "self old new count=", replace},
	{"find", "self sub start= end=", search(strings.Index, false)},
	{"rfind", "self sub start= end=", search(strings.LastIndex, false)},
	{"index", "self sub start= end=", search(strings.Index, true)},
	{"rindex", "self sub start= end=", search(strings.LastIndex, true)},
	{"count", "self sub start= end=", func(m *py.Machine, a []py.Value) py.Value {
		s, _, ok := window(m, str(m, a), a[2], a[3])
		sub := Text(m, a[1], "count() argument 1")
		if !ok {
			return py.Int(0)
		}
		return py.Int(strings.Count(s, sub))
	}},
	{"startswith", "self prefix start= end=", affix(strings.HasPrefix, "startswith")},
	{"endswith", "self suffix start= end=", affix(strings.HasSuffix, "endswith")},
	{"removeprefix", "self prefix", func(m *py.Machine, a []py.Value) py.Value {
		return made(m, strings.TrimPrefix(str(m, a), Text(m, a[1], "removeprefix() argument")))
	}},
	{"removesuffix", "self suffix", func(m *py.Machine, a []py.Value) py.Value {
		return made(m, strings.TrimSuffix(str(m, a), Text(m, a[1], "removesuffix() argument")))
	}},
	{"ljust", "self width fillchar=", justify(func(n int) (int, int) { return 0, n })},
	{"rjust", "self width fillchar=", justify(func(n int) (int, int) { return n, 0 })},
	{"center", "self width fillchar=", center},
	{"zfill", "self width", func(m *py.Machine, a []py.Value) py.Value {
		s := str(m, a)
		missing := Integer(m, a[1]) - utf8.RuneCountInString(s)
		if missing <= 0 {
			return py.Str(s)
		}
		m.Alloc(missing + len(s))
		sign := ""
		if s != "" && (s[0] == '-' || s[0] == '+') {
			sign, s = s[:1], s[1:]
		}
		return py.Str(sign + strings.Repeat("0", missing) + s)
	}},
	{"expandtabs", "self tabsize=", func(m *py.Machine, a []py.Value) py.Value {
		s, size := str(m, a), max(min(OptionalInt(m, a[1], 8), 1<<20), 0)
		m.AllocN(strings.Count(s, "\t"), size)
		var b strings.Builder
		column := 0
		for _, r := range s {
			switch {
			case r == '\t' && size > 0:
				n := size - column%size
				b.WriteString(strings.Repeat(" ", n))
				column += n
			case r == '\t':
			default:
				b.WriteRune(r)
				if column++; r == '\n' || r == '\r' {
					column = 0
				}
			}
		}
		return made(m, b.String())
	}},
	{"encode", "self encoding= errors=", func(m *py.Machine, a []py.Value) py.Value { return encode(m, str(m, a), a[1], a[2]) }},
	{"translate", "self table", translate},
	{"maketrans", "cls x y= z=", makeTrans},
}

// title begins a word after every character that has no case.
func title(s string) string {
	cased := false
	return strings.Map(func(r rune) rune {
		was := cased
		cased = unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

func strip(left, right bool) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		s := str(m, a)
		drop := isSpace
		if Given(a[1]) {
			chars := Text(m, a[1], "strip arg")
			m.Work(len(chars) * len(s) / 256)
			drop = func(r rune) bool { return strings.ContainsRune(chars, r) }
		}
		if left {
			s = strings.TrimLeftFunc(s, drop)
		}
		if right {
			s = strings.TrimRightFunc(s, drop)
		}
		return made(m, s)
	}
}

func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func join(m *py.Machine, a []py.Value) py.Value {
	sep := str(m, a)
	items := ops.Items(m, a[1])
	size := len(sep) * max(len(items)-1, 0)
	if len(sep) > 0 {
		m.AllocN(max(len(items)-1, 0), len(sep))
	}
	for i, v := range items {
		s, ok := v.(py.Str)
		if !ok {
			py.Raise(m, py.TypeError, "sequence item %d: expected str instance, %s found", i, v.Type().FullName())
		}
		m.Alloc(len(s))
		size += len(s)
	}
	m.Work(len(items) / 16)
	var b strings.Builder
	b.Grow(size)
	for i, v := range items {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(string(v.(py.Str)))
	}
	return py.Str(b.String())
}

func replace(m *py.Machine, a []py.Value) py.Value {
	s, old, by := str(m, a), Text(m, a[1], "replace() argument 1"), Text(m, a[2], "replace() argument 2")
	n := strings.Count(s, old)
	if most := OptionalInt(m, a[3], -1); most >= 0 {
		n = min(n, most)
	}
	m.AllocN(n, len(by))
	m.Alloc(16 + len(s))
	return py.Str(strings.Replace(s, old, by, n))
}

// window is s[start:end], with its place in characters; ok is false beyond the end.
func window(m *py.Machine, s string, start, end py.Value) (part string, before int, ok bool) {
	if !Given(start) && !Given(end) {
		return s, 0, true
	}
	n := utf8.RuneCountInString(s)
	clamp := func(v py.Value, absent int) int {
		i := OptionalInt(m, v, absent)
		if i < 0 {
			i = max(i+n, 0)
		}
		return i
	}
	from, to := clamp(start, 0), min(clamp(end, n), n)
	if from > to {
		return "", 0, false
	}
	return s[offset(s, from):offset(s, to)], from, true
}

// offset is where the n-th character of s begins.
func offset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

func search(f func(s, sub string) int, must bool) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		s, before, ok := window(m, str(m, a), a[2], a[3])
		sub := Text(m, a[1], "the text to find")
		i := -1
		if ok {
			i = f(s, sub)
		}
		if i < 0 {
			if must {
				py.Raise(m, py.ValueError, "substring not found")
			}
			return py.Int(-1)
		}
		return py.Int(before + utf8.RuneCountInString(s[:i]))
	}
}

func affix(has func(s, part string) bool, name string) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		s, _, ok := window(m, str(m, a), a[2], a[3])
		if !ok {
			return py.Bool(false)
		}
		parts := []py.Value{a[1]}
		if t, ok := a[1].(*py.Tuple); ok {
			parts = t.Items
		}
		for _, p := range parts {
			part, isText := p.(py.Str)
			if !isText {
				py.Raise(m, py.TypeError, "%s first arg must be str or a tuple of str, not %s", name, p.Type().FullName())
			}
			if has(s, string(part)) {
				return py.Bool(true)
			}
		}
		return py.Bool(false)
	}
}

func justify(sides func(missing int) (left, right int)) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		s := str(m, a)
		left, right := sides(max(Integer(m, a[1])-utf8.RuneCountInString(s), 0))
		return padded(m, s, left, right, a[2])
	}
}

func padded(m *py.Machine, s string, left, right int, fill py.Value) py.Value {
	char := " "
	if fill != nil {
		char = Text(m, fill, "The fill character")
		if utf8.RuneCountInString(char) != 1 {
			py.Raise(m, py.TypeError, "The fill character must be exactly one character long")
		}
	}
	m.AllocN(left+right, len(char))
	m.Alloc(16 + len(s))
	return py.Str(strings.Repeat(char, left) + s + strings.Repeat(char, right))
}

// center puts the odd blank where CPython does.
func center(m *py.Machine, a []py.Value) py.Value {
	s, width := str(m, a), Integer(m, a[1])
	missing := max(width-utf8.RuneCountInString(s), 0)
	left := missing/2 + (missing & width & 1)
	return padded(m, s, left, missing-left, a[2])
}

func translate(m *py.Machine, a []py.Value) py.Value {
	table, ok := a[1].(*py.Dict)
	if !ok {
		py.Raise(m, py.TypeError, "translate() wants what str.maketrans returns")
	}
	var b strings.Builder
	for _, r := range str(m, a) {
		m.Step()
		switch by := table.Get(m, py.Int(r)).(type) {
		case nil:
			b.WriteRune(r)
		case py.Int:
			b.WriteRune(rune(by))
		case py.Str:
			m.Alloc(len(by))
			b.WriteString(string(by))
		}
	}
	return made(m, b.String())
}

func makeTrans(m *py.Machine, a []py.Value) py.Value {
	d := py.NewDict()
	m.Alloc(80)
	if from, ok := a[1].(*py.Dict); ok && a[2] == nil {
		for i := 0; ; {
			key, v, next := from.At(i)
			if key == nil {
				return d
			}
			i = next
			if s, ok := key.(py.Str); ok {
				r, _ := utf8.DecodeRuneInString(string(s))
				key = py.Int(r)
			}
			d.Set(m, key, v)
		}
	}
	from, to := []rune(Text(m, a[1], "maketrans() argument 1")), []rune(Text(m, a[2], "maketrans() argument 2"))
	if len(from) != len(to) {
		py.Raise(m, py.ValueError, "the first two maketrans arguments must have equal length")
	}
	for i, r := range from {
		d.Set(m, py.Int(r), py.Int(to[i]))
	}
	if a[3] != nil {
		for _, r := range Text(m, a[3], "maketrans() argument 3") {
			d.Set(m, py.Int(r), py.None)
		}
	}
	return d
}
