package house

import (
	"fmt"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxCircle is how many files of a package may need each other, in a circle. A larger
// package is read from top to bottom: files that use, above files that are used.
const maxCircle = 5

// todoCircles are packages with a larger circle, and the number of files in it.
var todoCircles = map[string]int{}

func TestNoLargeCircleOfFiles(t *testing.T) {
	found, why := map[string]int{}, map[string]string{}
	for _, c := range source(t) {
		uses := c.uses()
		for _, circle := range circles(c.names, uses) {
			if len(circle) > maxCircle {
				found[c.path] += len(circle)
				why[c.path] += describe(circle, uses)
			}
		}
	}
	shrink(t, fmt.Sprintf("files in circles of more than %d", maxCircle), found, todoCircles, why)
}

// uses has, for every file, the files of the same package that declare what it uses, with
// the names of that: functions, methods, types, fields, constants and variables.
func (c *code) uses() map[string]map[string][]string {
	uses := map[string]map[string][]string{}
	for id, obj := range c.info.Uses {
		if obj.Pkg() != c.types || obj.Pos() == 0 {
			continue
		}
		if _, isPackage := obj.(*types.PkgName); isPackage {
			continue
		}
		from, to := filepath.Base(fset.File(id.Pos()).Name()), filepath.Base(fset.File(obj.Pos()).Name())
		if from == to {
			continue
		}
		if uses[from] == nil {
			uses[from] = map[string][]string{}
		}
		if !slices.Contains(uses[from][to], obj.Name()) {
			uses[from][to] = append(uses[from][to], obj.Name())
		}
	}
	return uses
}

// circles returns the strongly connected components of more than one file (Tarjan).
func circles(names []string, uses map[string]map[string][]string) [][]string {
	index, low, on := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var all [][]string
	var visit func(string)
	visit = func(f string) {
		index[f] = len(index) + 1
		low[f] = index[f]
		stack, on[f] = append(stack, f), true
		for to := range uses[f] {
			if index[to] == 0 {
				visit(to)
				low[f] = min(low[f], low[to])
			} else if on[to] {
				low[f] = min(low[f], index[to])
			}
		}
		if low[f] != index[f] {
			return
		}
		at := slices.Index(stack, f)
		circle := slices.Clone(stack[at:])
		stack = stack[:at]
		for _, member := range circle {
			on[member] = false
		}
		if len(circle) > 1 {
			slices.Sort(circle)
			all = append(all, circle)
		}
	}
	for _, f := range names {
		if index[f] == 0 {
			visit(f)
		}
	}
	return all
}

// describe lists which file of a circle uses what of which.
func describe(circle []string, uses map[string]map[string][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\t%s\n", strings.Join(circle, " "))
	for _, from := range circle {
		for _, to := range circle {
			names := slices.Sorted(slices.Values(uses[from][to]))
			if len(names) > 8 {
				names = append(names[:8], fmt.Sprintf("and %d more", len(names)-8))
			}
			if len(names) > 0 {
				fmt.Fprintf(&b, "\t\t%s uses of %s: %s\n", from, to, strings.Join(names, ", "))
			}
		}
	}
	return b.String()
}

// maxMethods is how many methods a type may declare. More is more than one subject.
const maxMethods = 40

// todoMethods are types with more methods, and how many.
var todoMethods = map[string]int{}

func TestNoTypeWithTooManyMethods(t *testing.T) {
	found := map[string]int{}
	for _, c := range source(t) {
		scope := c.types.Scope()
		for _, name := range scope.Names() {
			named, ok := scope.Lookup(name).Type().(*types.Named)
			if _, isType := scope.Lookup(name).(*types.TypeName); !ok || !isType {
				continue
			}
			if n := named.NumMethods(); n > maxMethods {
				found[c.path+"."+name] = n
			}
		}
	}
	shrink(t, "methods", found, todoMethods, nil)
}

// The finder finds a circle, with what makes it.
func TestCirclesAreFound(t *testing.T) {
	uses := map[string]map[string][]string{
		"a.go": {"b.go": {"B"}},
		"b.go": {"c.go": {"C"}},
		"c.go": {"a.go": {"A"}, "d.go": {"D"}},
		"d.go": {},
	}
	found := circles([]string{"a.go", "b.go", "c.go", "d.go"}, uses)
	if len(found) != 1 || !slices.Equal(found[0], []string{"a.go", "b.go", "c.go"}) {
		t.Fatalf("found %q", found)
	}
	if text := describe(found[0], uses); !strings.Contains(text, "c.go uses of a.go: A") {
		t.Errorf("described as %s", text)
	}
}
