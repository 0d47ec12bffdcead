package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link is a link of Markdown to a file of the repository.
var link = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

// Every page of docs is in its index, and no page links to a file that is not there.
func TestPagesAreFoundAndTheirLinksLead(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	pages, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	index := filepath.Join(docs, "README.md")
	listed := linksOf(t, index)
	for _, page := range pages {
		if page != index && !listed[page] {
			t.Errorf("%s is not listed in docs/README.md", page)
		}
	}
	root := filepath.Join("..", "..")
	for _, page := range append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md")) {
		for to := range linksOf(t, page) {
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", page, to, err)
			}
		}
	}
	if !linksOf(t, filepath.Join(root, "README.md"))[index] {
		t.Error("README.md does not link to docs/README.md")
	}
}

func linksOf(t *testing.T, page string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	to := map[string]bool{}
	for _, m := range link.FindAllStringSubmatch(string(text), -1) {
		if !strings.HasPrefix(m[1], "http") {
			to[filepath.Join(filepath.Dir(page), m[1])] = true
		}
	}
	return to
}
