package tdm

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"pithings/quietlog"
)

type kind int

const (
	eof kind = iota
	name
	text    // a string, plain or block, without quotes and escapes
	integer // as written
	decimal // as written
	mark    // one of ! $ & ( ) : = @ [ ] { | }
)

type token struct {
	kind kind
	text string
	pos  Pos
}

// String names the token for messages.
func (t token) String() string {
	switch t.kind {
	case eof:
		return "the end of the document"
	case text:
		return fmt.Sprintf("the text %q", shorten(t.text))
	}
	return fmt.Sprintf("%q", shorten(t.text))
}

// shorten bounds what may repeat a document.
func shorten(s string) string { return quietlog.Clip(s, 40) }

// lexer reads GraphQL's tokens (GraphQL specification, October 2021, section 2.1
// and appendix B) and, beyond them, strings in single quotes, which the service
// took.
type lexer struct {
	src source
	at  int
	// the place that was computed last; places are asked in ascending order
	placed int // offset in src.original
	line   int32
	column int32
	gone   int // of src.removed
}

func newLexer(src source) *lexer { return &lexer{src: src, line: 1, column: 1} }

// pos is the place of an offset that is not before the last one asked for.
func (l *lexer) pos(offset int) Pos {
	for l.gone < len(l.src.removed) && l.src.removed[l.gone] <= offset {
		l.gone++
	}
	target := min(offset+l.gone, len(l.src.original))
	for l.placed < target {
		r, size := utf8.DecodeRuneInString(l.src.original[l.placed:])
		switch {
		case r == '\n', r == '\r' && !strings.HasPrefix(l.src.original[l.placed+1:], "\n"):
			l.line, l.column = l.line+1, 1
		default:
			l.column++
		}
		l.placed += size
	}
	return Pos{File: l.src.name, Line: l.line, Column: l.column}
}

func (l *lexer) problem(offset int, fix, format string, args ...any) error {
	return &problem{pos: l.pos(offset), what: fmt.Sprintf(format, args...), fix: fix}
}

// errEscaped says that a quote outside of any string is escaped.
type errEscaped struct{}

func (errEscaped) Error() string { return "escaped document" }

// next reads one token.
func (l *lexer) next() (token, error) {
	l.skip()
	start := l.at
	if start >= len(l.src.text) {
		return token{kind: eof, pos: l.pos(start)}, nil
	}
	c := l.src.text[start]
	switch {
	case strings.IndexByte("!$&():=@[]{|}", c) >= 0:
		l.at++
		return token{mark, string(c), l.pos(start)}, nil
	case isNameStart(c):
		for l.at < len(l.src.text) && (isNameStart(l.src.text[l.at]) || isDigit(l.src.text[l.at])) {
			l.at++
		}
		return token{name, l.src.text[start:l.at], l.pos(start)}, nil
	case isDigit(c) || c == '-':
		return l.number()
	case strings.HasPrefix(l.src.text[start:], `"""`):
		return l.block()
	case c == '"' || c == '\'':
		return l.quoted(c)
	case c == '\\':
		if rest := l.src.text[start+1:]; rest != "" && strings.IndexByte(`"nrt\`, rest[0]) >= 0 {
			return token{}, errEscaped{}
		}
		return token{}, l.problem(start, "remove it", `a \ outside of a string`)
	}
	r, _ := utf8.DecodeRuneInString(l.src.text[start:])
	switch r {
	case '“', '”', '„', '‘', '’', '«', '»':
		return token{}, l.problem(start, `write "`, "the typographic quotation mark %c", r)
	case '.':
		return token{}, l.problem(start, "write out what it stands for", "fragments (...) are not part of Things Graph's language")
	}
	return token{}, l.problem(start, "put text between \"quotes\"", "unexpected %q", r)
}

// skip passes over blanks, commas and comments, which mean nothing in GraphQL.
func (l *lexer) skip() {
	for l.at < len(l.src.text) {
		switch c := l.src.text[l.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',':
			l.at++
		case strings.HasPrefix(l.src.text[l.at:], "\ufeff"), strings.HasPrefix(l.src.text[l.at:], "\u00a0"):
			// a byte order mark; a blank that came along from a web page
			_, size := utf8.DecodeRuneInString(l.src.text[l.at:])
			l.at += size
		case c == '#':
			for l.at < len(l.src.text) && l.src.text[l.at] != '\n' && l.src.text[l.at] != '\r' {
				l.at++
			}
		default:
			return
		}
	}
}

func isNameStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }

