package tdm

import (
	"fmt"
	"strings"
)

// node is a definition or a field: all of Things Graph's constructs have the
// shape
//
//	keyword name : type ( arguments ) @directives { children }
//
// of which only the name is always there.
type node struct {
	pos        Pos
	keyword    string // query, type or enum; definitions only
	name       string
	typ        string // behind a colon
	variables  []variable
	args       []arg
	directives []directive
	children   []*node
	hasBody    bool
}

// variable is a parameter of a query: $name: type! = value.
type variable struct {
	pos      Pos
	name     string
	typ      string
	required bool
	value    *value
}

type arg struct {
	pos   Pos
	name  string
	value value
}

type directive struct {
	pos  Pos
	name string
	args []arg
}

type valueKind int

const (
	textValue valueKind = iota
	intValue
	floatValue
	nameValue // true, false, null or an enum's value, as written
	variableValue
	listValue
	objectValue
)

type value struct {
	pos   Pos
	kind  valueKind
	text  string // of what has no parts
	list  []value
	names []string // of an object's values
}

// tree parses one source into its definitions.
func tree(src source) ([]*node, error) {
	nodes, err := parseTree(src)
	if _, escaped := err.(errEscaped); escaped {
		nodes, err = parseTree(src.unescaped())
		if _, still := err.(errEscaped); still {
			err = &problem{top(src.name), "the quotes are escaped more than once", `write " instead of \\\"`}
		}
	}
	return nodes, err
}

type parser struct {
	lexer *lexer
	tok   token
	err   error
	depth int
}

func parseTree(src source) ([]*node, error) {
	p := &parser{lexer: newLexer(src)}
	p.advance()
	var nodes []*node
	for p.err == nil && p.tok.kind != eof {
		if p.skip("{") { // the service wraps what it uploads in one more pair of braces
			for p.err == nil && !p.is("}") {
				if p.is("{") {
					p.fail("one pair of braces around the definitions is enough", "a second {")
				}
				nodes = append(nodes, p.definition())
			}
			p.advance()
			continue
		}
		nodes = append(nodes, p.definition())
	}
	if p.err != nil {
		return nil, p.err
	}
	return nodes, nil
}

func (p *parser) advance() {
	if p.err == nil {
		p.tok, p.err = p.lexer.next()
	}
	if p.err != nil {
		p.tok = token{kind: eof, pos: p.tok.pos}
	}
}

func (p *parser) is(m string) bool { return p.tok.kind == mark && p.tok.text == m }

func (p *parser) skip(m string) bool {
	if !p.is(m) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) fail(fix, format string, args ...any) {
	if p.err == nil {
		p.err = &problem{p.tok.pos, fmt.Sprintf(format, args...), fix}
		p.tok = token{kind: eof, pos: p.tok.pos}
	}
}

func (p *parser) expect(m, fix string) {
	if !p.skip(m) {
		p.fail(fix, "%v where %s was expected", p.tok, m)
	}
}

// enter bounds recursion: it fails, and returns false, beyond maxDepth.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > maxDepth {
		p.fail(fmt.Sprintf("at most %d levels are read", maxDepth), "blocks within blocks within blocks")
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// bounded fails when a block or a list has too much in it.
func (p *parser) bounded(entries int) {
	if entries > maxEntries {
		p.fail("make several of it", "more than %d entries in one block or list", maxEntries)
	}
}

func (p *parser) name(what string) string {
	if p.tok.kind != name {
		p.fail("names have letters, digits and _ only", "%v where %s was expected", p.tok, what)
		return ""
	}
	s := p.tok.text
	p.advance()
	return s
}

// definition is query, type or enum, in any case.
func (p *parser) definition() *node {
	if p.tok.kind == text { // a description; nothing is made of it
		p.advance()
	}
	n := &node{pos: p.tok.pos}
	if p.tok.kind != name {
		p.fail("write a query, type or enum", "%v where a definition was expected", p.tok)
		return n
	}
	switch n.keyword = strings.ToLower(p.tok.text); n.keyword {
	case "query", "type", "enum":
		p.advance()
	default:
		p.fail("write a query, type or enum", "Things Graph has no definitions of the kind %v", p.tok)
		return n
	}
	n.name = p.name("the name of the " + n.keyword)
	if p.skip("(") {
		for p.err == nil && !p.skip(")") {
			n.variables = append(n.variables, p.variable())
			p.bounded(len(n.variables))
		}
	}
	if p.tok.kind == name && strings.EqualFold(p.tok.text, "implements") {
		p.implements()
	}
	n.directives = p.directives()
	p.body(n)
	return n
}

