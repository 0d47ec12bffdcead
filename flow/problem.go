package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with a document, told in one line.
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
		return ' ' // names come from files that may be anybody's
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
	slices.SortStableFunc(p.List, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
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

// Suggest ends a message about an unknown name: with the nearest known one if
// it could be a slip, else with all that are known.
func Suggest(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) == 0 {
		return ""
	}
	const most = 20
	if len(known) > most {
		known = append(slices.Clone(known[:most]), "…")
	}
	return "; known: " + strings.Join(known, ", ")
}

func nearest(name string, known []string) string {
	if len(name) > 100 {
		return ""
	}
	name = strings.ToLower(name)
	best, fewest := "", 1+min(3, (len(name)+1)/3)
	for _, k := range known {
		if len(k) > 100 {
			continue
		}
		if d := edits(name, strings.ToLower(k)); d < fewest {
			best, fewest = k, d
		}
	}
	return best
}

// edits counts the letters to insert, delete or replace to turn a into b.
func edits(a, b string) int {
	last, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
		}
		last, row = row, last
	}
	return last[len(b)]
}
