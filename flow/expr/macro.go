package expr

import "strings"

// ParseText reads text with ${expressions} in it. Text that is one ${…} and
// nothing else has the value of what the wrapper holds, of any type; otherwise
// the result is a Macro. $macro(…) around it all may be left out.
func ParseText(text string) (*Expr, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	if n, err := p.whole(); n != nil || err != nil {
		return &Expr{n}, err
	}
	p.lexer.pos, p.t = 0, token{}
	n, err := p.macroText(false)
	if err != nil {
		return nil, err
	}
	return &Expr{n}, nil
}

// macroText reads text with ${…} in it, up to the parenthesis that closes the
// macro, or to the end of the source. Parentheses inside the text pair up.
func (p *parser) macroText(closed bool) (Node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	m := &Macro{}
	began, from, depth := p.t.at, p.pos, 0
	text := func(to int) { m.add(p.src[from:to]) }
	for p.pos < len(p.src) {
		rest := p.src[p.pos:]
		switch {
		case strings.HasPrefix(rest, "${"):
			text(p.pos)
			p.pos += 2
			if err := p.advance(); err != nil {
				return nil, err
			}
			n, err := p.expression()
			if err != nil {
				return nil, err
			}
			if !p.is("}") { // not expect: what follows is text, no token
				return nil, p.unexpected("}")
			}
			if l, ok := n.(*Literal); ok {
				if s, ok := l.Value.(string); ok {
					m.add(s)
					from = p.pos
					continue
				}
			}
			m.Parts = append(m.Parts, n)
			from = p.pos
		case closed && rest[0] == ')' && depth == 0:
			text(p.pos)
			p.pos++
			p.t.after = p.pos
			return m, nil
		default:
			switch rest[0] {
			case '(':
				depth++
			case ')':
				depth--
			}
			p.pos++
		}
	}
	if closed {
		return nil, p.fail(began, "this macro lacks its closing )")
	}
	text(len(p.src))
	return m, nil
}

// add appends text, joined with the text before it.
func (m *Macro) add(s string) {
	if s == "" {
		return
	}
	if n := len(m.Parts); n > 0 {
		if l, ok := m.Parts[n-1].(*Literal); ok {
			if before, ok := l.Value.(string); ok {
				l.Value = before + s
				return
			}
		}
	}
	m.Parts = append(m.Parts, &Literal{s})
}