// implements reads GraphQL's interfaces, implements A & B (GraphQL, section 3.6). The
// URNs in the directives say what a definition is, so nothing is made of them.
func (p *parser) implements() {
	p.advance()
	p.skip("&")
	for first := true; p.err == nil && (first || p.skip("&") || p.tok.kind == name); first = false {
		p.name("the name of an interface")
	}
}

func (p *parser) variable() variable {
	v := variable{pos: p.tok.pos}
	p.expect("$", "write $name: type")
	v.name = p.name("the parameter's name")
	p.expect(":", "write $name: type")
	v.typ, v.required = p.typ()
	if p.skip("=") {
		value := p.value()
		v.value = &value
	}
	p.directives()
	return v
}

// typ reads a type: a name or a list of it, ! for what must be there.
func (p *parser) typ() (name string, required bool) {
	if !p.enter() {
		return "", false
	}
	defer p.leave()
	if p.skip("[") {
		inner, _ := p.typ()
		p.expect("]", "close the list")
		name = "[" + inner + "]"
	} else {
		name = p.name("a type")
	}
	return name, p.skip("!")
}

func (p *parser) body(n *node) {
	if !p.is("{") {
		return
	}
	if !p.enter() {
		return
	}
	defer p.leave()
	opened := p.tok.pos
	p.advance()
	n.hasBody = true
	for p.err == nil && !p.skip("}") {
		if p.tok.kind == eof {
			p.fail(fmt.Sprintf("close the block of line %d with }", opened.Line), "%v where } was expected", p.tok)
			return
		}
		n.children = append(n.children, p.field())
		p.bounded(len(n.children))
	}
}

func (p *parser) field() *node {
	if p.tok.kind == text { // a description
		p.advance()
	}
	n := &node{pos: p.tok.pos}
	n.name = p.name("a name or }")
	if p.skip(":") {
		n.typ, _ = p.typ()
	}
	n.args = p.arguments()
	n.directives = p.directives()
	p.body(n)
	return n
}

func (p *parser) directives() []directive {
	var ds []directive
	for p.err == nil && p.is("@") {
		d := directive{pos: p.tok.pos}
		p.advance()
		d.name = p.name("the directive's name")
		d.args = p.arguments()
		ds = append(ds, d)
	}
	return ds
}

func (p *parser) arguments() []arg {
	var args []arg
	if !p.skip("(") {
		return nil
	}
	for p.err == nil && !p.skip(")") {
		a := arg{pos: p.tok.pos}
		a.name = p.name("an argument's name or )")
		p.expect(":", "write name: value")
		a.value = p.value()
		args = append(args, a)
		p.bounded(len(args))
	}
	return args
}

func (p *parser) value() value {
	v := value{pos: p.tok.pos, text: p.tok.text}
	if !p.enter() {
		return v
	}
	defer p.leave()
	switch {
	case p.tok.kind == text:
		v.kind = textValue
		p.advance()
	case p.tok.kind == integer:
		v.kind = intValue
		p.advance()
	case p.tok.kind == decimal:
		v.kind = floatValue
		p.advance()
	case p.tok.kind == name:
		v.kind = nameValue
		p.advance()
	case p.skip("$"):
		v.kind = variableValue
		v.text = p.name("the variable's name")
	case p.skip("["):
		v.kind, v.text = listValue, ""
		for p.err == nil && !p.skip("]") {
			v.list = append(v.list, p.value())
			p.bounded(len(v.list))
		}
	case p.skip("{"):
		v.kind, v.text = objectValue, ""
		for p.err == nil && !p.skip("}") {
			v.names = append(v.names, p.name("a name or }"))
			p.expect(":", "write name: value")
			v.list = append(v.list, p.value())
			p.bounded(len(v.list))
		}
	default:
		p.fail(`write "text", a number, true, false or a [list]`, "%v where a value was expected", p.tok)
	}
	return v
}
