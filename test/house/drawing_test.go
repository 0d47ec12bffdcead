package house

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the drawing of docs/architecture.md anew")

// The drawing is between these lines of docs/architecture.md.
const (
	drawingBegins = "<!-- made from the imports by: go test ./test/house -update -->\n"
	drawingEnds   = "<!-- end of the drawing -->\n"
)

// roomWords say in a few words what a room is for.
var roomWords = map[string]string{
	"agent":         "configuration → services, supervised",
	"api":           "routes and metrics of services",
	"awsiot":        "what only AWS IoT Core has",
	"camera":        "frames → JPEG",
	"cmd":           "one file per command",
	"conf":          "values, fields, problems of configurations",
	"dashboard":     "the page",
	"device":        "events, actions, quantities",
	"display":       "pictures → pixels",
	"fleet":         "simulated devices",
	"flow":          "triggers, steps, executions",
	"flowhost":      "flows joined with things and broker",
	"gateway":       "groups, alarms, scripts",
	"history":       "readings on disk, for charts",
	"homeassistant": "its discovery message",
	"hw":            "pins, buses, video, framebuffers",
	"mqttlink":      "a durable connection, the broker",
	"picture":       "picture files → planes",
	"pulse":         "do the loops move",
	"quietlog":      "say it once",
	"sensors":       "drivers",
	"spool":         "the state folder, messages handed over",
	"things":        "kinds of things",
}

// TestDrawing holds the drawing in docs/architecture.md to the imports.
func TestDrawing(t *testing.T) {
	const page = "../../docs/architecture.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), drawingBegins)
	old, after, ended := strings.Cut(rest, drawingEnds)
	if !found || !ended {
		t.Fatalf("%s lacks the lines %q and %q", page, drawingBegins, drawingEnds)
	}
	imports := map[string]map[string]bool{}
	for _, p := range packages(t) {
		room := top(p.ImportPath)
		if room == "test" {
			continue
		}
		if imports[room] == nil {
			imports[room] = map[string]bool{}
		}
		for _, i := range p.Imports {
			if strings.HasPrefix(i, module) && top(i) != room {
				imports[room][top(i)] = true
			}
		}
	}
	switch drawing := draw(imports); {
	case drawing == old:
	case *update:
		if err := os.WriteFile(page, []byte(before+drawingBegins+drawing+drawingEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the drawing of docs/architecture.md is not that of the imports; run: go test ./test/house -run TestDrawing -update\n%s", drawing)
	}
}

// draw makes a drawing of rooms and what they import: the rooms of a floor beside each
// other, the ground in no arrow, because nearly all stand on it, and no arrow that
// follows from others.
func draw(imports map[string]map[string]bool) string {
	byFloor := map[int][]string{}
	for _, room := range slices.Sorted(maps.Keys(imports)) {
		byFloor[floors[room]] = append(byFloor[floors[room]], room)
	}
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TB\n")
	for _, floor := range slices.Backward(slices.Sorted(maps.Keys(byFloor))) {
		name := fmt.Sprint("floor ", floor)
		if floor == ground {
			name = "the ground of floor 0, under all"
		}
		fmt.Fprintf(&b, "  subgraph F%d[\"%s\"]\n", floor-ground, name)
		for _, room := range byFloor[floor] {
			fmt.Fprintf(&b, "    %s[\"<b>%s</b><br/>%s\"]\n", room, room, roomWords[room])
		}
		b.WriteString("  end\n")
	}
	for _, room := range slices.Sorted(maps.Keys(imports)) {
		var to []string
		for _, below := range slices.Sorted(maps.Keys(imports[room])) {
			if floors[below] != ground && !byAnother(imports, room, below) {
				to = append(to, below)
			}
		}
		if len(to) > 0 {
			fmt.Fprintf(&b, "  %s --> %s\n", room, strings.Join(to, " & "))
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// byAnother reports whether from reaches to by way of another room that it imports.
func byAnother(imports map[string]map[string]bool, from, to string) bool {
	var reaches func(string) bool
	reaches = func(room string) bool {
		if imports[room][to] {
			return true
		}
		for next := range imports[room] {
			if reaches(next) {
				return true
			}
		}
		return false
	}
	for next := range imports[from] {
		if next != to && reaches(next) {
			return true
		}
	}
	return false
}

func TestDrawLeavesOutWhatFollows(t *testing.T) {
	text := draw(map[string]map[string]bool{
		"cmd":    {"agent": true, "things": true},
		"agent":  {"things": true},
		"things": {"hw": true, "quietlog": true},
		"hw":     {}, "quietlog": {},
	})
	for _, want := range []string{"  cmd --> agent\n", "  agent --> things\n", "  things --> hw\n", `hw["<b>hw</b>`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestEveryRoomHasWords(t *testing.T) {
	for _, p := range packages(t) {
		if room := top(p.ImportPath); room != "test" && roomWords[room] == "" {
			t.Errorf("the room %s has no words in roomWords", room)
		}
	}
}
