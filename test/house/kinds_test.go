package house

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"

	"pithings/things"
)

// kinds are the names of the kinds of things. Only a kind's own file knows its name: code
// elsewhere ranges over descriptions and asks them.
var kinds = func() map[string]bool {
	names := map[string]bool{}
	for _, name := range things.KindNames() {
		names[name] = true
	}
	return names
}()

// kindsKnown are the folders and files that may decide by a kind's name, and why. One that
// does no longer has to leave the list.
var kindsKnown = map[string]string{
	"things":                    "the kinds themselves",
	"cmd/pithings":              "commands for one thing, and flags of the same names",
	"agent/config/mock.go":      "the simulated default configuration",
	"fleet/internal/pi":         "which things a virtual Pi has, and what it does as each",
	"flow/flowyaml/steps.go":    "input and output are keys of a step",
	"mqttlink/clock/verdict.go": "the kernel is a source of the time",
}

// todoKinds are other files that decide by a kind's name, and how often.
var todoKinds = map[string]int{}

func TestOnlyAKindKnowsItsName(t *testing.T) {
	found, why := map[string]int{}, map[string]string{}
	needed := map[string]bool{}
	for _, c := range source(t) {
		for i, file := range c.files {
			name := c.path + "/" + c.names[i]
			c.decisions(file, func(e ast.Expr, kind string) {
				for known := range kindsKnown {
					if name == known || strings.HasPrefix(name, known+"/") {
						needed[known] = true
						return
					}
				}
				found[name]++
				at := fset.Position(e.Pos())
				why[name] += fmt.Sprintf("\t%s:%d decides by %q\n", filepath.Base(at.Filename), at.Line, kind)
			})
		}
	}
	shrink(t, "decisions by a kind's name", found, todoKinds, why)
	for known, what := range kindsKnown {
		if !needed[known] {
			t.Errorf("%s (%s) no longer decides by a kind's name: take it off the list kindsKnown", known, what)
		}
	}
}

// decisions calls found for each place where code depends on a string that is the name of
// a kind, written there or as a constant: a case, a comparison, a key of a map.
func (c *code) decisions(file *ast.File, found func(ast.Expr, string)) {
	check := func(e ast.Expr) {
		v := c.info.Types[e].Value
		if v != nil && v.Kind() == constant.String && kinds[constant.StringVal(v)] {
			found(e, constant.StringVal(v))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CaseClause:
			for _, e := range n.List {
				check(e)
			}
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				check(n.X)
				check(n.Y)
			}
		case *ast.CompositeLit:
			if !isMap(c.info.Types[n].Type) {
				break
			}
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					check(kv.Key)
				}
			}
		case *ast.IndexExpr:
			if isMap(c.info.Types[n.X].Type) {
				check(n.Index)
			}
		}
		return true
	})
}

func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	_, is := t.Underlying().(*types.Map)
	return is
}
