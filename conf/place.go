package conf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Place is where a value was given: in a file, or, without a line, by the variable that
// Source names.
type Place struct {
	Source       string
	Line, Column int
}

// String returns FILE:LINE, or the name of the variable.
func (p Place) String() string {
	if p.Line == 0 {
		return p.Source
	}
	return fmt.Sprintf("%s:%d", p.Source, p.Line)
}

// Places are those of the values that were given, by the path of their key, such as
// things[0].pin. What is not among them has its default.
type Places struct {
	Source string // the file
	at     map[string]Place
}

// NewPlaces returns the places in the file source, which are none yet.
func NewPlaces(source string) Places { return Places{Source: source, at: map[string]Place{}} }

// Mark notes where the value at path was given.
func (p *Places) Mark(path string, at Place) { p.at[path] = at }

// Add notes the places of others over its own.
func (p *Places) Add(others Places) { maps.Copy(p.at, others.at) }

// Given reports whether a value, a list or a section was given at path.
func (p *Places) Given(path string) bool {
	_, ok := p.at[path]
	return ok
}

// InFile reports whether it was given by the file, and not by a variable.
func (p *Places) InFile(path string) bool {
	at, ok := p.at[path]
	return ok && at.Source == p.Source
}

// Problem returns a problem with the value at path. Its place is that of the value, or
// else of what surrounds it.
func (p *Places) Problem(path, message, fix string) Problem {
	key := path
	for path != "" {
		if at, ok := p.at[path]; ok {
			return Problem{Source: at.Source, Line: at.Line, Column: at.Column, Message: message, Fix: fix, Key: key}
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return Problem{Source: p.Source, Message: message, Fix: fix, Key: key}
}

// ByDefault is the origin of what was given nowhere.
const ByDefault = "default"

// Origin is where the value at the first of paths was given that was given at all:
// FILE:LINE, the name of a variable, or ByDefault. The first is that of the value itself;
// of a map single keys may be given.
func (p *Places) Origin(paths ...string) string {
	for _, path := range paths {
		if at, ok := p.at[path]; ok {
			return at.String()
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.at)) {
		if strings.HasPrefix(path, paths[0]+".") {
			return p.at[path].String()
		}
	}
	return ByDefault
}

// Join appends a key to a path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