func (l *lexer) number() (token, error) {
	start, t := l.at, l.src.text
	digits := func() bool {
		from := l.at
		for l.at < len(t) && isDigit(t[l.at]) {
			l.at++
		}
		return l.at > from
	}
	if t[l.at] == '-' {
		l.at++
	}
	ok, k := digits(), integer
	if ok && l.at < len(t) && t[l.at] == '.' {
		l.at++
		ok, k = digits(), decimal
	}
	if ok && l.at < len(t) && t[l.at]|0x20 == 'e' {
		l.at++
		if l.at < len(t) && (t[l.at] == '+' || t[l.at] == '-') {
			l.at++
		}
		ok, k = digits(), decimal
	}
	if !ok || l.at < len(t) && (isNameStart(t[l.at]) || t[l.at] == '.') {
		end := min(l.at+1, len(t))
		return token{}, l.problem(start, "put it between \"quotes\" if it is not a number", "%q is not a number", strings.ToValidUTF8(t[start:end], ""))
	}
	return token{k, t[start:l.at], l.pos(start)}, nil
}

// quoted reads a string on one line.
func (l *lexer) quoted(quote byte) (token, error) {
	start, t := l.at, l.src.text
	pos := l.pos(start)
	var b strings.Builder
	l.at++
	for l.at < len(t) {
		c := t[l.at]
		switch {
		case c == quote:
			l.at++
			return token{text, b.String(), pos}, nil
		case c == '\n' || c == '\r':
			return token{}, &problem{pos, "the string does not end on its line", fmt.Sprintf(`close it with %c, or write """ around several lines`, quote)}
		case c == '\\':
			if err := l.escape(&b); err != nil {
				return token{}, err
			}
		default:
			b.WriteByte(c)
			l.at++
		}
	}
	return token{}, &problem{pos, "the string does not end", fmt.Sprintf("close it with %c", quote)}
}

// escape reads one escape sequence (GraphQL specification, section 2.9.4, and \').
func (l *lexer) escape(b *strings.Builder) error {
	t, start := l.src.text, l.at
	if start+1 >= len(t) {
		return l.problem(start, `write \\ for a backslash`, "an escape at the end")
	}
	l.at += 2
	if i := strings.IndexByte(`"'\/bfnrt`, t[start+1]); i >= 0 {
		b.WriteByte("\"'\\/\b\f\n\r\t"[i])
		return nil
	}
	if t[start+1] != 'u' {
		r, _ := utf8.DecodeRuneInString(t[start+1:])
		return l.problem(start, `write \\ for a backslash`, `unknown escape \%c`, r)
	}
	r, ok := l.hex()
	if ok && utf16.IsSurrogate(r) && strings.HasPrefix(t[l.at:], `\u`) {
		l.at += 2
		low, lowOK := l.hex()
		r, ok = utf16.DecodeRune(r, low), lowOK
	}
	if !ok || !utf8.ValidRune(r) {
		return l.problem(start, `write \u and four hexadecimal digits`, "a broken unicode escape")
	}
	b.WriteRune(r)
	return nil
}

// hex reads the digits of a unicode escape, four or any number in braces.
func (l *lexer) hex() (rune, bool) {
	rest := l.src.text[l.at:]
	digits, size := "", 0
	if inner, braced := strings.CutPrefix(rest, "{"); braced {
		end := strings.IndexByte(inner, '}')
		if end < 1 || end > 6 {
			return 0, false
		}
		digits, size = inner[:end], end+2
	} else if len(rest) >= 4 {
		digits, size = rest[:4], 4
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return 0, false
	}
	l.at += size
	return rune(n), true
}

// block reads a string between three quotes; the common indentation is removed.
func (l *lexer) block() (token, error) {
	pos := l.pos(l.at)
	rest := l.src.text[l.at+3:]
	var raw strings.Builder
	for i := 0; i < len(rest); {
		switch {
		case strings.HasPrefix(rest[i:], `\"""`):
			raw.WriteString(`"""`)
			i += 4
		case strings.HasPrefix(rest[i:], `"""`):
			l.at += 3 + i + 3
			return token{text, dedent(raw.String()), pos}, nil
		default:
			raw.WriteByte(rest[i])
			i++
		}
	}
	return token{}, &problem{pos, "the block string does not end", `close it with """`}
}

// dedent is BlockStringValue of the GraphQL specification, section 2.9.4.
func dedent(raw string) string {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(raw), "\n")
	blank := func(s string) bool { return strings.Trim(s, " \t") == "" }
	common := -1
	for _, line := range lines[1:] {
		if indent := len(line) - len(strings.TrimLeft(line, " \t")); !blank(line) && (common < 0 || indent < common) {
			common = indent
		}
	}
	for i := 1; i < len(lines) && common > 0; i++ {
		lines[i] = lines[i][min(common, len(lines[i])):]
	}
	for len(lines) > 0 && blank(lines[0]) {
		lines = lines[1:]
	}
	for len(lines) > 0 && blank(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines, "\n")
}
