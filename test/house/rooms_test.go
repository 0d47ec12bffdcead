package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// orders have, for each room with packages that import each other, its packages from the
// lowest to the highest; those of one line do not import each other. A package that is
// not listed is below the package of the folder around it, and imports none of its room.
// A package whose name ends in "test" is above the one that it tests.
var orders = map[string][]string{
	"agent":  {"access certificate", "config", "configure discover doctor web", "events", "."},
	"awsiot": {"internal/cbor internal/jsonvalue playground provision refuse", "provision/authority provision/document cloud defender jobs shadow"},
	"camera": {"mjpeg", ".", "store"},
	"cmd":    {"pithings"},
	"fleet":  {"internal/splitmix internal/limited", "scenario internal/engine internal/pictures internal/web internal/rogue", "internal/playground internal/pi", "internal/rehearsal", "."},
	"flow":   {"expr sun", ".", "flowyaml tdm makers service history engine"},
	"gateway": {
		"script/internal/syntax script/internal/py", "script/internal/ops", "script/internal/eval script/internal/builtin", "script/internal/lib",
		"script collect", "field", "rule", ".", "supervisor",
	},
	"hw": {"chips", ".", "mock pi probe"},
	"mqttlink": {
		"durable topic endpoint dial packet",
		"wire certs clock internal/inbox internal/pace internal/blame",
		"internal/rawconn",
		"outbox internal/transport", ".",
		"broker/passwd", "broker/internal/access", "broker/internal/store broker/internal/frames", "broker",
	},
	"sensors": {"internal/sysfs internal/line", "bme680 hcsr501 button kernel host modbus"},
	"spool":   {"state", "control", "queue", "pub"},
}

// todoRooms are imports against that order.
var todoRooms = map[string]bool{}

func TestFloorsInsideRooms(t *testing.T) {
	found := map[string]bool{}
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			room := top(p.ImportPath)
			if room == "test" || !strings.HasPrefix(i, module) || top(i) != room {
				continue
			}
			if from, to := inRoom(p.ImportPath), inRoom(i); !below(orders[room], to, from) {
				arrow := strings.TrimPrefix(p.ImportPath, module) + " -> " + strings.TrimPrefix(i, module)
				if found[arrow] = true; !todoRooms[arrow] {
					t.Errorf("%s goes up or sideways in the room: see orders", arrow)
				}
			}
		}
	}
	for arrow := range todoRooms {
		if !found[arrow] {
			t.Errorf("%s is gone: take it off the list todoRooms", arrow)
		}
	}
}

func TestBelow(t *testing.T) {
	order := []string{"a b", ".", "c c/inner"}
	for _, tc := range []struct {
		to, from string
		want     bool
	}{
		{"a", ".", true}, {".", "a", false}, {"a", "b", false}, {"a", "c", true}, {"c", ".", false},
		{"c/inner", "c", false},              // both listed, on one line
		{"d", "a", false}, {"a", "d", false}, // d is not listed
		{"d", ".", true}, {".", "d", false}, // but is inside the room's own folder
		{"c", "c/ctest", true}, {"a", "ctest", true}, // tests stand above
		{"ctest", "c", false},
	} {
		if got := below(order, tc.to, tc.from); got != tc.want {
			t.Errorf("%s may import %s: %v, want %v", tc.from, tc.to, got, tc.want)
		}
	}
}

// below reports whether from may import to, both named as in orders.
func below(order []string, to, from string) bool {
	if strings.HasSuffix(from, "test") {
		return !strings.HasSuffix(to, "test")
	}
	place := func(name string) int {
		return slices.IndexFunc(order, func(line string) bool { return slices.Contains(strings.Fields(line), name) })
	}
	if a, b := place(to), place(from); a >= 0 && b >= 0 {
		return a < b
	}
	return !strings.HasSuffix(to, "test") && to != "." && (from == "." || strings.HasPrefix(to, from+"/"))
}

// inRoom is the place of a package inside its room, "." for the room's own folder.
func inRoom(path string) string {
	_, rest, inner := strings.Cut(strings.TrimPrefix(path, module), "/")
	if !inner {
		return "."
	}
	return rest
}

// packages are all packages of ours with their imports.
func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages were looked at", len(all))
	}
	return all
}
