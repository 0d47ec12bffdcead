package expr

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parse reads an expression. A source that is wholly wrapped in ${…} is what the
// wrapper holds.
func Parse(source string) (*Expr, error) {
	p, err := newParser(source)
	if err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.t.kind != end {
		return nil, p.unexpected("an operator")
	}
	return &Expr{n}, nil
}

// whole reads a text that is one ${…} or one $macro(…), or returns nil.
func (p *parser) whole() (Node, error) {
	isMacro := strings.HasPrefix(strings.TrimSpace(p.src), "$macro(")
	if err := p.advance(); err != nil || p.t.kind != open && !isMacro {
		return nil, nil // what is wrong is found again, in the text
	}
	n, err := p.primary()
	switch {
	case err == nil && p.t.kind == end:
		return n, nil
	case isMacro && err == nil:
		return nil, p.unexpected("the end of the text")
	case isMacro:
		return nil, err
	}
	return nil, nil
}

type parser struct {
	lexer
	t     token
	prev  int // byte after the token before
	depth int
}

func newParser(source string) (*parser, error) {
	if len(source) > MaxSource {
		return nil, fmt.Errorf("an expression of %d bytes is longer than %d", len(source), MaxSource)
	}
	if !utf8.ValidString(source) {
		return nil, fmt.Errorf("an expression is not valid UTF-8")
	}
	return &parser{lexer: lexer{src: source}}, nil
}

func (p *parser) advance() (err error) {
	p.prev = p.t.after
	p.t, err = p.lexer.next()
	return err
}

func (p *parser) is(s string) bool { return p.t.kind == sign && p.t.text == s }

func (p *parser) expect(s string) error {
	if !p.is(s) {
		return p.unexpected(s)
	}
	return p.advance()
}

func (p *parser) unexpected(want string) error {
	if p.t.kind == end {
		return p.fail(p.t.at, "%s is missing", want)
	}
	return p.fail(p.t.at, "%s is wanted here", want)
}

func (p *parser) enter() error {
	p.depth++
	if p.depth > MaxDepth {
		return p.fail(p.t.at, "this is nested more than %d deep", MaxDepth)
	}
	return nil
}

// expression is a conditional.
func (p *parser) expression() (Node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	cond, err := p.binary(0)
	if err != nil || !p.is("?") {
		return cond, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	then, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	otherwise, err := p.expression()
	if err != nil {
		return nil, err
	}
	return &Conditional{cond, then, otherwise}, nil
}

// levels are the binary operators from the loosest on, as in Java; ?? binds
// tighter than the comparisons, so that a ?? 0 > 5 compares what it looks like.
var levels = [][]string{{"||"}, {"&&"}, {"==", "!="}, {"<", ">", "<=", ">="}, {"??"}, {"+", "-"}, {"*", "/", "%"}}

func (p *parser) binary(level int) (Node, error) {
	if level == len(levels) {
		return p.unary()
	}
	x, err := p.binary(level + 1)
	for n := 0; err == nil && p.t.kind == sign && slices.Contains(levels[level], p.t.text); n++ {
		if err := p.enter(); err != nil { // a chain is as deep as it is long
			return nil, err
		}
		defer func() { p.depth-- }()
		op := p.t.text
		if err := p.advance(); err != nil {
			return nil, err
		}
		var y Node
		if y, err = p.binary(level + 1); err == nil {
			x = &Binary{op, x, y}
		}
	}
	return x, err
}

func (p *parser) unary() (Node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if p.is("!") || p.is("-") {
		op := p.t.text
		if err := p.advance(); err != nil {
			return nil, err
		}
		x, err := p.unary()
		if err != nil {
			return nil, err
		}
		return &Unary{op, x}, nil
	}
	if p.is("(") {
		if typ, ok := p.castAhead(); ok {
			x, err := p.unary()
			if err != nil {
				return nil, err
			}
			return &Cast{typ, x}, nil
		}
	}
	return p.postfix()
}

// castAhead reads "(type)" if that is what comes and an operand follows.
func (p *parser) castAhead() (string, bool) {
	saved := *p
	if p.advance() == nil && p.t.kind == name {
		typ := strings.ToLower(p.t.text)
		if castable(typ) && p.advance() == nil && p.is(")") && p.advance() == nil {
			switch {
			case p.t.kind == name, p.t.kind == literal, p.t.kind == open, p.t.kind == macro,
				p.is("("), p.is("["), p.is("-"), p.is("!"):
				return typ, true
			}
		}
	}
	*p = saved
	return "", false
}

// postfix is an operand with what follows it: .key /key [condition] .method(…)
func (p *parser) postfix() (Node, error) {
	x, err := p.primary()
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		if n == MaxDepth {
			return nil, p.fail(p.t.at, "a path has more than %d parts", MaxDepth)
		}
		switch {
		case p.is("."), p.is("/") && p.slashAhead(x):
			if err := p.advance(); err != nil {
				return nil, err
			}
			if p.t.kind == macro || p.t.kind == name && strings.EqualFold(p.t.text, "macro") {
				return nil, p.fail(p.t.at, "macro stands alone, not behind a dot; write ['macro'] for a key of that name")
			}
			if p.t.kind != name {
				return nil, p.unexpected("a name")
			}
			key := p.t.text
			if err := p.advance(); err != nil {
				return nil, err
			}
			if !p.is("(") {
				x = &Member{x, key}
				continue
			}
			args, err := p.list("(", ")")
			if err != nil {
				return nil, err
			}
			x = &Call{x, key, args}
		case p.is("["):
			if x, err = p.bracket(x); err != nil {
				return nil, err
			}
		default:
			return x, nil
		}
	}
}

