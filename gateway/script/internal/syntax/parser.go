package syntax

// parser turns tokens into a tree, by recursive descent.
type parser struct {
	tokens []token
	at     int
	depth  int
}

func (p *parser) now() token { return p.tokens[p.at] }
func (p *parser) line() Line { return Line(p.tokens[p.at].line) }

// ahead is the n-th token after the present one.
func (p *parser) ahead(n int) token {
	return p.tokens[min(p.at+n, len(p.tokens)-1)]
}

func (p *parser) fail(text, fix string) { fail(p.now().line, text, fix) }

// nest counts how deep the source is nested; call what it returns at the end.
func (p *parser) nest() func() {
	if p.depth++; p.depth > maxNesting {
		p.fail("expressions or blocks are nested too deep", "put inner parts into variables or functions")
	}
	return func() { p.depth-- }
}

func (p *parser) is(text string) bool {
	t := p.now()
	return (t.kind == kOp || t.kind == kKeyword) && t.text == text
}

func (p *parser) got(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) want(text string) {
	if !p.got(text) {
		p.unexpected("expected '" + text + "'")
	}
}

// unexpected reports what stands where something else should, and knows the usual causes.
func (p *parser) unexpected(text string) {
	t := p.now()
	fix := ""
	switch {
	case t.kind == kString && p.at > 0 && p.tokens[p.at-1].kind == kName && p.tokens[p.at-1].text == "print":
		text, fix = "print without brackets is of Python 2", "write print(…)"
	case t.kind == kOp && t.text == "=" && text == "expected ':'":
		text, fix = "expected ':', found '='", "= assigns, == compares"
	case t.kind == kEnd:
		text += ", found the end of the script"
	case t.kind == kNewline:
		text += ", found the end of the line"
	case t.kind == kIndent:
		text, fix = "unexpected indent", "begin the line where the block does"
	case t.kind == kOp || t.kind == kKeyword || t.kind == kName || t.kind == kNumber:
		text += ", found '" + t.text + "'"
	}
	p.fail(text, fix)
}

func (p *parser) name() string {
	t := p.now()
	if t.kind != kName {
		p.unexpected("expected a name")
	}
	p.at++
	return t.text
}

func (p *parser) dotted() string {
	s := p.name()
	for p.got(".") {
		s += "." + p.name()
	}
	return s
}
