package probe

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"pithings/hw"
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
	}
}

// Prober looks at the parts of a board. Its methods may be called from several
// goroutines.
type Prober struct {
	Board   hw.Board
	Machine *Machine // nil for a simulated board, which has none
	Files   Files    // of the machine; an empty tree if there is none
}

// New returns a prober of a board. machine is nil for a simulated board.
func New(board hw.Board, machine *Machine) *Prober {
	p := &Prober{Board: board, Machine: machine, Files: Files{nothing{}}}
	if machine != nil {
		p.Files = Files{machine.Root}
	}
	return p
}

// IsPi reports whether the firmware calls the machine a Raspberry Pi.
func (p *Prober) IsPi() bool {
	return strings.Contains(p.Files.Text("/proc/device-tree/model"), "Raspberry Pi")
}

// Within runs look, but not for longer than it may take. A part that does not answer
// is reported so and left alone: a call that hangs in the kernel cannot be ended, so
// its goroutine ends when the kernel returns.
func Within(ctx context.Context, limit time.Duration, part string, look func(ctx context.Context) []Result) []Result {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan []Result, 1)
	go func() { done <- look(ctx) }()
	select {
	case r := <-done:
		return r
	case <-ctx.Done():
		return []Result{{Part: part, Status: Fail,
			Problem: fmt.Sprintf("no answer within %v: a device or its driver hangs", limit),
			Fix:     "unplug the part and plug it in again, or restart the board; dmesg may tell which driver waits"}}
	}
}
