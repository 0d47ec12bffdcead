package flowyaml

import (
	"os"
	"strings"
	"testing"

	"pithings/flow"
)

// TestManual reads every example of the manual.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) < 4 {
		t.Fatalf("only %d examples", len(blocks))
	}
	for _, b := range blocks {
		example, _, _ := strings.Cut(b, "```")
		f, err := Parse("docs/flows.md", []byte(example), flow.Known{})
		if err != nil {
			t.Errorf("%v\n%s", err, example)
			continue
		}
		roundTrip(t, f)
	}
}
