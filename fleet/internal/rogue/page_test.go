package rogue

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the list of docs/rogue.md anew")

// The page for users lists all behaviours as they are.
func TestPage(t *testing.T) {
	const begin, end = "-update -->\n", "<!-- end of the list -->"
	file := filepath.Join("..", "..", "..", "docs", "rogue.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("there is no place for the list")
	}
	var b strings.Builder
	b.WriteString("| behaviour | what it does | what a good broker does | severity | mosquitto | AWS IoT Core |\n|---|---|---|---|---|---|\n")
	for _, one := range List() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", one.Name, code(one.Does), code(one.Good), one.Severity, code(one.Mosquitto), code(one.AWS))
	}
	want := before + begin + b.String() + end + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Error("docs/rogue.md has another list: go test ./fleet/internal/rogue -update")
	}
}

// code protects what Markdown would take for its own.
func code(s string) string {
	return strings.NewReplacer("|", "\\|", "*", "\\*", "_", "\\_", "<", "&lt;").Replace(s)
}

// Each behaviour says all that a report needs.
func TestList(t *testing.T) {
	names := map[string]bool{}
	for _, b := range List() {
		if b.Name == "" || names[b.Name] || b.Does == "" || b.Good == "" || b.Severity.Rank() > Low.Rank() || b.Mosquitto == "" || b.AWS == "" || b.run == nil {
			t.Errorf("%+v", b)
		}
		names[b.Name] = true
	}
}
