package things

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/device"
	"pithings/hw/mock"
)

// The tables of docs/things.md are made of the descriptions, and each kind has a section of
// words there.
func TestDocs(t *testing.T) {
	file := filepath.Join("..", "docs", "things.md")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, table := range map[string]string{"topics": topicsTable(), "quantities": quantitiesTable(t)} {
		text = within(t, text, name, table)
	}
	for _, k := range Kinds() {
		if !strings.Contains(text, "\n## `"+k.Name+"`: ") {
			t.Errorf("%s has no section for the kind %s", file, k.Name)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != string(b) {
		t.Errorf("the tables of %s are out of date: go test ./things -update", file)
	}
}

// within puts a table between the marks that have its name.
func within(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+", made from the descriptions by: go test ./things -update -->\n", "<!-- end of "+name+" -->\n"
	head, rest, ok := strings.Cut(text, begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("the marks of %s are missing", name)
	}
	return head + begin + table + end + tail
}

func topicsTable() string {
	var b strings.Builder
	b.WriteString("| kind | topic | | QoS | retained | payload | when, or what it means |\n|---|---|---|---|---|---|---|\n")
	for _, k := range Kinds() {
		kind := "`" + k.Name + "`"
		for _, t := range k.Topics {
			way, retained := "published", ""
			if t.In {
				way = "command"
			}
			if t.Retain {
				retained = "yes"
			}
			first := fmt.Sprintf("%s | `%s` | %s | %d | %s", kind, t.Template, way, t.QoS, retained)
			for _, p := range t.Payloads {
				fmt.Fprintf(&b, "| %s | `%s` | %s |\n", first, p.Example, p.Doc)
				first = " | | | |"
			}
			kind = ""
		}
	}
	return b.String()
}

func quantitiesTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| kind | quantity | unit | device class | from | to |\n|---|---|---|---|---|---|\n")
	for _, k := range Kinds() {
		kind := "`" + k.Name + "`"
		for _, q := range quantitiesOf(t, k) {
			low, high := "", ""
			if q.Min != 0 || q.Max != 0 {
				low, high = strconv.FormatFloat(q.Min, 'g', -1, 64), strconv.FormatFloat(q.Max, 'g', -1, 64)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", kind, q.Name, q.Unit, q.Class, low, high)
			kind = ""
		}
	}
	return b.String()
}

// quantitiesOf returns what a simulated thing of a kind measures.
func quantitiesOf(t *testing.T, k *Kind) (all []device.Quantity) {
	t.Helper()
	onBench(t, mock.Options{}, func(b *bench) {
		s := k.New()
		conf.Fill(s)
		s.Simulate()
		all = k.Describe(s, nil).Model.Quantities
		if m, ok := b.in(b.env(quiet), Options{Thing: "x"}, s).(Measuring); ok {
			b.run(m.(Thing))()
			all = m.Quantities()
		}
	})
	return all
}