// slashAhead distinguishes a path a/b from a division: no blank on either side of the
// slash, a letter behind it, and a path before it.
func (p *parser) slashAhead(x Node) bool {
	switch x.(type) {
	case *Name, *Member, *Filter, *Index:
	default:
		return false
	}
	if p.prev != p.t.at || p.t.after == len(p.src) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.t.after:])
	return isLetter(r)
}

// bracket is what stands behind a list: a place, a key, or a condition.
func (p *parser) bracket(of Node) (Node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	inner, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect("]"); err != nil {
		return nil, err
	}
	if l, ok := inner.(*Literal); ok {
		switch v := l.Value.(type) {
		case int64:
			if v > 1<<31-1 {
				return nil, p.fail(p.t.at, "a place in a list is this large in no list")
			}
			return &Index{of, int(v)}, nil
		case string:
			return &Member{of, v}, nil
		}
	}
	return &Filter{of, inner}, nil
}

// list is bracketed and separated by commas.
func (p *parser) list(left, right string) ([]Node, error) {
	if err := p.expect(left); err != nil {
		return nil, err
	}
	var items []Node
	for !p.is(right) {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, p.advance()
}

var words = map[string]any{"true": true, "false": false, "null": nil}

func (p *parser) primary() (Node, error) {
	t := p.t
	switch t.kind {
	case literal:
		return &Literal{t.value}, p.advance()
	case macro:
		n, err := p.macroText(true)
		if err != nil {
			return nil, err
		}
		return n, p.advance()
	case open:
		if err := p.advance(); err != nil {
			return nil, err
		}
		n, err := p.expression()
		if err != nil {
			return nil, err
		}
		return n, p.expect("}")
	case name:
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.is("(") {
			if strings.EqualFold(t.text, "macro") {
				return nil, p.fail(t.at, "write macro( without a blank")
			}
			args, err := p.list("(", ")")
			if err != nil {
				return nil, err
			}
			return &Call{nil, t.text, args}, nil
		}
		if p.src[t.at] != '$' {
			if v, ok := words[strings.ToLower(t.text)]; ok {
				return &Literal{v}, nil
			}
		}
		return &Name{t.text}, nil
	case sign:
		switch t.text {
		case "(":
			if err := p.advance(); err != nil {
				return nil, err
			}
			n, err := p.expression()
			if err != nil {
				return nil, err
			}
			return n, p.expect(")")
		case "[":
			items, err := p.list("[", "]")
			if err != nil {
				return nil, err
			}
			return &List{items}, nil
		}
	}
	return nil, p.unexpected("a value")
}
