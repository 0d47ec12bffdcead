package syntax

import "strings"

// atom reads a name, a literal, or what stands in brackets.
func (p *parser) atom() Expr {
	t, line := p.now(), p.line()
	switch t.kind {
	case kName:
		p.at++
		return &Name{Line: line, ID: t.text}
	case kNumber:
		p.at++
		return &Const{line, number(t)}
	case kString, kFString:
		return p.text()
	case kBytes:
		var b strings.Builder
		for ; p.now().kind == kBytes; p.at++ {
			b.WriteString(p.now().text)
		}
		if k := p.now().kind; k == kString || k == kFString {
			p.fail("cannot mix bytes and nonbytes literals", "")
		}
		return &Const{line, Bytes(b.String())}
	case kKeyword:
		switch t.text {
		case "None":
			p.at++
			return &Const{line, nil}
		case "True", "False":
			p.at++
			return &Const{line, t.text == "True"}
		case "lambda":
			return p.lambda()
		case "yield":
			p.fail("yield is not supported", "append to a list and return it")
		case "await", "async":
			p.fail(t.text+" is not supported", "call functions directly; a rule runs to its end")
		}
	case kOp:
		switch t.text {
		case "...":
			p.at++
			return &Const{line, Dots{}}
		case "(":
			return p.brackets('(', ")")
		case "[":
			return p.brackets('[', "]")
		case "{":
			return p.braces()
		}
	}
	p.unexpected("invalid syntax")
	return nil
}

// text reads strings that follow each other: they are one.
func (p *parser) text() Expr {
	line := p.line()
	var parts []Expr
	formatted := false
	add := func(s string) {
		if n := len(parts); n > 0 {
			if c, ok := parts[n-1].(*Const); ok {
				parts[n-1] = &Const{c.Line, c.Value.(string) + s}
				return
			}
		}
		parts = append(parts, &Const{line, s})
	}
	for ; ; p.at++ {
		switch t := p.now(); t.kind {
		case kString:
			add(t.text)
			continue
		case kFString:
			formatted = true
			for _, part := range p.fstring(t) {
				if c, ok := part.(*Const); ok {
					add(c.Value.(string))
				} else {
					parts = append(parts, part)
				}
			}
			continue
		case kBytes:
			p.fail("cannot mix bytes and nonbytes literals", "")
		}
		break
	}
	if !formatted {
		return parts[0]
	}
	return &Format{Line: line, Parts: parts}
}

// brackets reads (…) or […].
func (p *parser) brackets(kind byte, end string) Expr {
	defer p.nest()()
	line := p.line()
	p.at++
	if p.got(end) {
		return &Sequence{Line: line, Kind: kind}
	}
	first := p.element()
	if p.is("for") || p.is("async") {
		x := p.comprehension(kind, nil, first, line)
		p.want(end)
		return x
	}
	items := []Expr{first}
	comma := false
	for p.got(",") {
		comma = true
		if p.is(end) {
			break
		}
		items = append(items, p.element())
	}
	if !p.got(end) {
		p.unexpected("expected ',' or '" + end + "'")
	}
	if _, star := first.(*Starred); kind == '(' && !comma {
		if star {
			p.fail("cannot use starred expression here", "")
		}
		return first
	}
	return &Sequence{Line: line, Kind: kind, Items: items}
}

// braces reads a dict or a set.
func (p *parser) braces() Expr {
	defer p.nest()()
	line := p.line()
	p.at++
	d := &DictDisplay{Line: line}
	var items []Expr
	for first := true; !p.got("}"); first = false {
		if p.got("**") {
			d.Keys, d.Values = append(d.Keys, nil), append(d.Values, p.bitwise(0))
		} else {
			x := p.element()
			if p.got(":") {
				v := p.expr()
				if first && p.is("for") {
					c := p.comprehension(':', x, v, line)
					p.want("}")
					return c
				}
				d.Keys, d.Values = append(d.Keys, x), append(d.Values, v)
			} else {
				if first && p.is("for") {
					c := p.comprehension('{', nil, x, line)
					p.want("}")
					return c
				}
				items = append(items, x)
			}
		}
		if len(items) > 0 && len(d.Keys) > 0 {
			p.fail("':' expected after dictionary key", "")
		}
		if !p.is("}") && !p.got(",") {
			p.unexpected("expected ',' or '}'")
		}
	}
	if len(items) > 0 {
		return &Sequence{Line: line, Kind: '{', Items: items}
	}
	return d
}

