package expr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// String returns source that parses to the same tree, without a ${…} around it.
// Control characters are written as escapes, so that it can be longer than what
// was parsed, and then longer than MaxSource.
func (e *Expr) String() string {
	if e == nil {
		return ""
	}
	var b printer
	b.node(e.root, 0)
	return b.String()
}

// Text returns what ParseText reads back as the same tree: the text of a Macro
// with its ${…}, and any other expression in one ${…}.
func (e *Expr) Text() string {
	m, ok := e.root.(*Macro)
	if !ok {
		return "${" + e.String() + "}"
	}
	var b printer
	b.parts(m, func(s string) bool { return !strings.Contains(s, "${") })
	// Text that is nothing but one value would lose its being text; text that
	// begins as another expression does would be read as that.
	if s := b.String(); sameText(s, m) {
		return s
	}
	return "$" + e.String()
}

func sameText(s string, m *Macro) bool {
	back, err := ParseText(s)
	return err == nil && back.String() == New(m).String()
}

type printer struct{ strings.Builder }

// precedence is a place in levels, from 1; 0 is a conditional.
const (
	tightest = 100
	unary    = 50
)

func precedence(op string) int {
	for i, ops := range levels {
		for _, o := range ops {
			if o == op {
				return i + 1
			}
		}
	}
	return tightest
}

// node writes n, in parentheses if it binds looser than what is around it.
func (b *printer) node(n Node, around int) {
	own := tightest
	switch n := n.(type) {
	case *Conditional:
		own = 0
	case *Binary:
		own = precedence(n.Op)
	case *Unary, *Cast:
		own = unary
	}
	if own < around {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	switch n := n.(type) {
	case *Literal:
		b.literal(n.Value)
	case *List:
		b.list("[", n.Items, "]")
	case *Name:
		if _, word := words[strings.ToLower(n.Name)]; word {
			b.WriteByte('$')
		}
		b.WriteString(n.Name)
	case *Member:
		b.node(n.Of, tightest)
		if plainKey(n.Key) {
			b.WriteString("." + n.Key)
		} else {
			b.WriteByte('[')
			b.literal(n.Key)
			b.WriteByte(']')
		}
	case *Index:
		b.node(n.Of, tightest)
		fmt.Fprintf(b, "[%d]", n.Place)
	case *Filter:
		b.node(n.Of, tightest)
		b.WriteByte('[')
		b.node(n.Condition, 0)
		b.WriteByte(']')
	case *Call:
		if n.Of != nil {
			b.node(n.Of, tightest)
			b.WriteByte('.')
		}
		b.WriteString(n.Name)
		b.list("(", n.Args, ")")
	case *Unary:
		b.WriteString(n.Op)
		b.node(n.X, unary)
	case *Cast:
		b.WriteString("(" + n.Type + ")")
		b.node(n.X, unary)
	case *Binary:
		b.node(n.X, own)
		b.WriteString(" " + n.Op + " ")
		b.node(n.Y, own+1)
	case *Conditional:
		b.node(n.If, 1)
		b.WriteString(" ? ")
		b.node(n.Then, 0)
		b.WriteString(" : ")
		b.node(n.Else, 0)
	case *Macro:
		b.WriteString("macro(")
		paired := pairs(n)
		b.parts(n, func(s string) bool {
			return paired && !strings.Contains(s, "${")
		})
		b.WriteByte(')')
	}
}

// parts writes a macro's text and values; text that is not safe as it is stands
// in a ${'…'} of its own.
func (b *printer) parts(m *Macro, safe func(string) bool) {
	for _, part := range m.Parts {
		if l, ok := part.(*Literal); ok {
			if s, ok := l.Value.(string); ok && safe(s) {
				b.WriteString(s)
				continue
			}
		}
		b.WriteString("${")
		b.node(part, 0)
		b.WriteByte('}')
	}
}

// pairs reports whether the parentheses of a macro's text pair up.
func pairs(m *Macro) bool {
	depth := 0
	for _, part := range m.Parts {
		l, ok := part.(*Literal)
		if !ok {
			continue
		}
		s, _ := l.Value.(string)
		for _, c := range s {
			switch c {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth < 0 {
				return false
			}
		}
	}
	return depth == 0
}

// plainKey reports whether a key can stand behind a dot.
func plainKey(key string) bool {
	for i, r := range key {
		if !isLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return key != "" && !strings.EqualFold(key, "macro")
}

func (b *printer) list(left string, items []Node, right string) {
	b.WriteString(left)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		b.node(item, 0)
	}
	b.WriteString(right)
}

func (b *printer) literal(v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case uint64:
		b.WriteString(strconv.FormatUint(v, 10) + "UL")
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		b.WriteString(s)
	case string:
		b.quote(v)
	}
}

func (b *printer) quote(s string) {
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x10000 && !unicode.IsPrint(r):
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
}
