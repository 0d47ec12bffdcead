package syntax

import "strings"

// statements reads statements.
type statements struct{ *parser }

// simple reads a statement without a block. An import of several names is several.
func (p *statements) simple() []Stmt {
	t, line := p.now(), p.line()
	if t.kind != kKeyword {
		return []Stmt{p.assignment()}
	}
	one := func(s Stmt) []Stmt { return []Stmt{s} }
	switch t.text {
	case "pass", "break", "continue":
		p.at++
		return one(&Simple{line, t.text})
	case "return":
		p.at++
		s := &Return{Line: line}
		if !p.endOfList() {
			s.X = p.list()
		}
		return one(s)
	case "raise":
		p.at++
		s := &Raise{Line: line}
		if !p.endOfList() {
			if s.X = p.expr(); p.is(",") {
				p.fail("raise with a comma is of Python 2", "write raise Error(text)")
			}
			if p.got("from") {
				s.From = p.expr()
			}
		}
		return one(s)
	case "global", "nonlocal":
		p.at++
		s := &Scope{Line: line, Nonlocal: t.text == "nonlocal", Names: []string{p.name()}}
		for p.got(",") {
			s.Names = append(s.Names, p.name())
		}
		return one(s)
	case "import":
		p.at++
		return p.importModules(line)
	case "from":
		p.at++
		return p.importNames(line)
	case "del":
		p.at++
		s := &Delete{Line: line}
		for {
			x := p.primary()
			p.assignable(x)
			if s.Targets = append(s.Targets, x); !p.got(",") || p.endOfList() {
				return one(s)
			}
		}
	case "assert":
		p.at++
		s := &Assert{Line: line, Test: p.expr()}
		if p.got(",") {
			s.Message = p.expr()
		}
		return one(s)
	}
	return one(p.assignment())
}

// assignment reads an expression, and what may follow it: an assignment.
func (p *statements) assignment() Stmt {
	line := p.line()
	x := p.list()
	t := p.now()
	if t.kind != kOp {
		return &ExprStmt{line, x}
	}
	switch t.text {
	case "=":
		s := &Assign{Line: line, Value: x}
		for p.got("=") {
			p.assignable(s.Value)
			if _, star := s.Value.(*Starred); star {
				p.fail("starred assignment target must be in a list or tuple", "write *a, = x")
			}
			s.Targets = append(s.Targets, s.Value)
			s.Value = p.list()
		}
		return s
	case ":":
		p.at++
		p.assignable(x)
		p.expr() // what an annotation says is not used
		if p.got("=") {
			return &Assign{Line: line, Targets: []Expr{x}, Value: p.list()}
		}
		return &Simple{line, "pass"}
	case "+=", "-=", "*=", "/=", "//=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>=":
		p.at++
		p.assignable(x)
		if _, tuple := x.(*Sequence); tuple {
			p.fail("a tuple or list is no target of "+t.text, "assign to one variable at a time")
		}
		return &Augment{Line: line, Target: x, Op: strings.TrimSuffix(t.text, "="), Value: p.list()}
	}
	return &ExprStmt{line, x}
}

func (p *statements) importModules(line Line) []Stmt {
	var all []Stmt
	for {
		s := &Import{Line: line, Module: p.dotted()}
		name, _, _ := strings.Cut(s.Module, ".")
		if p.got("as") {
			name, s.Whole = p.name(), true
		}
		s.Target = &Name{Line: line, ID: name}
		if all = append(all, s); !p.got(",") {
			return all
		}
	}
}

func (p *statements) importNames(line Line) []Stmt {
	if p.is(".") || p.is("...") {
		p.fail("a relative import is not supported", "a script has no files beside it; put all into one")
	}
	module := p.dotted()
	p.want("import")
	if p.is("*") {
		p.fail("import * is not supported", "name what you import: from "+module+" import a, b")
	}
	brackets := p.got("(")
	var all []Stmt
	for {
		s := &Import{Line: line, Module: module, Item: p.name()}
		name := s.Item
		if p.got("as") {
			name = p.name()
		}
		s.Target = &Name{Line: line, ID: name}
		all = append(all, s)
		if !p.got(",") || brackets && p.is(")") {
			break
		}
	}
	if brackets {
		p.want(")")
	}
	return all
}
