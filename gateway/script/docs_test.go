package script

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/lib"
)

// The page names all built-in functions and modules, and none that is not there.
func TestPageNamesWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../docs/scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "Built-in functions: `")
	list, _, found := strings.Cut(after, "`")
	if !found {
		t.Fatal("the page lists no built-in functions")
	}
	listed := strings.Fields(list)
	for _, name := range listed {
		if builtin.Lookup(name) == nil {
			t.Errorf("the page has %s, the interpreter has not", name)
		}
	}
	for _, name := range builtin.Names() {
		isFunction := name[0] >= 'a' && name[0] <= 'z'
		if isFunction && !slices.Contains(listed, name) {
			t.Errorf("the page lacks %s", name)
		}
	}
	_, table, _ := strings.Cut(string(text), "## Modules")
	table, _, _ = strings.Cut(table, "\n## ")
	var modules []string
	for _, row := range strings.Split(table, "\n| ")[2:] {
		cell, _, _ := strings.Cut(row, " | ")
		for _, m := range regexp.MustCompile("`([A-Za-z0-9_.]+)`").FindAllStringSubmatch(cell, -1) {
			modules = append(modules, m[1])
		}
	}
	for _, name := range lib.Names() {
		if name != "common" && !slices.Contains(modules, name) {
			t.Errorf("the page lacks the module %s", name)
		}
	}
	for _, name := range modules {
		if lib.Load(name) == nil {
			t.Errorf("the page has the module %s, the interpreter has not", name)
		}
	}
}
