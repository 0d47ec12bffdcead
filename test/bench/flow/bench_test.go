package flow

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// bench is a broker, the driver, and the folder of all that is built.
type bench struct {
	*testing.B
	dir  string
	port string // of the broker
	to   io.Writer
	from *bufio.Reader
}

func newBench(b *testing.B) *bench {
	b.Helper()
	for _, program := range []string{"mosquitto", "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skip(program + " is not installed")
		}
	}
	n := &bench{B: b, dir: b.TempDir()}
	for _, program := range []string{"driver", "forwarder"} {
		n.build("gcc", "-O2", "-o", n.file(program), "testdata/"+program+".c")
	}
	n.build("go", "build", "-o", n.file("paho"), "pithings/test/bench/flow/forwarder")
	if err := binary.Build(n.file("pithings")); err != nil {
		n.Fatal(err)
	}
	n.broker()
	n.drive()
	return n
}

func (n *bench) file(name string) string { return filepath.Join(n.dir, name) }

func (n *bench) write(name, text string) string {
	if err := os.WriteFile(n.file(name), []byte(text), 0o600); err != nil {
		n.Fatal(err)
	}
	return n.file(name)
}

func (n *bench) build(program string, args ...string) {
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		n.Fatalf("%s: %v: %s", program, err, out)
	}
}

// start runs a program until the benchmark ends.
func (n *bench) start(cmd *exec.Cmd) {
	if err := cmd.Start(); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		kill.Stop()
	})
}

// broker runs a mosquitto with no limits of its own.
func (n *bench) broker() {
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
log_type subscribe
log_dest file `+n.file("subscriptions")+`
listener `+n.port+` 127.0.0.1
`)
	n.start(exec.Command("mosquitto", "-c", conf))
	ctx, cancel := context.WithTimeout(n.Context(), 10*time.Second)
	defer cancel()
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ctx.Done():
			n.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// subscribed waits until the broker has both subscriptions of a forwarder.
func (n *bench) subscribed(name string) {
	ctx, cancel := context.WithTimeout(n.Context(), time.Minute)
	defer cancel()
	for {
		log, err := os.ReadFile(n.file("subscriptions"))
		if err == nil && bytes.Contains(log, []byte(name+"_MS/motion")) && bytes.Contains(log, []byte(name+"_Camera/capture/finished")) {
			return
		}
		select {
		case <-ctx.Done():
			n.Fatalf("%s does not subscribe", name)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (n *bench) drive() {
	cmd := exec.Command(n.file("driver"), n.port)
	cmd.Stderr = os.Stderr
	var err error
	if n.to, err = cmd.StdinPipe(); err != nil {
		n.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.Fatal(err)
	}
	n.from = bufio.NewReaderSize(out, 64<<10)
	n.start(cmd)
}

// chains drives a block of chains through a forwarder.
func (n *bench) chains(name string, qos, chains int, space time.Duration) []time.Duration {
	fmt.Fprintln(n.to, name, qos, chains, space.Microseconds())
	line, err := n.from.ReadString('\n')
	if err != nil {
		n.Fatalf("no chain through %s: %v", name, err)
	}
	var times []time.Duration
	for _, field := range strings.Fields(line) {
		t, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			n.Fatal(err)
		}
		times = append(times, time.Duration(t))
	}
	if len(times) != chains {
		n.Fatalf("%d chains through %s, not %d", len(times), name, chains)
	}
	return times
}
