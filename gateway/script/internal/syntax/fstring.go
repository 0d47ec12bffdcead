package syntax

import "strings"

// fstring reads the text between the quotes of an f-string.
type fstring struct {
	p    *parser
	text string
	raw  bool
	at   int
	line int
}

// parts reads literal text and fields. Inside a format (depth > 0) it ends before "}".
func (f *fstring) parts(depth int) []Expr {
	var parts []Expr
	var lit strings.Builder
	flush := func() {
		if lit.Len() == 0 {
			return
		}
		s := lit.String()
		if !f.raw {
			s = unescape(s, f.line, false)
		}
		parts = append(parts, &Const{Line(f.line), s})
		lit.Reset()
	}
	for f.at < len(f.text) {
		c := f.text[f.at]
		doubled := f.at+1 < len(f.text) && f.text[f.at+1] == c && depth == 0
		switch {
		case (c == '{' || c == '}') && doubled:
			lit.WriteByte(c)
			f.at += 2
		case c == '}':
			flush()
			return parts
		case c == '{':
			flush()
			f.at++
			parts = f.field(parts, depth)
		case c == '\\' && !f.raw && strings.HasPrefix(f.text[f.at:], `\N{`):
			fail(f.line, `\N{…} in a string is not supported`, "write the character")
		default:
			if c == '\\' && f.at+1 < len(f.text) && f.text[f.at+1] != '{' && f.text[f.at+1] != '}' {
				lit.WriteByte(c)
				f.at++
			}
			lit.WriteByte(f.text[f.at])
			f.at++
		}
	}
	flush()
	return parts
}

// field reads one field after its "{" and appends it to parts; f"{x=}" makes two parts.
func (f *fstring) field(parts []Expr, depth int) []Expr {
	if depth > 1 {
		fail(f.line, "f-string: expressions nested too deeply", "put the inner one into a variable")
	}
	source := f.expression()
	field := &Field{Line: Line(f.line)}
	body := strings.TrimRight(source, " \t\n")
	if n := len(body); n > 1 && body[n-1] == '=' && strings.IndexByte("=!<>", body[n-2]) < 0 {
		parts = append(parts, &Const{Line(f.line), source})
		field.Convert = 'r'
		source = body[:n-1]
	}
	if strings.TrimSpace(source) == "" {
		fail(f.line, "f-string: empty expression not allowed", "write {{ for a bracket")
	}
	if strings.Contains(source, "\\") {
		fail(f.line, "f-string expression part cannot include a backslash", "put it into a variable")
	}
	inner := &parser{tokens: lex(source, f.line, true), depth: f.p.depth}
	field.Value = inner.list()
	if inner.now().kind != kEnd {
		inner.unexpected("f-string: invalid syntax")
	}
	if f.peek() == '!' {
		if f.at+1 >= len(f.text) || strings.IndexByte("rsa", f.text[f.at+1]) < 0 {
			fail(f.line, "f-string: invalid conversion character: expected 's', 'r', or 'a'", "")
		}
		field.Convert = f.text[f.at+1]
		f.at += 2
	}
	if f.peek() == ':' {
		f.at++
		if field.Spec = f.parts(depth + 1); len(field.Spec) == 0 {
			field.Spec = []Expr{&Const{Line(f.line), ""}}
		}
		if field.Convert == 'r' && body != strings.TrimRight(source, " \t\n") {
			field.Convert = 0 // f"{x=:.2f}" formats the value itself
		}
	}
	if f.peek() != '}' {
		fail(f.line, "f-string: expecting '}'", "")
	}
	f.at++
	return append(parts, field)
}

func (f *fstring) peek() byte {
	if f.at < len(f.text) {
		return f.text[f.at]
	}
	return 0
}

// expression returns the source of a field's expression, up to "}", ":" or "!".
func (f *fstring) expression() string {
	from := f.at
	open := 0
	var quote byte
	for ; f.at < len(f.text); f.at++ {
		c := f.text[f.at]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '[' || c == '{':
			open++
		case open > 0 && (c == ')' || c == ']' || c == '}'):
			open--
		case open > 0:
		case c == '!' && f.at+1 < len(f.text) && f.text[f.at+1] == '=':
			f.at++
		case c == '}' || c == ':' || c == '!':
			return f.text[from:f.at]
		}
	}
	fail(f.line, "f-string: expecting '}'", "")
	return ""
}
