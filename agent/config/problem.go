package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing that is wrong, told in one line.
type Problem struct {
	Source  string // the file, or the environment variable
	Line    int    // from 1; 0 when the problem has no place in the file
	Column  int    // in characters, from 1
	Message string
}

// String returns "FILE:LINE:COLUMN: message".
func (p Problem) String() string {
	message := printable(p.Message)
	if p.Line == 0 {
		return p.Source + ": " + message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.Source, p.Line, p.Column, message)
}

// printable writes characters that a terminal would obey as it would quote them:
// a message repeats keys and values of a file that may be anybody's.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// Warning is a Problem that does not keep the configuration from being used.
type Warning = Problem

// maxProblems is the number of problems kept: more would hide the first ones.
const maxProblems = 10

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

func (e *Error) add(p Problem) {
	switch {
	case slices.Contains(e.Problems, p):
	case len(e.Problems) == collected:
		e.More++
	default:
		e.Problems = append(e.Problems, p)
	}
}

// full tells whether it is of no use to look for more.
func (e *Error) full() bool { return len(e.Problems) == collected }

func (e *Error) count() int { return len(e.Problems) + e.More }

// err returns e with its first problems in the order of the file, or nil when
// there is none.
func (e *Error) err() error {
	if len(e.Problems) == 0 {
		return nil
	}
	sortProblems(e.Problems)
	if over := len(e.Problems) - maxProblems; over > 0 {
		e.Problems, e.More = e.Problems[:maxProblems], e.More+over
	}
	return e
}

// sortProblems sorts by place; those without one come last.
func sortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(b2i(a.Line == 0), b2i(b.Line == 0)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Source, b.Source), cmp.Compare(a.Message, b.Message))
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quote shows what was written, on one line and not at length.
func quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}
