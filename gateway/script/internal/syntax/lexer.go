package syntax

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexer cuts a source into tokens. Blocks are marked by kIndent and kDedent.
type lexer struct {
	src     string
	at      int
	line    int
	open    int // brackets that are open: newlines count for nothing
	indents []int
	tokens  []token

	brackets []token // those that are open, of the source itself
}

// lex returns the tokens of a source, the last of which is kEnd. firstLine is the line
// that the source begins at; inside is for an expression in an f-string, which has no blocks.
func lex(src string, firstLine int, inside bool) []token {
	l := &lexer{src: src, line: firstLine, indents: []int{0}}
	if inside {
		l.open = 1
	} else {
		l.indent()
	}
	for l.at < len(l.src) {
		l.next()
	}
	if n := len(l.brackets); n > 0 {
		fail(l.brackets[n-1].line, "'"+l.brackets[n-1].text+"' was never closed", "")
	}
	if !inside {
		l.end()
	}
	l.add(kEnd, "")
	return l.tokens
}

func (l *lexer) add(k kind, text string) {
	l.tokens = append(l.tokens, token{kind: k, text: text, line: l.line})
}

// end closes the last line and all blocks.
func (l *lexer) end() {
	if n := len(l.tokens); n > 0 && l.tokens[n-1].kind != kNewline && l.tokens[n-1].kind != kDedent {
		l.add(kNewline, "")
	}
	for ; len(l.indents) > 1; l.indents = l.indents[:len(l.indents)-1] {
		l.add(kDedent, "")
	}
}

func (l *lexer) peek(n int) byte {
	if l.at+n < len(l.src) {
		return l.src[l.at+n]
	}
	return 0
}

// indent reads the white space at the beginning of a line, and skips empty lines.
func (l *lexer) indent() {
	for {
		column := 0
		for ; ; l.at++ {
			switch l.peek(0) {
			case ' ':
				column++
				continue
			case '\t':
				column = column/8*8 + 8
				continue
			case '\f':
				column = 0
				continue
			}
			break
		}
		switch {
		case l.at >= len(l.src):
			return
		case l.peek(0) == '#':
			l.comment()
		case l.peek(0) != '\n':
			l.block(column)
			return
		}
		if l.peek(0) == '\n' {
			l.at++
			l.line++
		}
	}
}

// block compares the indentation of a line with that of the blocks around it.
func (l *lexer) block(column int) {
	top := func() int { return l.indents[len(l.indents)-1] }
	if column > top() {
		l.indents = append(l.indents, column)
		l.add(kIndent, "")
		if len(l.indents) > maxNesting {
			fail(l.line, "blocks are nested too deep", "move inner blocks into functions")
		}
	}
	for column < top() {
		l.indents = l.indents[:len(l.indents)-1]
		l.add(kDedent, "")
	}
	if column != top() {
		fail(l.line, "unindent does not match any outer indentation level", "indent every line of a block alike, with spaces or with tabs")
	}
}

func (l *lexer) comment() {
	for l.at < len(l.src) && l.src[l.at] != '\n' {
		l.at++
	}
}

// next reads one token.
func (l *lexer) next() {
	c := l.peek(0)
	switch {
	case c == '\n':
		l.at++
		if l.open == 0 {
			l.add(kNewline, "")
			l.line++
			l.indent()
			return
		}
		l.line++
	case c == ' ', c == '\t', c == '\f':
		l.at++
	case c == '\\' && l.peek(1) == '\n':
		l.at += 2
		l.line++
	case c == '#':
		l.comment()
	case isDigit(c), c == '.' && isDigit(l.peek(1)):
		l.number()
	case c == '"', c == '\'':
		l.literal("")
	case isNameStart(l.src[l.at:]):
		l.name()
	default:
		l.operator()
	}
}

func (l *lexer) name() {
	from := l.at
	for l.at < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.at:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) {
			break
		}
		l.at += n
	}
	word := l.src[from:l.at]
	if c := l.peek(0); (c == '"' || c == '\'') && isPrefix(word) {
		l.literal(strings.ToLower(word))
		return
	}
	if keywords[word] {
		l.add(kKeyword, word)
		return
	}
	l.add(kName, word)
}

func (l *lexer) operator() {
	c := l.src[l.at]
	op := ""
	for _, o := range operators {
		if strings.HasPrefix(l.src[l.at:], o) {
			op = o
			break
		}
	}
	if op == "" {
		if strings.IndexByte("+-*/%@&|^~<>()[]{},:.;=!", c) < 0 {
			r, _ := utf8.DecodeRuneInString(l.src[l.at:])
			fix := ""
			if c == '`' {
				fix = "write repr(x)"
			}
			fail(l.line, fmt.Sprintf("invalid character %q", r), fix)
		}
		op = string(c)
	}
	switch op {
	case "(", "[", "{":
		l.open++
		l.brackets = append(l.brackets, token{text: op, line: l.line})
	case ")", "]", "}":
		n := len(l.brackets)
		if n == 0 {
			fail(l.line, "unmatched '"+op+"'", "")
		}
		if opener := l.brackets[n-1].text; strings.Index("([{", opener) != strings.Index(")]}", op) {
			fail(l.line, "closing '"+op+"' does not match opening '"+opener+"'", "")
		}
		l.open--
		l.brackets = l.brackets[:n-1]
	case "<>":
		fail(l.line, "<> is of Python 2", "write !=")
	}
	l.add(kOp, op)
	l.at += len(op)
}

func (l *lexer) number() {
	from := l.at
	based := l.peek(0) == '0' && strings.IndexByte("xXoObB", l.peek(1)) >= 0 && l.peek(1) != 0
	if based {
		l.at += 2
	}
	// There is one point, and none in an exponent: 1.5.hex() takes an attribute.
	point, exponent := based, based
	for ; l.at < len(l.src); l.at++ {
		c := l.src[l.at]
		switch {
		case isDigit(c), c == '_':
		case c == '.' && !point:
			point = true
		case based && (c|0x20 >= 'a' && c|0x20 <= 'f'):
		case !exponent && c|0x20 == 'e' && (isDigit(l.peek(1)) || (l.peek(1) == '+' || l.peek(1) == '-') && isDigit(l.peek(2))):
			l.at++
			point, exponent = true, true
		default:
			if c|0x20 == 'j' && !based {
				fail(l.line, "complex numbers are not supported", "")
			}
			if isNameStart(l.src[l.at:]) && !l.keywordHere() {
				fail(l.line, "invalid decimal literal", "")
			}
			l.add(kNumber, l.src[from:l.at])
			return
		}
	}
	l.add(kNumber, l.src[from:l.at])
}

// keywordHere reports whether a keyword follows a number at once, as in "1if x else 2".
func (l *lexer) keywordHere() bool {
	end := l.at
	for end < len(l.src) && l.src[end] >= 'a' && l.src[end] <= 'z' {
		end++
	}
	return keywords[l.src[l.at:end]]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameStart(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '_' || unicode.IsLetter(r)
}
