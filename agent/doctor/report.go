package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"pithings/hw/probe"
)

// Report is everything that was found, the machine first, then the parts.
type Report []probe.Result

// Failed counts what does not work.
func (r Report) Failed() int {
	n := 0
	for _, one := range r {
		if one.Status == probe.Fail {
			n++
		}
	}
	return n
}

// JSON writes the report as a list of {part, status, found, problem, fix}.
func (r Report) JSON(w io.Writer) error {
	if r == nil {
		r = Report{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Text writes a line for each result, and one below it with what to do.
// verbose adds the errors as they were.
func (r Report) Text(w io.Writer, verbose bool) error {
	width := 0
	for _, one := range r {
		width = max(width, utf8.RuneCountInString(one.Part))
	}
	var b strings.Builder
	for _, one := range r {
		text := one.Problem
		if text == "" {
			text = one.Found
		} else if one.Found != "" {
			text = one.Found + ": " + one.Problem
		}
		fmt.Fprintf(&b, "%-4s  %s%*s  %s\n", word(one.Status), printable(one.Part), width-utf8.RuneCountInString(one.Part), "", printable(text))
		if one.Fix != "" {
			fmt.Fprintf(&b, "      fix: %s\n", printable(one.Fix))
		}
		if verbose && one.Cause != nil {
			fmt.Fprintf(&b, "      error: %s\n", printable(one.Cause.Error()))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// word makes what is broken stand out without colour.
func word(s probe.Status) string {
	if s == probe.Fail {
		return "FAIL"
	}
	return string(s)
}

// printable keeps the names that devices and programs give themselves from
// writing to the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
