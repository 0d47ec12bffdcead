package tdm

import (
	"fmt"

	"pithings/flow"
)

// Pos is a place in a document. Columns are counted in characters.
type Pos = flow.Position

// top is a file's beginning.
func top(file string) Pos { return Pos{File: file, Line: 1, Column: 1} }

// problem is one problem as an error: what is wrong, and what to write instead.
type problem struct {
	pos       Pos
	what, fix string
}

func (p *problem) Error() string {
	return flow.Problem{Pos: p.pos, Message: message(p.what, p.fix)}.String()
}

func message(what, fix string) string {
	if fix == "" {
		return what
	}
	return what + "; " + fix
}

// problems are all that is wrong with a set of documents.
type problems struct{ flow.Problems }

// add notes a problem and what to write instead.
func (ps *problems) add(pos Pos, fix, format string, args ...any) {
	ps.Add(pos, "%s", message(fmt.Sprintf(format, args...), fix))
}

// count is how many were added, so that what follows from one is not reported too.
func (ps *problems) count() int { return len(ps.List) + ps.More }

// addError notes an error, which is a *problem, if there is one.
func (ps *problems) addError(err error) {
	if p, ok := err.(*problem); ok {
		ps.add(p.pos, p.fix, "%s", p.what)
	}
}
