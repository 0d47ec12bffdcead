// Package manual writes pages of the manual in the macros of man(7), and keeps them in
// files that tests compare. The program has none of it: pages are made from its commands
// and its configuration by tests, and packaged as files.
package manual

import (
	"fmt"
	"strings"
)

// Page is one page.
type Page struct {
	name    string
	section int
	b       strings.Builder
	fresh   bool // nothing stands below the last title yet
}

// date is when the words of the pages were last looked over as a whole. It is no clock's,
// so that the same source makes the same pages.
const date = "2026-11-30"

// New begins the page of a name in a section: 1 for commands, 5 for files.
func New(name string, section int, summary string) *Page {
	p := &Page{name: name, section: section}
	fmt.Fprintf(&p.b, ".\\\" Made by a test from the program; do not edit.\n.TH %s %d %s pithings \"pithings manual\"\n",
		quote(strings.ToUpper(name)), section, date)
	p.Section("NAME")
	p.line(escape(name) + ` \- ` + escape(summary))
	return p
}

// File is the page's file name.
func (p *Page) File() string { return fmt.Sprintf("%s.%d", p.name, p.section) }

// String is the page as it is so far.
func (p *Page) String() string { return p.b.String() }

// Section begins a section.
func (p *Page) Section(title string) { p.title(".SH ", title) }

// Subsection begins a part of a section.
func (p *Page) Subsection(title string) { p.title(".SS ", title) }

func (p *Page) title(macro, title string) {
	p.b.WriteString(macro + quote(title) + "\n")
	p.fresh = true
}

// paragraph begins one. The first below a title needs no macro.
func (p *Page) paragraph() {
	if !p.fresh {
		p.b.WriteString(".PP\n")
	}
	p.fresh = false
}

// Synopsis writes one way to call a command.
func (p *Page) Synopsis(command, arguments string) {
	p.paragraph()
	p.line(styled(command, strings.TrimSpace(arguments)))
}

// Text writes paragraphs, which empty lines part. One whose lines are indented stays as it
// is: it is something to type.
func (p *Page) Text(text string) {
	for _, paragraph := range paragraphs(text) {
		if strings.HasPrefix(paragraph, " ") {
			p.Verbatim(paragraph)
			continue
		}
		p.paragraph()
		for l := range strings.SplitSeq(paragraph, "\n") {
			p.line(escape(l))
		}
	}
}

// Verbatim writes lines as they are.
func (p *Page) Verbatim(text string) {
	p.paragraph()
	p.b.WriteString(".RS 4\n.nf\n")
	for l := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		p.line(escape(strings.TrimPrefix(l, "  ")))
	}
	p.b.WriteString(".fi\n.RE\n")
}

// Term writes a term, which is bold with an argument in italics, and what it means.
func (p *Page) Term(term, argument, meaning string) {
	p.fresh = false
	p.b.WriteString(".TP\n")
	p.line(styled(term, argument))
	p.line(escape(meaning))
}

// SeeAlso ends a page with references such as pithings(1).
func (p *Page) SeeAlso(pages ...string) {
	p.Section("SEE ALSO")
	for i, page := range pages {
		name, section, _ := strings.Cut(page, "(")
		if i < len(pages)-1 {
			section += ","
		}
		p.b.WriteString(".BR " + escape(name) + " (" + section + "\n")
	}
}

// styled is a bold word with an argument in italics.
func styled(word, argument string) string {
	s := `\fB` + escape(word) + `\fR`
	if argument != "" {
		s += ` \fI` + escape(argument) + `\fR`
	}
	return s
}

// line writes a line of text, which is none of macros.
func (p *Page) line(s string) {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	p.b.WriteString(s + "\n")
}

func paragraphs(text string) []string {
	var all []string
	for part := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if part = strings.Trim(part, "\n"); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// escape writes text so that it is shown as it is: hyphens are those of options, and all
// that is not ASCII has its code, whatever the terminal's.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func quote(s string) string { return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"` }
