//go:build linux

package gateway

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pithings/test/binary"
)

// bench is the folder of a benchmark, and what runs in it.
type bench struct {
	*testing.B
	dir  string
	port string // of the broker
}

func newBench(b *testing.B) *bench {
	b.Helper()
	return &bench{B: b, dir: b.TempDir()}
}

func (n *bench) file(name string) string { return filepath.Join(n.dir, name) }

func (n *bench) write(name, text string) string {
	if err := os.MkdirAll(filepath.Dir(n.file(name)), 0o700); err != nil {
		n.Fatal(err)
	}
	if err := os.WriteFile(n.file(name), []byte(text), 0o600); err != nil {
		n.Fatal(err)
	}
	return n.file(name)
}

// read returns a file of this repository.
func (n *bench) read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		n.Fatal(err)
	}
	return string(text)
}

// start runs a program until the benchmark ends. What it prints is in NAME.log.
func (n *bench) start(name string, cmd *exec.Cmd) {
	said, err := os.Create(n.file(name + ".log"))
	if err != nil {
		n.Fatal(err)
	}
	defer said.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = said
	}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() {
		cmd.Process.Signal(unix.SIGCONT)
		cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		kill.Stop()
		if n.Failed() {
			text, _ := os.ReadFile(n.file(name + ".log"))
			n.Logf("%s printed:\n%s", name, text[:min(len(text), 1000)])
		}
	})
}

// broker runs a mosquitto with no limits of its own.
func (n *bench) broker() {
	if _, err := exec.LookPath("mosquitto"); err != nil {
		n.Skip("mosquitto is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, n.port, _ = net.SplitHostPort(addr)
	conf := n.write("mosquitto.conf", `persistence false
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
user root
listener `+n.port+` 127.0.0.1
`)
	n.start("mosquitto", exec.Command("mosquitto", "-c", conf))
	n.await("mosquitto listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// await asks again and again until it is so; programs that start have no event for it.
func (n *bench) await(what string, so func() bool) {
	ctx, cancel := context.WithTimeout(n.Context(), binary.Patience)
	defer cancel()
	for !so() {
		select {
		case <-ctx.Done():
			n.Fatalf("%s: not in %v", what, binary.Patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// rounds is how many rounds there are.
func rounds(def int) int {
	if r, err := strconv.Atoi(os.Getenv("GATEWAYBENCH_ROUNDS")); err == nil {
		return r
	}
	return def
}

// turns calls each of so many contenders in each round once, in a random order: who comes
// first or after whom would show otherwise.
func turns(rounds, contenders int, turn func(k int)) {
	order := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		for _, k := range order.Perm(contenders) {
			turn(k)
		}
	}
}

// processor is the time that a process has taken so far: its clock of processor time, by
// which clock_getcpuclockid(3) is made.
func processor(cmd *exec.Cmd) (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(int32(^cmd.Process.Pid<<3|2), &t)
	return time.Duration(t.Nano()), err
}

// ratios are those of the values of one contender through those of another in the same rounds.
func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

// spread returns the median and the quarters around it: one round that was disturbed says
// nothing.
func spread(values []float64) (middle, from, to float64) {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2], values[len(values)/4], values[len(values)*3/4]
}

// table has the lines of a report.
type table struct{ strings.Builder }

func (t *table) line(format string, args ...any) { fmt.Fprintf(&t.Builder, "\n"+format, args...) }

// pipes gives a program's input and output.
func (n *bench) pipes(cmd *exec.Cmd) (to io.Writer, from io.Reader) {
	to, err := cmd.StdinPipe()
	if err != nil {
		n.Fatal(err)
	}
	if from, err = cmd.StdoutPipe(); err != nil {
		n.Fatal(err)
	}
	return to, from
}
