package lib

import (
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/py"
)

// Matching takes time in proportion to the text and to the expression. What may take long is
// matched character by character, so that others have a go meanwhile, and the limit of time
// and a cancelled call end it.

// longMatch is the product of text, in bytes, and expression, in instructions, from which on
// matching may take long: some half a millisecond on the slowest path of regexp, on one core of
// 2020.
const longMatch = 8 << 10

// breath is the product of characters and instructions between two breaths: some 0.1 ms.
const breath = 2 << 10

func (p *pattern) long(s string) bool { return len(s)*p.size > longMatch }

func (p *pattern) charge(m *py.Machine, s string) {
	m.Work(1 + int(min(int64(len(s))*int64(p.size)/16, 1<<30)))
}

// find runs one of the expressions over a text, and counts it beforehand.
func (p *pattern) find(m *py.Machine, re *regexp.Regexp, s string) *match {
	p.charge(m, s)
	at := p.first(m, re, s)
	if at == nil {
		return nil
	}
	m.Alloc(96 + 8*len(at))
	return &match{p: p, text: s, at: at}
}

// first returns where an expression matches first, as regexp does; nil: nowhere.
func (p *pattern) first(m *py.Machine, re *regexp.Regexp, s string) []int {
	if !p.long(s) {
		return re.FindStringSubmatchIndex(s)
	}
	if prefix, _ := re.LiteralPrefix(); !strings.Contains(s, prefix) {
		return nil
	}
	return re.FindReaderSubmatchIndex(p.reader(m, s))
}

// from returns where the expression matches first from a place on.
func (p *pattern) from(m *py.Machine, s string, place int) []int {
	if place == 0 {
		return p.first(m, p.search, s)
	}
	// What is before the place counts for \b and the like: the search begins one character
	// earlier, and the expression behind it.
	_, width := utf8.DecodeLastRuneInString(s[:place])
	begin := place - width
	at := p.first(m, p.made(m, &p.behind, `(?s:.)`, ``), s[begin:])
	if at == nil {
		return nil
	}
	_, width = utf8.DecodeRuneInString(s[begin+at[0]:])
	at[0] += width
	for i := range at {
		if at[i] >= 0 {
			at[i] += begin
		}
	}
	return at
}

// all finds all matches that do not overlap, at most so many (0 is all).
func (p *pattern) all(m *py.Machine, s string, most int) []*match {
	p.charge(m, s)
	if p.long(s) {
		return p.slowly(m, s, most)
	}
	if most <= 0 {
		most = -1
	}
	// Each match takes memory before it can be counted: as many as there are places.
	places := len(s) + 1
	if most > 0 {
		places = min(places, most)
	}
	need := places * 16 * len(p.names)
	m.Alloc(need)
	found := p.search.FindAllStringSubmatchIndex(s, most)
	m.Free(need)
	m.AllocN(len(found), p.matchSize())
	out := make([]*match, len(found))
	for i, at := range found {
		out[i] = &match{p: p, text: s, at: at}
	}
	return out
}

// matchSize is what a match takes, in bytes.
func (p *pattern) matchSize() int { return 120 + 16*len(p.names) }

// slowly is all for a long text. As regexp has it, an empty match right behind another one is
// none.
func (p *pattern) slowly(m *py.Machine, s string, most int) (out []*match) {
	for place, end := 0, -1; place <= len(s) && (most <= 0 || len(out) < most); {
		at := p.from(m, s, place)
		if at == nil {
			break
		}
		empty := at[1] == place
		if !empty || at[0] != end {
			m.Alloc(p.matchSize())
			out = append(out, &match{p: p, text: s, at: at})
		}
		if place = at[1]; empty {
			_, width := utf8.DecodeRuneInString(s[place:])
			place += max(width, 1)
		}
		end = at[1]
	}
	return out
}

// characters is a text that an expression reads.
type characters struct {
	m     *py.Machine
	text  string
	every int // characters from one breath to the next
	left  int // until then
}

func (p *pattern) reader(m *py.Machine, s string) *characters {
	every := max(1, breath/p.size)
	return &characters{m: m, text: s, every: every, left: every}
}

// ReadRune implements io.RuneReader.
func (c *characters) ReadRune() (r rune, width int, err error) {
	if c.left--; c.left == 0 {
		c.m.Breathe()
		c.left = c.every
	}
	if c.text == "" {
		return 0, 0, io.EOF
	}
	r, width = utf8.DecodeRuneInString(c.text)
	c.text = c.text[width:]
	return r, width, nil
}
