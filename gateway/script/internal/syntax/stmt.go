package syntax

import (
	"strings"
	"unicode/utf8"
)

// Parse reads a script. Its names are not resolved yet: see Resolve.
func Parse(source string) (body []Stmt, err error) {
	defer caught(&err)
	if len(source) > MaxSource {
		fail(1, "the script is longer than 256 KiB", "split it over several rules")
	}
	source = strings.TrimPrefix(source, "\ufeff")
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	if i := strings.IndexByte(source, 0); i >= 0 {
		fail(1+strings.Count(source[:i], "\n"), "the script has a NUL byte", "save it as text in UTF-8")
	}
	if !utf8.ValidString(source) {
		valid := strings.ToValidUTF8(source, "\x00")
		fail(1+strings.Count(valid[:strings.IndexByte(valid, 0)], "\n"), "the script has a character that is not UTF-8", "save it as text in UTF-8")
	}
	p := &statements{&parser{tokens: lex(source, 1, false)}}
	for p.now().kind != kEnd {
		body = append(body, p.stmt()...)
	}
	return body, nil
}

// ParseExpr reads one expression, as eval has it.
func ParseExpr(source string) (x Expr, err error) {
	defer caught(&err)
	p := &parser{tokens: lex(strings.TrimSpace(source), 1, true)}
	x = p.list()
	if p.now().kind != kEnd {
		p.unexpected("invalid syntax")
	}
	return x, nil
}

// stmt reads one statement, or several on one line.
func (p *statements) stmt() []Stmt {
	t := p.now()
	if t.kind == kNewline {
		p.at++
		return nil
	}
	if t.kind == kIndent {
		p.unexpected("unexpected indent")
	}
	if t.kind == kOp && t.text == "@" {
		p.fail("decorators are not supported", "write name = decorator(name) below the function")
	}
	if t.kind == kName && t.text == "match" && p.ahead(1).kind != kOp {
		p.fail("match is not supported", "write if and elif")
	}
	if t.kind == kKeyword {
		if compound := p.compound(t.text); compound != nil {
			return []Stmt{compound}
		}
	}
	return p.simpleLine()
}

// compound reads a statement with a block, or returns nil.
func (p *statements) compound(word string) Stmt {
	line := p.line()
	switch word {
	case "if":
		return p.conditional()
	case "while":
		p.at++
		s := &While{Line: line, Test: p.named()}
		s.Body, s.Else = p.loop()
		return s
	case "for":
		p.at++
		s := &For{Line: line, Target: p.targets()}
		p.want("in")
		s.Iter = p.list()
		s.Body, s.Else = p.loop()
		return s
	case "def":
		return p.def()
	case "class":
		return p.class()
	case "try":
		return p.try()
	case "with":
		return p.with()
	case "async":
		p.fail("async is not supported", "call functions directly; a rule runs to its end")
	}
	return nil
}

// block reads ":" and the statements that belong to it.
func (p *statements) block() []Stmt {
	defer p.nest()()
	p.want(":")
	if p.now().kind != kNewline {
		return p.simpleLine()
	}
	p.at++
	if p.now().kind != kIndent {
		p.fail("expected an indented block", "write pass for an empty one")
	}
	p.at++
	var body []Stmt
	for p.now().kind != kDedent && p.now().kind != kEnd {
		body = append(body, p.stmt()...)
	}
	p.at++
	return body
}

func (p *statements) loop() (body, otherwise []Stmt) {
	body = p.block()
	if p.got("else") {
		otherwise = p.block()
	}
	return body, otherwise
}

func (p *statements) conditional() Stmt {
	line := p.line()
	p.at++
	s := &If{Line: line, Test: p.named()}
	s.Then = p.block()
	// A chain of elif is read in a loop, so that a long one is not a deep one.
	for last := s; ; {
		if at := p.line(); p.got("elif") {
			next := &If{Line: at, Test: p.named()}
			next.Then = p.block()
			last.Else = []Stmt{next}
			last = next
			continue
		}
		if p.got("else") {
			last.Else = p.block()
		}
		return s
	}
}

// docstring returns the string that a body begins with.
func docstring(body []Stmt) string {
	if len(body) > 0 {
		if e, ok := body[0].(*ExprStmt); ok {
			if c, ok := e.X.(*Const); ok {
				s, _ := c.Value.(string)
				return s
			}
		}
	}
	return ""
}

