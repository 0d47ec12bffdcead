//go:build faults && linux

package faults

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pithings/test/binary"
)

// publisher is pithings pub -l, run again and again on one state folder, and fed
// with numbered lines. A line that was written to a run is never written again:
// if that run did not tell that it is safe, it may be lost or not.
type publisher struct {
	t      *testing.T
	start  func(*exec.Cmd) error
	flags  []string
	topic  string
	client *client
	random *rand.Rand
	size   func(*rand.Rand) int // of the next line's padding, in bytes
	next   uint64               // number of the next line
}

// padding is what lines are filled up with.
var padding = strings.Repeat("All work and no play makes Jack a dull boy. ", 4000)

// line returns a numbered line that shows whether it is whole.
func line(n uint64, size int) string {
	return fmt.Sprintf("%d %d %s", n, size, padding[:size])
}

// number returns the number of a whole line.
func number(payload []byte) (uint64, error) {
	f := strings.SplitN(string(payload), " ", 3)
	if len(f) == 3 {
		n, err := strconv.ParseUint(f[0], 10, 64)
		size, err2 := strconv.Atoi(f[1])
		if err == nil && err2 == nil && size >= 0 && size <= len(padding) && f[2] == padding[:size] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("a damaged payload: %.60q… of %d bytes", payload, len(payload))
}

// publishing is one run.
type publishing struct {
	*process
	safe atomic.Uint64 // lines of this run
}

// run starts a run.
func (p *publisher) run() *publishing {
	p.t.Helper()
	first := p.next
	r := &publishing{}
	r.process = run(p.t, p.start, func(text string) {
		n, ok := strings.CutPrefix(text, "safe ")
		i, err := strconv.ParseUint(n, 10, 64)
		if !ok || err != nil || i != r.safe.Load()+1 {
			p.t.Errorf("pub wrote %q after line %d", text, r.safe.Load())
			return
		}
		r.safe.Store(i)
		p.client.wasSafe(p.topic, first+i-1)
	}, binary.Path, append([]string{"pub", "-t", p.topic, "-l"}, p.flags...)...)
	return r
}

// feed writes lines until ctx ends or the run does not take more, with a pause
// before each. It is not called for two runs at a time.
func (p *publisher) feed(ctx context.Context, r *publishing, pause func() time.Duration) {
	for ctx.Err() == nil {
		text := line(p.next, p.size(p.random)) + "\n"
		p.next++ // whatever becomes of it
		if _, err := io.WriteString(r.in, text); err != nil {
			return
		}
		if d := pause(); d > 0 {
			select {
			case <-time.After(d):
			case <-r.ended:
				return
			case <-ctx.Done():
			}
		}
	}
}

// drain delivers what is left.
func (p *publisher) drain(limit time.Duration) {
	p.t.Helper()
	args := []string{"pub", "--drain", "--timeout", limit.String()}
	r := run(p.t, p.start, func(string) {}, binary.Path, append(args, p.flags...)...)
	select {
	case <-r.ended:
	case <-time.After(limit + binary.Patience):
		p.t.Fatal("pub --drain does not end")
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("pub --drain: exit code %d:\n%s", code, tail(r.complained()))
	}
}

// outboxes are the folders with an outbox in a state folder.
func outboxes(t *testing.T, state string) []string {
	t.Helper()
	locks, err := filepath.Glob(filepath.Join(state, "*", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range locks {
		locks[i] = filepath.Dir(l)
	}
	return locks
}

// files lists the files of a folder by what they are.
func files(dir string) map[string]int {
	entries, _ := os.ReadDir(dir)
	m := map[string]int{}
	for _, e := range entries {
		m[filepath.Ext(e.Name())]++
	}
	return m
}
