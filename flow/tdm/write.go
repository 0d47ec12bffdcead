package tdm

import (
	"fmt"
	"strings"
	"unicode"
)

// write prints one definition as the service took it, in a pair of braces.
func write(n *node) string {
	w := &writer{}
	w.line(0, "{")
	w.node(1, n)
	w.line(0, "}")
	return w.String()
}

type writer struct{ strings.Builder }

func (w *writer) line(depth int, s string) {
	w.WriteString(strings.Repeat("  ", depth) + s + "\n")
}

func (w *writer) node(depth int, n *node) {
	var b strings.Builder
	if n.keyword != "" {
		b.WriteString(n.keyword + " ")
	}
	b.WriteString(n.name)
	if n.typ != "" {
		b.WriteString(": " + n.typ)
	}
	if len(n.variables) > 0 {
		var vs []string
		for _, v := range n.variables {
			s := "$" + v.name + ": " + v.typ
			if v.required {
				s += "!"
			}
			if v.value != nil {
				s += " = " + v.value.String()
			}
			vs = append(vs, s)
		}
		b.WriteString("(" + strings.Join(vs, ", ") + ")")
	}
	b.WriteString(list(n.args))
	for _, d := range n.directives {
		b.WriteString(" @" + d.name + list(d.args))
	}
	if !n.hasBody {
		w.line(depth, b.String())
		return
	}
	w.line(depth, b.String()+" {")
	for _, c := range n.children {
		w.node(depth+1, c)
	}
	w.line(depth, "}")
}

func list(args []arg) string {
	if len(args) == 0 {
		return ""
	}
	var as []string
	for _, a := range args {
		as = append(as, a.name+": "+a.value.String())
	}
	return "(" + strings.Join(as, ", ") + ")"
}

// String writes a value as it is read.
func (v value) String() string {
	switch v.kind {
	case textValue:
		return quote(v.text)
	case variableValue:
		return "$" + v.text
	case listValue, objectValue:
		var parts []string
		for i, e := range v.list {
			s := e.String()
			if v.kind == objectValue {
				s = v.names[i] + ": " + s
			}
			parts = append(parts, s)
		}
		if v.kind == objectValue {
			return "{" + strings.Join(parts, ", ") + "}"
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return v.text
}

// quote writes a GraphQL string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x10000 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isGraphQLName reports whether s can be a name in a document.
func isGraphQLName(s string) bool {
	if s == "" || !isNameStart(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isNameStart(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// asText and asList make arguments.
func asText(name, s string) arg { return arg{name: name, value: value{kind: textValue, text: s}} }

func asList(name string, items []string) arg {
	v := value{kind: listValue}
	for _, s := range items {
		v.list = append(v.list, value{kind: textValue, text: s})
	}
	return arg{name: name, value: v}
}
