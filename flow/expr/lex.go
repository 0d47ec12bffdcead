package expr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pithings/quietlog"
)

type kind uint8

const (
	end     kind = iota
	name         // with or without $
	literal      // a number or a string
	sign         // an operator or a bracket
	open         // ${
	macro        // macro( or $macro(
)

type token struct {
	kind  kind
	text  string // of a name or sign
	value any    // of a literal
	at    int    // byte in the source
	after int    // byte after the token
}

// Error is what is wrong with a source, and where.
type Error struct {
	Source  string
	At      int // byte in the source, from 0
	Message string
}

// Error quotes the place.
func (e *Error) Error() string {
	rest := e.Source[min(e.At, len(e.Source)):]
	if rest == "" {
		return fmt.Sprintf("expression %s: at its end: %s", clip(e.Source), e.Message)
	}
	return fmt.Sprintf("expression %s: at %s: %s", clip(e.Source), clip(rest), e.Message)
}

// clip quotes a text, at no great length.
func clip(s string) string {
	return strconv.Quote(quietlog.Clip(s, 60))
}

// lexer cuts a source into tokens.
type lexer struct {
	src string
	pos int
}

func (l *lexer) fail(at int, format string, args ...any) error {
	return &Error{l.src, at, fmt.Sprintf(format, args...)}
}

// signs are all operators and brackets, longer ones first.
var signs = []string{"==", "!=", "<=", ">=", "&&", "||", "??",
	"<", ">", "!", "+", "-", "*", "/", "%", "?", ":", "(", ")", "[", "]", "}", ",", "."}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.pos]) >= 0 {
		l.pos++
	}
	at := l.pos
	t := token{at: at}
	if at == len(l.src) {
		t.after = at
		return t, nil
	}
	rest := l.src[at:]
	r, _ := utf8.DecodeRuneInString(rest)
	var err error
	switch {
	case strings.HasPrefix(rest, "${"):
		t.kind = open
		l.pos += 2
	case r == '\'' || r == '"':
		t.kind = literal
		t.value, err = l.text(r)
	case r >= '0' && r <= '9':
		t.kind = literal
		t.value, err = l.number()
	case r == '$' || isLetter(r):
		l.word(&t)
		if t.text == "" {
			err = l.fail(at, "a $ needs a name or {…} after it")
		}
	default:
		t.kind = sign
		for _, s := range signs {
			if strings.HasPrefix(rest, s) {
				t.text = s
				l.pos += len(s)
				t.after = l.pos
				return t, nil
			}
		}
		switch r {
		case '=':
			err = l.fail(at, "write == to compare")
		case '&', '|':
			err = l.fail(at, "write %c%c", r, r)
		default:
			err = l.fail(at, "the character %q means nothing here", r)
		}
	}
	t.after = l.pos
	return t, err
}

func isLetter(r rune) bool { return r == '_' || unicode.IsLetter(r) }

// word reads a name, or what opens a macro.
func (l *lexer) word(t *token) {
	start := l.pos
	if l.src[start] == '$' {
		start++
	}
	i := start
	for i < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[i:])
		if !isLetter(r) && (i == start || !unicode.IsDigit(r)) {
			break
		}
		i += size
	}
	t.kind, t.text, l.pos = name, l.src[start:i], i
	if strings.EqualFold(t.text, "macro") && strings.HasPrefix(l.src[i:], "(") {
		t.kind = macro
		l.pos++
	}
}

// number reads 123, 10L, 10UL, 1.5, 2e3.
func (l *lexer) number() (any, error) {
	at := l.pos
	text, float := l.digits()
	start := l.pos
	for l.pos < len(l.src) && (isLetter(rune(l.src[l.pos])) || l.digitAt(l.pos)) {
		l.pos++
	}
	unit := strings.ToUpper(l.src[start:l.pos])
	if float {
		return l.float(at, text, unit)
	}
	return l.integer(at, text, unit)
}

func (l *lexer) digitAt(i int) bool { return i < len(l.src) && l.src[i] >= '0' && l.src[i] <= '9' }

// digits reads a number without its unit. float: it has a point or an exponent.
func (l *lexer) digits() (text string, float bool) {
	at, i := l.pos, l.pos
	digits := func() {
		for l.digitAt(i) {
			i++
		}
	}
	digits()
	if strings.HasPrefix(l.src[i:], ".") && l.digitAt(i+1) {
		float = true
		i++
		digits()
	}
	if i < len(l.src) && (l.src[i] == 'e' || l.src[i] == 'E') {
		exp := i + 1
		if exp < len(l.src) && (l.src[exp] == '+' || l.src[exp] == '-') {
			exp++
		}
		if l.digitAt(exp) {
			float = true
			i = exp
			digits()
		}
	}
	l.pos = i
	return l.src[at:i], float
}

func (l *lexer) float(at int, text, unit string) (any, error) {
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case unit != "" && unit != "F" && unit != "D":
		return nil, l.fail(at, "this is no number")
	case err != nil:
		return nil, l.fail(at, "this number is too large")
	}
	return v, nil
}

func (l *lexer) integer(at int, text, unit string) (any, error) {
	v, err := strconv.ParseUint(text, 10, 64)
	switch {
	case !slices.Contains([]string{"", "L", "UL", "U", "F", "D"}, unit):
		return nil, l.fail(at, "this is no number; names begin with a letter")
	case err != nil:
		return nil, l.fail(at, "this number does not fit into 64 bits")
	case unit == "F" || unit == "D":
		return float64(v), nil
	case unit == "UL" || unit == "U" || v > 1<<63-1:
		return v, nil
	}
	return int64(v), nil
}

// text reads a quoted string.
func (l *lexer) text(quote rune) (string, error) {
	at := l.pos
	l.pos++
	var b strings.Builder
	for l.pos < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		l.pos += size
		switch r {
		case quote:
			return b.String(), nil
		case '\\':
			if err := l.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteRune(r)
		}
	}
	return "", l.fail(at, "this text lacks its closing %c", quote)
}

var escapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', '\\': '\\', '\'': '\'', '"': '"', '/': '/', '$': '$'}

func (l *lexer) escape(b *strings.Builder) error {
	at := l.pos - 1
	if l.pos == len(l.src) {
		return l.fail(at, "a backslash ends the text")
	}
	c := l.src[l.pos]
	l.pos++
	if plain, ok := escapes[c]; ok {
		b.WriteByte(plain)
		return nil
	}
	if c == 'u' && l.pos+4 <= len(l.src) {
		if v, err := strconv.ParseUint(l.src[l.pos:l.pos+4], 16, 16); err == nil {
			l.pos += 4
			b.WriteRune(rune(v)) // half of a surrogate pair becomes U+FFFD
			return nil
		}
	}
	return l.fail(at, `this escape is not known; known are \n \t \r \b \f \\ \' \" \/ \$ \uXXXX`)
}
