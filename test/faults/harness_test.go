//go:build faults && linux

package faults

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
)

var seedFlag = flag.Uint64("seed", 0, "random `seed`; 0: a new one")

func TestMain(m *testing.M) {
	flag.Parse()
	binary.Main(m)
}

// seeded returns the source of a test's random decisions, and prints its seed.
func seeded(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to take the same decisions again: -seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// process is a program that runs beside the test.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	ended chan struct{} // all that it wrote has been read, and it is gone

	mu     sync.Mutex
	stderr bytes.Buffer
}

// run starts a program with start (nil: here). line is called with each line that
// it writes to its standard output; it ends with the test at the latest.
func run(t *testing.T, start func(*exec.Cmd) error, line func(string), path string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + os.TempDir()}
	p.cmd.Stderr = (*complaints)(p)
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if start == nil {
		start = (*exec.Cmd).Start
	}
	if err := start(p.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for r := bufio.NewReader(out); ; {
			text, err := r.ReadString('\n')
			if err != nil {
				break // a last line without an end was not written as a whole
			}
			line(strings.TrimSuffix(text, "\n"))
		}
		p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// complaints takes the standard error of a process.
type complaints process

func (c *complaints) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stderr.Write(b)
}

// complained returns what the process wrote to its standard error.
func (p *process) complained() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// kill is kill -9. It returns when all is read that the process wrote before.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// end sends a signal, waits for the end, and returns the exit code.
func (p *process) end(t *testing.T, s syscall.Signal) int {
	t.Helper()
	p.cmd.Process.Signal(s)
	return p.wait(t)
}

// wait waits for the end and returns the exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(binary.Patience):
		p.cmd.Process.Signal(syscall.SIGQUIT) // it prints where it is
		select {
		case <-p.ended:
		case <-time.After(5 * time.Second):
		}
		t.Fatalf("%s does not end:\n%s", p.cmd, tail(p.complained()))
	}
	return p.cmd.ProcessState.ExitCode()
}

// tail is the end of a long text.
func tail(s string) string {
	const enough = 6000
	if len(s) > enough {
		return "…" + s[len(s)-enough:]
	}
	return s
}

// eventually waits until ok holds, for what foreign processes do unseen.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// sleep waits, or returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
