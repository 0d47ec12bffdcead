package doctor

import (
	"context"
	"io/fs"
	"os"
	"strings"

	"pithings/mqttlink/clock"
)

// Machine is what a board's parts are plugged into, as far as it can be looked
// at beside the parts themselves.
type Machine struct {
	// Root is the file tree.
	Root fs.FS
	// UID is the user's number, negative when the system has none; PID is this
	// process's.
	UID, PID int
	// Open opens a device node for reading and writing and closes it.
	Open func(node string) error
	// Clock is what tells whether the clock is right; its Now is Options.Now.
	Clock clock.Machine
}

// ThisMachine is the machine that the program runs on.
func ThisMachine() *Machine {
	return &Machine{
		Root: os.DirFS("/"),
		UID:  os.Geteuid(),
		PID:  os.Getpid(),
		Open: func(node string) error {
			f, err := os.OpenFile(node, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			return f.Close()
		},
		Clock: clock.ThisMachine(),
	}
}

func (m *Machine) files() root {
	if m == nil {
		return root{nothing{}}
	}
	return root{m.Root}
}

// machine lists the checks of what all parts depend on.
func (e *examination) machine() []check {
	checks := []check{{"board", e.board}, {"clock", e.clock}}
	if e.Machine != nil && e.Machine.UID == 0 {
		checks = append(checks, check{"user", e.user})
	}
	return checks
}

// isPi tells whether the firmware calls the machine a Raspberry Pi.
func (e *examination) isPi() bool {
	return strings.Contains(e.root.text("/proc/device-tree/model"), "Raspberry Pi")
}

func (e *examination) board(_ context.Context, part string) []Result {
	r := found(part, "%s", e.Board)
	if e.Machine != nil && !e.isPi() {
		r.Status = Note
		r.Problem = "no Raspberry Pi, so its parts may have other names, or not be there"
		r.Fix = "to try pithings without parts: pithings run --mock"
	}
	return []Result{r}
}

func (e *examination) user(_ context.Context, part string) []Result {
	return []Result{{Part: part, Status: Warn, Found: "root",
		Problem: "not needed, and hides missing permissions: root may open every part",
		Fix:     "run this as the user that is to run pithings, in the groups gpio, i2c and video"}}
}

// NoBoard tells that the board itself could not be opened.
func NoBoard(err error) Result { return failure("board", err, "") }