func (p *statements) def() Stmt {
	line := p.line()
	p.at++
	name := p.name()
	p.want("(")
	f := p.params(")")
	p.want(")")
	if p.got("->") {
		p.expr()
	}
	f.Name = name
	f.Body = p.block()
	f.Doc = docstring(f.Body)
	return &Def{Line: line, Func: f, Target: &Name{Line: line, ID: name}}
}

func (p *statements) class() Stmt {
	line := p.line()
	p.at++
	s := &Class{Line: line, Name: p.name()}
	s.Target = &Name{Line: line, ID: s.Name}
	if p.got("(") {
		for !p.is(")") {
			if p.now().kind == kName && p.ahead(1).text == "=" {
				p.fail("keywords of a class (metaclass=) are not supported", "use a base class")
			}
			s.Bases = append(s.Bases, p.expr())
			if !p.got(",") {
				break
			}
		}
		p.want(")")
	}
	s.Body = p.block()
	s.Doc = docstring(s.Body)
	return s
}

func (p *statements) try() Stmt {
	line := p.line()
	p.at++
	s := &Try{Line: line, Body: p.block()}
	for p.is("except") {
		h := Handler{Line: p.line()}
		p.at++
		if p.is("*") {
			p.fail("except* is not supported", "write except")
		}
		if !p.is(":") {
			if h.Type = p.expr(); p.is(",") {
				p.fail("multiple exception types must be parenthesized", "write except (A, B) as e:")
			}
			if at := p.line(); p.got("as") {
				h.Target = &Name{Line: at, ID: p.name()}
			}
		} else if len(s.Handlers) > 0 && s.Handlers[len(s.Handlers)-1].Type == nil {
			p.fail("default 'except:' must be last", "")
		}
		h.Body = p.block()
		s.Handlers = append(s.Handlers, h)
	}
	if len(s.Handlers) > 0 && p.got("else") {
		s.Else = p.block()
	}
	if p.got("finally") {
		s.Finally = p.block()
	} else if len(s.Handlers) == 0 {
		p.fail("expected 'except' or 'finally' block", "")
	}
	if handlesImports(s.Handlers) {
		guardImports(s.Body)
	}
	return s
}

// handlesImports reports whether a handler catches that a module is missing.
func handlesImports(handlers []Handler) bool {
	for _, h := range handlers {
		types := []Expr{h.Type}
		if s, ok := h.Type.(*Sequence); ok {
			types = s.Items
		}
		for _, t := range types {
			if t == nil {
				return true
			}
			if n, ok := t.(*Name); ok {
				switch n.ID {
				case "ImportError", "ModuleNotFoundError", "Exception", "BaseException":
					return true
				}
			}
		}
	}
	return false
}

func guardImports(body []Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *Import:
			s.Guarded = true
		case *If:
			guardImports(s.Then)
			guardImports(s.Else)
		}
	}
}

func (p *statements) with() Stmt {
	line := p.line()
	p.at++
	s := &With{Line: line}
	brackets := p.is("(") && p.bracketedWith()
	if brackets {
		p.at++
	}
	for {
		item := WithItem{X: p.expr()}
		if p.got("as") {
			item.Target = p.primary()
			p.assignable(item.Target)
		}
		s.Items = append(s.Items, item)
		if !p.got(",") || brackets && p.is(")") {
			break
		}
	}
	if brackets {
		p.want(")")
	}
	s.Body = p.block()
	return s
}

// bracketedWith reports whether the bracket after with holds its items, and is not part
// of an expression: its closing bracket is followed by ":".
func (p *statements) bracketedWith() bool {
	open, as := 0, false
	for i := 0; ; i++ {
		switch t := p.ahead(i); {
		case t.kind == kEnd || t.kind == kNewline:
			return false
		case t.kind == kKeyword && t.text == "as" && open == 1:
			as = true
		case t.kind == kOp && strings.Contains("([{", t.text):
			open++
		case t.kind == kOp && strings.Contains(")]}", t.text):
			if open--; open == 0 {
				return as && p.ahead(i+1).text == ":"
			}
		}
	}
}

// simpleLine reads the simple statements of a line.
func (p *statements) simpleLine() []Stmt {
	var all []Stmt
	for {
		all = append(all, p.simple()...)
		if !p.got(";") || p.now().kind == kNewline {
			break
		}
	}
	if p.now().kind != kNewline {
		p.unexpected("invalid syntax")
	}
	p.at++
	return all
}
