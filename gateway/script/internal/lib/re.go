package lib

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// reError is re.error.
var reError = py.NewType("error", py.Exception)

// pattern is what re.compile returns. The expression is one of Go's regexp, which takes
// time in proportion to the text and to the expression, and no more.
type pattern struct {
	source string
	text   string // of Go's expression, with its flags before it
	flags  string
	search *regexp.Regexp
	start  *regexp.Regexp // anchored at the beginning; made when it is used
	full   *regexp.Regexp // anchored at both ends; made when it is used
	behind *regexp.Regexp // behind a character; made when it is used
	size   int            // instructions
	names  []string
}

var (
	patternType = py.NewType("Pattern", py.ObjectType)
	matchType   = py.NewType("Match", py.ObjectType)
)

func (*pattern) Type() *py.Type { return patternType }

// Each counts the compiled expression.
func (p *pattern) Each(func(py.Value)) int { return 500 + 3*instructionCost*p.size }

// Attr returns pattern and groups.
func (p *pattern) Attr(_ *py.Machine, name string) py.Value {
	switch name {
	case "pattern":
		return py.Str(p.source)
	case "groups":
		return py.Int(len(p.names) - 1)
	}
	return nil
}

const (
	maxPattern      = 1000 // bytes of an expression
	maxInstructions = 5000 // of the compiled expression
	instructionCost = 64   // bytes
)

// The flags of re.
const (
	flagIgnoreCase = 2
	flagMultiline  = 8
	flagDotAll     = 16
	flagVerbose    = 64
	flagASCII      = 256
)

