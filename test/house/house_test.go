// Package house holds the project to its architecture: the floors of
// docs/architecture.md. A package imports packages of lower floors only, or
// parts of its own folder.
package house

import (
	"strings"
	"testing"
)

const module = "pithings/"

// ground is below floor 0: packages that import nothing of ours, so that floor 0, too,
// may stand on them.
const ground = -1

// floors has the floor of every folder; the longest match counts. Tests and
// programs on floor 9 may import everything.
var floors = map[string]int{
	"cmd":           5,
	"agent":         4,
	"dashboard":     3,
	"fleet":         3,
	"flowhost":      3,
	"flow":          2,
	"spool":         2,
	"things":        2,
	"gateway":       1,
	"history":       1,
	"homeassistant": 1,
	"awsiot":        1,
	"sensors":       1,
	"camera":        1,
	"display":       1,
	"api":           0,
	"conf":          0,
	"device":        0,
	"mqttlink":      0,
	"picture":       0,
	"hw":            0,
	"pulse":         ground,
	"quietlog":      ground,
	"test":          9,
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestFloors(t *testing.T) {
	for _, p := range packages(t) {
		room := top(p.ImportPath)
		floor, known := floors[room]
		if !known {
			t.Errorf("%s: the folder %s has no floor; give it one in docs/architecture.md and here", p.ImportPath, room)
			continue
		}
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, module) || top(i) == room {
				continue
			}
			if below := floors[top(i)]; below >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d); a package imports lower floors only", p.ImportPath, floor, i, below)
			}
		}
	}
}

// top is the first folder of an import path.
func top(path string) string {
	room, _, _ := strings.Cut(strings.TrimPrefix(path, module), "/")
	return room
}

// TestMockStaysBelow: what simulates is chosen where the board is made, and
// nowhere else; no other code may know of it.
func TestMockStaysBelow(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			if i == module+"hw/mock" && top(p.ImportPath) != "cmd" && top(p.ImportPath) != "test" && top(p.ImportPath) != "hw" {
				t.Errorf("%s imports hw/mock; only cmd chooses the board", p.ImportPath)
			}
		}
	}
}
