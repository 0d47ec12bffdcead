package tdm

import (
	"fmt"
	"strings"
)

// Pos is a place in a document. Lines and columns count from 1, columns in
// characters.
type Pos struct {
	File         string
	Line, Column int
}

// String writes the place as compilers do.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Problem is one thing that is wrong with a document.
type Problem struct {
	Pos  Pos
	What string // what is wrong
	Fix  string // what to write instead
}

func (p *Problem) Error() string {
	if p.Fix == "" {
		return fmt.Sprintf("%v: %s", p.Pos, p.What)
	}
	return fmt.Sprintf("%v: %s; %s", p.Pos, p.What, p.Fix)
}

// Problems are all that is wrong with a set of documents, at most
// [MaxProblems] of them.
type Problems []*Problem

// MaxProblems bounds how many problems are told at once.
const MaxProblems = 20

// Error has one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// add notes a problem. What comes after MaxProblems is not told.
func (ps *Problems) add(pos Pos, fix, format string, args ...any) {
	if len(*ps) < MaxProblems {
		*ps = append(*ps, &Problem{Pos: pos, What: fmt.Sprintf(format, args...), Fix: fix})
	}
}

// err returns the problems as an error, or nil.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
