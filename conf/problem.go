package conf

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Problem is one thing that is wrong, in one line.
type Problem struct {
	Source  string // the file, or the environment variable
	Line    int    // from 1; 0 when the problem has no place in the file
	Column  int    // in characters, from 1
	Message string
	Fix     string // what to do, if Message does not say it
	// Key is the key that is wrong, where that is known, as its path.
	Key string
}

// String returns "FILE:LINE:COLUMN: message".
func (p Problem) String() string {
	message := printable(p.Message)
	if p.Fix != "" {
		message += ": " + printable(p.Fix)
	}
	if p.Line == 0 {
		return p.Source + ": " + message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.Source, p.Line, p.Column, message)
}

// Warning is a Problem that does not keep the configuration from being used.
type Warning = Problem

// MaxProblems is the number of problems kept: more would hide the first ones.
const MaxProblems = 10

// Error is a configuration that cannot be used.
type Error struct {
	Problems []Problem
	More     int // further problems that are not listed
}

// Error returns one line for each problem.
func (e *Error) Error() string {
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// collected bounds the problems that are collected before they are sorted.
const collected = 200

// Add adds a problem, once.
func (e *Error) Add(p Problem) {
	switch {
	case slices.Contains(e.Problems, p):
	case len(e.Problems) == collected:
		e.More++
	default:
		e.Problems = append(e.Problems, p)
	}
}

// Full reports whether it is of no use to look for more.
func (e *Error) Full() bool { return len(e.Problems) == collected }

// Count returns the number of problems.
func (e *Error) Count() int { return len(e.Problems) + e.More }

// Err returns e with its first problems in the order of the file, or nil when
// there is none.
func (e *Error) Err() error {
	if len(e.Problems) == 0 {
		return nil
	}
	Sort(e.Problems)
	if over := len(e.Problems) - MaxProblems; over > 0 {
		e.Problems, e.More = e.Problems[:MaxProblems], e.More+over
	}
	return e
}

// Sort sorts problems by place; those without one come last.
func Sort(list []Problem) {
	sort.SliceStable(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		return cmp.Or(
			cmp.Compare(b2i(a.Line == 0), b2i(b.Line == 0)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Source, b.Source), cmp.Compare(a.Message, b.Message)) < 0
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
