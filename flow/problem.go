package flow

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with a document, in one line.
type Problem struct {
	Pos     Position
	Message string
}

// String returns "FILE:LINE:COLUMN: message".
func (p Problem) String() string {
	message := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' ' // names come from files of any origin
	}, p.Message)
	if at := p.Pos.String(); at != "" {
		return at + ": " + message
	}
	return message
}

// maxProblems is the number of problems kept: more would hide the first ones.
const maxProblems = 10

// Problems is a document that cannot be used: all that is wrong with it.
type Problems struct {
	List []Problem
	More int // further problems that are not listed
}

// Add notes a problem.
func (p *Problems) Add(at Position, format string, args ...any) {
	problem := Problem{at, fmt.Sprintf(format, args...)}
	switch {
	case slices.Contains(p.List, problem):
	case len(p.List) == 100:
		p.More++
	default:
		p.List = append(p.List, problem)
	}
}

// Err returns p, its first problems in the order of the file, or nil if there
// is none.
func (p *Problems) Err() error {
	if len(p.List) == 0 {
		return nil
	}
	sort.SliceStable(p.List, func(i, j int) bool {
		a, b := p.List[i].Pos, p.List[j].Pos
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) < 0
	})
	if over := len(p.List) - maxProblems; over > 0 {
		p.List, p.More = p.List[:maxProblems], p.More+over
	}
	return p
}

// Error returns one line for each problem.
func (p *Problems) Error() string {
	var lines []string
	for _, one := range p.List {
		lines = append(lines, one.String())
	}
	if p.More > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", p.More))
	}
	return strings.Join(lines, "\n")
}
