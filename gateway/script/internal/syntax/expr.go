package syntax

import "strings"

// expr reads an expression without commas.
func (p *parser) expr() Expr {
	defer p.nest()()
	line := p.line()
	if p.is("lambda") {
		return p.lambda()
	}
	x := p.logic(true)
	if !p.got("if") {
		return x
	}
	test := p.logic(true)
	if !p.is("else") {
		p.unexpected("expected 'else' after 'if' expression")
	}
	p.at++
	return &Conditional{Line: line, Test: test, Then: x, Else: p.expr()}
}

// named reads an expression that may be an assignment by :=.
func (p *parser) named() Expr {
	if p.now().kind == kName && p.ahead(1).kind == kOp && p.ahead(1).text == ":=" {
		line := p.line()
		target := &Name{Line: line, ID: p.name()}
		p.at++
		return &Assigned{Line: line, Target: target, Value: p.expr()}
	}
	return p.expr()
}

// list reads expressions with commas, starred ones too: a tuple if there is a comma.
func (p *parser) list() Expr {
	line := p.line()
	first := p.element()
	if !p.is(",") {
		return first
	}
	items := []Expr{first}
	for p.got(",") && !p.endOfList() {
		items = append(items, p.element())
	}
	return &Sequence{Line: line, Kind: '(', Items: items}
}

func (p *parser) element() Expr {
	if line := p.line(); p.got("*") {
		return &Starred{Line: line, X: p.bitwise(0)}
	}
	return p.named()
}

func (p *parser) endOfList() bool {
	switch t := p.now(); t.kind {
	case kNewline, kEnd:
		return true
	case kOp:
		return strings.Contains(") ] } = : ; ", t.text+" ") || strings.HasSuffix(t.text, "=") && t.text != "==" && t.text != "!="
	case kKeyword:
		return t.text == "in"
	}
	return false
}

func (p *parser) logic(or bool) Expr {
	word := "and"
	below := p.not
	if or {
		word, below = "or", func() Expr { return p.logic(false) }
	}
	line := p.line()
	x := below()
	for p.got(word) {
		x = &Logic{Line: line, Or: or, X: x, Y: below()}
	}
	return x
}

func (p *parser) not() Expr {
	if line := p.line(); p.got("not") {
		defer p.nest()()
		return &Unary{Line: line, Op: "not", X: p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() Expr {
	line := p.line()
	x := p.bitwise(0)
	op := p.comparator()
	if op == "" {
		return x
	}
	c := &Compare{Line: line, First: x}
	for ; op != ""; op = p.comparator() {
		c.Ops = append(c.Ops, op)
		c.Rest = append(c.Rest, p.bitwise(0))
	}
	return c
}

// comparator reads an operator of comparison, or returns "".
func (p *parser) comparator() string {
	t := p.now()
	if t.kind != kOp && t.kind != kKeyword {
		return ""
	}
	switch t.text {
	case "<", ">", "<=", ">=", "==", "!=", "in":
		p.at++
		return t.text
	case "not":
		if p.ahead(1).text == "in" {
			p.at += 2
			return "not in"
		}
	case "is":
		p.at++
		if p.got("not") {
			return "is not"
		}
		return "is"
	}
	return ""
}

// binaries are the operators between two operands, weakest first.
var binaries = [][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "//", "%", "@"}}

func (p *parser) bitwise(level int) Expr {
	if level == len(binaries) {
		return p.unary()
	}
	line := p.line()
	x := p.bitwise(level + 1)
	for terms := 0; ; terms++ {
		op := ""
		for _, o := range binaries[level] {
			if p.is(o) {
				op = o
			}
		}
		if op == "" {
			return x
		}
		if op == "@" {
			p.fail("the operator @ is not supported", "")
		}
		if terms == 1000 {
			p.fail("an expression of more than 1000 terms", "split it")
		}
		p.at++
		x = &Binary{Line: line, Op: op, X: x, Y: p.bitwise(level + 1)}
	}
}

func (p *parser) unary() Expr {
	line := p.line()
	for _, op := range []string{"-", "+", "~"} {
		if p.got(op) {
			defer p.nest()()
			x := p.unary()
			if c, ok := x.(*Const); ok && op == "-" {
				switch v := c.Value.(type) {
				case int64:
					if v != 0 {
						return &Const{line, -v}
					}
				case float64:
					return &Const{line, -v}
				}
			}
			return &Unary{Line: line, Op: op, X: x}
		}
	}
	x := p.primary()
	if p.got("**") {
		defer p.nest()()
		return &Binary{Line: line, Op: "**", X: x, Y: p.unary()}
	}
	return x
}

// primary reads an atom with its calls, indices and attributes.
func (p *parser) primary() Expr {
	x := p.atom()
	for links := 0; ; links++ {
		line := p.line()
		if links == 200 {
			p.fail("a chain of more than 200 calls, indices and attributes", "split it")
		}
		switch {
		case p.got("."):
			x = &Attribute{Line: line, X: x, Name: p.name()}
		case p.got("("):
			x = p.call(x, line)
		case p.got("["):
			x = &Index{Line: line, X: x, Key: p.subscript()}
			p.want("]")
		default:
			return x
		}
	}
}

// subscript reads what stands between square brackets.
func (p *parser) subscript() Expr {
	line := p.line()
	one := func() Expr {
		if !p.is(":") {
			x := p.element()
			if !p.is(":") {
				return x
			}
			return p.slice(x, line)
		}
		return p.slice(nil, line)
	}
	first := one()
	if !p.is(",") {
		return first
	}
	items := []Expr{first}
	for p.got(",") && !p.is("]") {
		items = append(items, one())
	}
	return &Sequence{Line: line, Kind: '(', Items: items}
}

func (p *parser) slice(low Expr, line Line) Expr {
	s := &Slice{Line: line, Low: low}
	p.want(":")
	part := func() Expr {
		if p.is(":") || p.is("]") || p.is(",") {
			return nil
		}
		return p.expr()
	}
	s.High = part()
	if p.got(":") {
		s.Step = part()
	}
	return s
}

// call reads the arguments of a call, after its opening bracket.
func (p *parser) call(f Expr, line Line) Expr {
	c := &Call{Line: line, Func: f}
	seen := map[string]bool{}
	for !p.is(")") {
		at := p.line()
		switch {
		case p.got("**"):
			c.Keywords = append(c.Keywords, Keyword{"", p.expr()})
		case p.got("*"):
			c.Args = append(c.Args, &Starred{Line: at, X: p.expr()})
		case p.now().kind == kName && p.ahead(1).kind == kOp && p.ahead(1).text == "=":
			name := p.name()
			p.at++
			if seen[name] {
				p.fail("keyword argument repeated: "+name, "")
			}
			seen[name] = true
			c.Keywords = append(c.Keywords, Keyword{name, p.expr()})
		default:
			x := p.named()
			if p.is("for") {
				x = p.comprehension('(', nil, x, at)
			} else if len(c.Keywords) > 0 {
				p.fail("positional argument follows keyword argument", "")
			}
			c.Args = append(c.Args, x)
		}
		if !p.got(",") {
			break
		}
	}
	p.want(")")
	return c
}