// comprehension reads the clauses after an element.
func (p *parser) comprehension(kind byte, key, elem Expr, line Line) Expr {
	c := &Comprehension{Line: line, Kind: kind, Key: key, Elem: elem}
	if _, star := elem.(*Starred); star {
		p.fail("iterable unpacking cannot be used in comprehension", "use two for clauses")
	}
	if p.is("async") {
		p.fail("async is not supported", "")
	}
	for p.got("for") {
		clause := Clause{Target: p.targets()}
		p.want("in")
		clause.Iter = p.logic(true)
		for p.got("if") {
			if p.is("lambda") {
				clause.Conds = append(clause.Conds, p.lambda())
			} else {
				clause.Conds = append(clause.Conds, p.condition())
			}
		}
		c.Clauses = append(c.Clauses, clause)
	}
	return c
}

// condition reads a condition of a comprehension: "if" would begin the next one.
func (p *parser) condition() Expr {
	if p.now().kind == kName && p.ahead(1).text == ":=" {
		return p.named()
	}
	return p.logic(true)
}

func (p *parser) lambda() Expr {
	line := p.line()
	p.at++
	f := p.params(":")
	f.Name = "<lambda>"
	p.want(":")
	f.Expr = p.expr()
	return &Lambda{Line: line, Func: f}
}

// params reads parameters up to the token end.
func (p *parser) params(end string) *Function {
	f := &Function{Star: -1, StarStar: -1}
	seen := map[string]bool{}
	declare := func(name string) string {
		if seen[name] {
			p.fail("duplicate argument '"+name+"' in function definition", "")
		}
		seen[name] = true
		if end == ")" && p.got(":") {
			p.expr() // what an annotation says is not used
		}
		return name
	}
	keywordOnly, defaults := false, false
	for !p.is(end) {
		switch {
		case p.got("**"):
			f.starstar = declare(p.name())
		case p.got("*"):
			if keywordOnly {
				p.fail("* may appear only once in the parameters", "")
			}
			if keywordOnly = true; !p.is(",") {
				f.star = declare(p.name())
			}
		case p.got("/"):
			f.PosOnly = len(f.Params)
		default:
			param := Param{Name: declare(p.name())}
			if p.got("=") {
				param.Default = p.expr()
				defaults = true
			} else if defaults && !keywordOnly {
				p.fail("non-default argument follows default argument", "")
			}
			f.Params = append(f.Params, param)
			if !keywordOnly {
				f.Pos = len(f.Params)
			}
		}
		if !p.got(",") {
			break
		}
		if f.starstar != "" && !p.is(end) {
			p.fail("arguments cannot follow var-keyword argument", "")
		}
	}
	return f
}

// targets reads what a for assigns to.
func (p *parser) targets() Expr {
	line := p.line()
	one := func() Expr {
		if at := p.line(); p.got("*") {
			return &Starred{Line: at, X: p.primary()}
		}
		return p.primary()
	}
	x := one()
	if p.is(",") {
		items := []Expr{x}
		for p.got(",") && !p.endOfList() {
			items = append(items, one())
		}
		x = &Sequence{Line: line, Kind: '(', Items: items}
	}
	p.assignable(x)
	return x
}

// assignable refuses what cannot be assigned to.
func (p *parser) assignable(x Expr) {
	switch x := x.(type) {
	case *Name, *Attribute, *Index:
		return
	case *Starred:
		p.assignable(x.X)
		return
	case *Sequence:
		if x.Kind != '{' {
			stars := 0
			for _, i := range x.Items {
				if _, star := i.(*Starred); star {
					stars++
				}
				p.assignable(i)
			}
			if stars > 1 {
				fail(x.Pos(), "multiple starred expressions in assignment", "")
			}
			return
		}
	case *Call:
		fail(x.Pos(), "cannot assign to function call", "write == to compare")
	case *Const:
		fail(x.Pos(), "cannot assign to literal", "write == to compare")
	}
	fail(x.Pos(), "cannot assign to expression", "write == to compare")
}

// fstring reads the text of an f-string into constants and fields.
func (p *parser) fstring(t token) []Expr {
	defer p.nest()()
	f := &fstring{p: p, text: t.text, raw: t.raw, line: t.line}
	parts := f.parts(0)
	if f.at < len(f.text) {
		fail(t.line, "f-string: single '}' is not allowed", "write }}")
	}
	return parts
}
