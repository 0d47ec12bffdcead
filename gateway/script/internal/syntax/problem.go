// Package syntax reads the Python that gateway users write: tokens, a tree of nodes, and
// for every name where its value lives. What is not supported is refused here, with the
// line and what to write instead, so that no half of a script ever runs.
package syntax

import "fmt"

// Problem is why a script is refused before it runs.
type Problem struct {
	Line int    // counted from 1; 0: none
	Text string // what is wrong
	Fix  string // what to write instead; "" when Text says it all
}

func (p *Problem) Error() string {
	text := p.Text
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	if p.Line == 0 {
		return text
	}
	return fmt.Sprintf("line %d: %s", p.Line, text)
}

// Bounds of what is read.
const (
	// MaxSource is the longest source, in bytes.
	MaxSource = 256 << 10
	// maxNesting is how deep expressions and blocks may nest. Evaluation recurses as deep.
	maxNesting = 80
)

func fail(line int, text, fix string) {
	panic(&Problem{Line: line, Text: text, Fix: fix})
}

// caught turns a panic with a *Problem into an error.
func caught(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Problem:
		*err = r
	default:
		panic(r)
	}
}