func compile(m *py.Machine, v py.Value, flags int) *pattern {
	if p, ok := v.(*pattern); ok {
		return p
	}
	source := builtin.Text(m, v, "a pattern")
	key := "re " + strconv.Itoa(flags) + " " + source
	if p, ok := m.Cached(key).(*pattern); ok {
		return p
	}
	if len(source) > maxPattern {
		py.Raise(m, reError, "a pattern of more than %d bytes", maxPattern)
	}
	if flags&flagVerbose != 0 {
		py.Raise(m, reError, "re.VERBOSE is not supported: write the pattern without blanks and comments")
	}
	translated := translatePattern(m, source, flags&flagASCII != 0)
	prefix := "(?"
	for flag, letter := range map[int]string{flagIgnoreCase: "i", flagMultiline: "m", flagDotAll: "s"} {
		if flags&flag != 0 {
			prefix += letter
		}
	}
	if prefix += ")"; prefix == "(?)" {
		prefix = ""
	}
	m.Work(len(source)) // also for one that is refused
	tree, err := syntax.Parse(prefix+translated, syntax.Perl)
	if err != nil {
		py.Raise(m, reError, "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	size := instructions(tree)
	if size > maxInstructions {
		py.Raise(m, reError, "the pattern is too large: its repetitions make %d steps", size)
	}
	m.Alloc(500 + 3*instructionCost*size)
	m.Work(size)
	p := &pattern{source: source, text: translated, flags: prefix, size: size}
	p.search = p.made(m, &p.search, "", "")
	p.names = p.search.SubexpNames()
	if size <= 200 {
		m.Cache(key, p)
	}
	return p
}

// made returns an expression of the pattern, and makes it at its first use.
func (p *pattern) made(m *py.Machine, re **regexp.Regexp, before, after string) *regexp.Regexp {
	if *re == nil {
		text := p.text
		if before != "" {
			text = before + "(?:" + text + ")" + after
		}
		made, err := regexp.Compile(p.flags + text)
		if err != nil {
			py.Raise(m, reError, "%s", err.Error())
		}
		*re = made
	}
	return *re
}

// instructions estimates the size of a compiled expression, repetitions written out.
func instructions(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += instructions(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Max, re.Min+1, 1)
	}
	return min(n, 1<<30)
}

// translatePattern turns Python's expression into Go's, and refuses what Go's has not.
func translatePattern(m *py.Machine, s string, ascii bool) string {
	refuse := func(what, instead string) {
		py.Raise(m, reError, "%s is not supported: %s", what, instead)
	}
	var b strings.Builder
	class := false
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			switch c := s[i]; {
			case c >= '1' && c <= '9' && !class:
				refuse("a reference to a group", "compare the groups after the match")
			case c == 'Z' && !class:
				b.WriteString(`\z`)
			default:
				b.WriteString(unicodeClass(rest[:2], class, ascii))
			}
		case class:
			if s[i] == ']' {
				class = false
			}
			if s[i] == '[' && !strings.HasPrefix(rest, "[:") {
				b.WriteByte('\\')
			}
			b.WriteByte(s[i])
		case s[i] == '[':
			class = true
			b.WriteByte('[')
			if strings.HasPrefix(s[i+1:], "^") {
				b.WriteByte('^')
				i++
			}
			if strings.HasPrefix(s[i+1:], "]") { // first, it stands for itself
				b.WriteString(`\]`)
				i++
			}
		case strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!"):
			refuse("looking ahead", "match more, and use a group")
		case strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"):
			refuse("looking behind", "match more, and use a group")
		case strings.HasPrefix(rest, "(?P="):
			refuse("a reference to a group", "compare the groups after the match")
		case strings.HasPrefix(rest, "(?("):
			refuse("a condition on a group", "use two patterns")
		case strings.HasPrefix(rest, "(?#"):
			end := strings.IndexByte(rest, ')')
			if end < 0 {
				py.Raise(m, reError, "missing ), unterminated comment")
			}
			i += end
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// unicodeClass is \w, \d or \s, which in Python know all letters, and in Go those of ASCII.
func unicodeClass(code string, inClass, ascii bool) string {
	inside, known := map[byte]string{'w': `\p{L}\p{N}_`, 'd': `\p{Nd}`, 's': `\s\v\x1c-\x1f\x85\p{Z}`}[code[1]|0x20]
	negated := code[1] < 'a'
	switch {
	case !known || ascii || inClass && negated:
		return code
	case inClass:
		return inside
	case negated:
		return "[^" + inside + "]"
	}
	return "[" + inside + "]"
}

// match is a match object.
type match struct {
	p    *pattern
	text string
	at   []int // pairs of byte offsets
}

func (*match) Type() *py.Type { return matchType }

// Each counts text and groups.
func (x *match) Each(func(py.Value)) int { return 96 + len(x.text) + 8*len(x.at) }

// Truth is true for every match.
func (*match) Truth() bool { return true }

// Attr returns string, re and lastindex.
func (x *match) Attr(_ *py.Machine, name string) py.Value {
	switch name {
	case "string":
		return py.Str(x.text)
	case "re":
		return x.p
	}
	return nil
}

// Index is m[group].
func (x *match) Index(m *py.Machine, key py.Value) py.Value { return x.group(m, key) }

func (x *match) number(m *py.Machine, key py.Value) int {
	if n, ok := py.ToInt(key); ok && n >= 0 && int(n) < len(x.p.names) {
		return int(n)
	}
	if s, ok := key.(py.Str); ok && s != "" {
		for i, name := range x.p.names {
			if name == string(s) {
				return i
			}
		}
	}
	py.Raise(m, py.IndexError, "no such group")
	return 0
}

func (x *match) nth(i int) py.Value {
	if x.at[2*i] < 0 {
		return py.None
	}
	return py.Str(x.text[x.at[2*i]:x.at[2*i+1]])
}

func (x *match) group(m *py.Machine, key py.Value) py.Value { return x.nth(x.number(m, key)) }

// position is a byte offset as a count of characters.
func (x *match) position(m *py.Machine, i, end int) py.Value {
	at := x.at[2*i+end]
	if at < 0 {
		return py.Int(-1)
	}
	m.Work(at / 64)
	return py.Int(utf8.RuneCountInString(x.text[:at]))
}

// expand replaces \1, \g<name> and the like in the template of sub.
func (x *match) expand(m *py.Machine, template string) string {
	var b strings.Builder
	put := func(s string) {
		m.Alloc(len(s))
		b.WriteString(s)
	}
	group := func(key py.Value) {
		if s, ok := x.group(m, key).(py.Str); ok {
			put(string(s))
		}
	}
	for i := 0; i < len(template); i++ {
		c := template[i]
		if c != '\\' || i+1 == len(template) {
			put(string([]byte{c}))
			continue
		}
		i++
		switch c := template[i]; {
		case c >= '0' && c <= '9':
			end := i + 1
			for end < len(template) && end < i+2 && template[end] >= '0' && template[end] <= '9' {
				end++
			}
			n, _ := strconv.Atoi(template[i:end])
			group(py.Int(n))
			i = end - 1
		case c == 'g' && strings.HasPrefix(template[i+1:], "<"):
			end := strings.IndexByte(template[i:], '>')
			if end < 0 {
				py.Raise(m, reError, "missing >, unterminated name")
			}
			name := template[i+2 : i+end]
			if n, err := strconv.Atoi(name); err == nil {
				group(py.Int(n))
			} else {
				group(py.Str(name))
			}
			i += end
		case c == 'n':
			put("\n")
		case c == 't':
			put("\t")
		case c == 'r':
			put("\r")
		case c == '\\':
			put(`\`)
		default:
			put(`\` + string([]byte{c}))
		}
	}
	return b.String()
}

func (p *pattern) sub(m *py.Machine, by py.Value, s string, most int) (string, int) {
	var b strings.Builder
	put := func(s string) {
		m.Alloc(len(s))
		b.WriteString(s)
	}
	from := 0
	found := p.all(m, s, most)
	for _, x := range found {
		put(s[from:x.at[0]])
		if t, ok := by.(py.Str); ok {
			put(x.expand(m, string(t)))
		} else {
			put(ops.ToStr(m, py.Call(m, by, x)))
		}
		from = x.at[1]
	}
	put(s[from:])
	return b.String(), len(found)
}
