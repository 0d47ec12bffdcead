package lib

import (
	"strings"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// searching is a function of re that is a method of patterns, too. Its first argument is
// the pattern; flags follow the others.
type searching struct {
	name, params string
	fn           func(m *py.Machine, p *pattern, a []py.Value) py.Value
}

func subject(m *py.Machine, v py.Value) string { return builtin.Text(m, v, "the text to search") }

func orNone(x *match) py.Value {
	if x == nil {
		return py.None
	}
	return x
}

var searchings = []searching{
	{"search", "string", func(m *py.Machine, p *pattern, a []py.Value) py.Value {
		return orNone(p.find(m, p.search, subject(m, a[0])))
	}},
	{"match", "string", func(m *py.Machine, p *pattern, a []py.Value) py.Value {
		return orNone(p.find(m, p.made(m, &p.start, `\A`, ``), subject(m, a[0])))
	}},
	{"fullmatch", "string", func(m *py.Machine, p *pattern, a []py.Value) py.Value {
		return orNone(p.find(m, p.made(m, &p.full, `\A`, `\z`), subject(m, a[0])))
	}},
	{"findall", "string", func(m *py.Machine, p *pattern, a []py.Value) py.Value {
		l := &py.List{}
		for _, x := range p.all(m, subject(m, a[0]), 0) {
			m.Alloc(64)
			l.Items = append(l.Items, x.found())
		}
		return l
	}},
	{"finditer", "string", func(m *py.Machine, p *pattern, a []py.Value) py.Value {
		var items []py.Value
		for _, x := range p.all(m, subject(m, a[0]), 0) {
			items = append(items, x)
		}
		return ops.Over(items)
	}},
	{"split", "string maxsplit=", func(m *py.Machine, p *pattern, a []py.Value) py.Value {
		s, from := subject(m, a[0]), 0
		l := &py.List{}
		add := func(v py.Value) {
			m.Alloc(48)
			l.Items = append(l.Items, v)
		}
		for _, x := range p.all(m, s, builtin.OptionalInt(m, a[1], 0)) {
			add(py.Str(s[from:x.at[0]]))
			for i := 1; i < len(p.names); i++ {
				add(x.nth(i))
			}
			from = x.at[1]
		}
		add(py.Str(s[from:]))
		return l
	}},
	{"sub", "repl string count=", func(m *py.Machine, p *pattern, a []py.Value) py.Value {
		s, _ := p.sub(m, a[0], subject(m, a[1]), builtin.OptionalInt(m, a[2], 0))
		return py.Str(s)
	}},
	{"subn", "repl string count=", func(m *py.Machine, p *pattern, a []py.Value) py.Value {
		s, n := p.sub(m, a[0], subject(m, a[1]), builtin.OptionalInt(m, a[2], 0))
		return py.NewTuple(py.Str(s), py.Int(n))
	}},
}

// found is a match as findall lists it: the groups, or all when there are none.
func (x *match) found() py.Value {
	text := func(i int) py.Value {
		if v := x.nth(i); v != py.None {
			return v
		}
		return py.Str("")
	}
	switch n := len(x.p.names); n {
	case 1:
		return text(0)
	case 2:
		return text(1)
	default:
		t := &py.Tuple{}
		for i := 1; i < n; i++ {
			t.Items = append(t.Items, text(i))
		}
		return t
	}
}

func matchOf(a []py.Value) *match { x, _ := a[0].(*match); return x }

// groupNumber is an optional group, by default the whole match.
func groupNumber(m *py.Machine, a []py.Value) int {
	if a[1] == nil {
		return 0
	}
	return matchOf(a).number(m, a[1])
}

func absentGroup(v py.Value) py.Value {
	if v == nil {
		return py.None
	}
	return v
}

var matchMethods = []def{
	{"groups", "self default=", func(m *py.Machine, a []py.Value) py.Value {
		t := &py.Tuple{}
		x := matchOf(a)
		m.AllocN(len(x.p.names)+3, 32)
		for i := 1; i < len(x.p.names); i++ {
			v := x.nth(i)
			if v == py.None {
				v = absentGroup(a[1])
			}
			t.Items = append(t.Items, v)
		}
		return t
	}},
	{"groupdict", "self default=", func(m *py.Machine, a []py.Value) py.Value {
		m.Alloc(80)
		d, x := py.NewDict(), matchOf(a)
		for i, name := range x.p.names {
			if name != "" {
				v := x.nth(i)
				if v == py.None {
					v = absentGroup(a[1])
				}
				d.Set(m, py.Str(name), v)
			}
		}
		return d
	}},
	{"start", "self group=", func(m *py.Machine, a []py.Value) py.Value { return matchOf(a).position(m, groupNumber(m, a), 0) }},
	{"end", "self group=", func(m *py.Machine, a []py.Value) py.Value { return matchOf(a).position(m, groupNumber(m, a), 1) }},
	{"span", "self group=", func(m *py.Machine, a []py.Value) py.Value {
		i := groupNumber(m, a)
		return py.NewTuple(matchOf(a).position(m, i, 0), matchOf(a).position(m, i, 1))
	}},
	{"expand", "self template", func(m *py.Machine, a []py.Value) py.Value {
		return py.Str(matchOf(a).expand(m, builtin.Text(m, a[1], "the template")))
	}},
}

func reModule() map[string]py.Value {
	reError.Module, patternType.Module, matchType.Module = "re", "re", "re"
	items := map[string]py.Value{"error": reError, "Pattern": patternType, "Match": matchType}
	for name, flag := range map[string]py.Int{
		"I": flagIgnoreCase, "IGNORECASE": flagIgnoreCase, "M": flagMultiline, "MULTILINE": flagMultiline,
		"S": flagDotAll, "DOTALL": flagDotAll, "X": flagVerbose, "VERBOSE": flagVerbose, "A": flagASCII, "ASCII": flagASCII, "U": 32, "UNICODE": 32,
	} {
		items[name] = flag
	}
	items["compile"] = builtin.Function("compile", "pattern flags=", func(m *py.Machine, a []py.Value) py.Value {
		return compile(m, a[0], builtin.OptionalInt(m, a[1], 0))
	})
	items["escape"] = builtin.Function("escape", "pattern", func(m *py.Machine, a []py.Value) py.Value {
		s := subject(m, a[0])
		m.Alloc(2 * len(s))
		var b strings.Builder
		for _, r := range s {
			if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		return py.Str(b.String())
	})
	items["purge"] = builtin.Function("purge", "", nothing)
	for _, f := range searchings {
		n := len(strings.Fields(f.params))
		items[f.name] = builtin.Function(f.name, "pattern "+f.params+" flags=", func(m *py.Machine, a []py.Value) py.Value {
			return f.fn(m, compile(m, a[0], builtin.OptionalInt(m, a[n+1], 0)), a[1:n+1])
		})
		builtin.Method(patternType, f.name, "self "+f.params, func(m *py.Machine, a []py.Value) py.Value {
			p, _ := a[0].(*pattern)
			return f.fn(m, p, a[1:])
		})
	}
	methods(matchType, matchMethods)
	matchType.Attrs["group"] = &py.Builtin{Name: "group", Method: true, Owner: matchType, Raw: func(m *py.Machine, a py.Args) py.Value {
		x := matchOf(a.Pos)
		switch keys := a.Pos[1:]; len(keys) {
		case 0:
			return x.nth(0)
		case 1:
			return x.group(m, keys[0])
		default:
			t := &py.Tuple{}
			m.AllocN(len(keys)+3, 32)
			for _, k := range keys {
				t.Items = append(t.Items, x.group(m, k))
			}
			return t
		}
	}}
	return items
}
