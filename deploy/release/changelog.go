package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// changelog is what CHANGELOG.md says of a version, in the form that Debian's programs read
// (https://www.debian.org/doc/debian-policy/ch-source.html#debian-changelog-debian-changelog).
// A version without a section of its own has the one of what is not released yet.
func changelog(markdown string, r release, committed time.Time) ([]byte, error) {
	text, found := section(markdown, r.version)
	if !found {
		text, found = section(markdown, "Unreleased")
	}
	if !found {
		return nil, fmt.Errorf("CHANGELOG.md has neither a section %q nor one of what is unreleased", "## "+r.version)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "pithings (%s) unstable; urgency=medium\n", r.debian)
	var item []string
	flush := func() {
		if len(item) > 0 {
			b.WriteString(fold(strings.Join(item, " "), "  * ", "    ", 79))
		}
		item = nil
	}
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimSpace(line), "**", "")
		if title, is := strings.CutPrefix(line, "### "); is {
			flush()
			b.WriteString("\n  [ " + title + " ]\n")
		} else if first, is := strings.CutPrefix(line, "- "); is {
			flush()
			item = []string{first}
		} else if line != "" && item != nil {
			item = append(item, line)
		}
	}
	flush()
	fmt.Fprintf(&b, "\n -- %s  %s\n", maintainer, committed.Format(time.RFC1123Z))
	return []byte(b.String()), nil
}

// section is the text below a heading "## NAME", "## [NAME]" or "## NAME - DATE".
func section(markdown, name string) (text string, found bool) {
	heading := regexp.MustCompile(`(?m)^## \[?` + regexp.QuoteMeta(name) + `\]?( .*)?$`)
	at := heading.FindStringIndex(markdown)
	if at == nil {
		return "", false
	}
	text = markdown[at[1]:]
	if end := strings.Index(text, "\n## "); end >= 0 {
		text = text[:end]
	}
	return text, true
}

// fold breaks text between words into lines of at most width, the first one behind a
// prefix, the others behind another.
func fold(text, first, others string, width int) string {
	var b strings.Builder
	line := first
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == first || line == others:
			line += word
		case len(line)+1+len(word) > width:
			b.WriteString(line + "\n")
			line = others + word
		default:
			line += " " + word
		}
	}
	b.WriteString(line + "\n")
	return b.String()
}
