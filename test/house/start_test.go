package house

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A stranger's first two commands: the README names the Go that go.mod asks for (Debian
// 12 has 1.19), and the first build, which takes a minute or two, shows that it works.
func TestFirstBuildIsExplained(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read("go.mod"))
	if version == nil {
		t.Fatal("go.mod names no version of Go")
	}
	if readme := read("README.md"); !strings.Contains(readme, "Go "+version[1]) || !strings.Contains(readme, "https://go.dev/dl/") {
		t.Errorf("README.md does not name Go %s and where to get it", version[1])
	}
	_, recipe, _ := strings.Cut(read("Makefile"), "\nrun: ")
	recipe, _, _ = strings.Cut(recipe, "\n\n")
	if !regexp.MustCompile(`\$\(BUILD\) -v .*\./cmd/pithings`).MatchString(recipe) || !strings.Contains(recipe, "a minute or two") {
		t.Errorf("make run is silent while it builds:\n%s", recipe)
	}
}
