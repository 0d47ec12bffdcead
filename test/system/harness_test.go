//go:build system

package system

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
)

func TestMain(m *testing.M) {
	if built := os.Getenv("PITHINGS_TEST_BINARY"); built != "" { // a test that runs itself once more
		binary.Path = built
		os.Exit(m.Run())
	}
	binary.Main(m)
}

// process is a program that runs beside the test, with the lines that it prints.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	ended  chan struct{}
	mu     sync.Mutex
	lines  []string
	read   int // lines before this one have been awaited
	more   chan struct{}
	stderr bytes.Buffer
}

// start runs a program until the test ends.
func start(t *testing.T, path string, args ...string) *process {
	t.Helper()
	return startAs(t, func(c *exec.Cmd) { c.Env = environment(t) }, path, args...)
}

// startAs is start of a program in an environment of its own, or of another user.
func startAs(t *testing.T, prepare func(*exec.Cmd), path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(path), cmd: exec.Command(path, args...),
		ended: make(chan struct{}), more: make(chan struct{}, 1)}
	prepare(p.cmd)
	p.cmd.Stderr = &locked{w: &p.stderr, mu: &p.mu}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, sc.Text())
			p.mu.Unlock()
			select {
			case p.more <- struct{}{}:
			default:
			}
		}
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("%s %s printed:\n%s\n%s", p.name, strings.Join(args, " "), strings.Join(p.lines, "\n"), p.stderr.String())
		}
	})
	return p
}

// environment is a clean one: no PITHINGS_ variables, no service manager, state
// in a folder of the test's own.
func environment(t *testing.T) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "STATE_DIRECTORY=" + t.TempDir(), "TMPDIR=" + os.TempDir()}
}

type locked struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// await returns the next line for which ok holds; those before it are passed.
func (p *process) await(what string, ok func(line string) bool) string {
	p.t.Helper()
	limit := time.After(binary.Patience)
	for {
		p.mu.Lock()
		for p.read < len(p.lines) {
			line := p.lines[p.read]
			p.read++
			if ok(line) {
				p.mu.Unlock()
				return line
			}
		}
		p.mu.Unlock()
		select {
		case <-p.more:
		case <-p.ended:
			p.mu.Lock()
			rest := p.read < len(p.lines)
			p.mu.Unlock()
			if !rest {
				p.t.Fatalf("%s ended before %s", p.name, what)
			}
		case <-limit:
			p.t.Fatalf("%s: no %s within %v", p.name, what, binary.Patience)
		}
	}
}

func (p *process) line(prefix string) string {
	p.t.Helper()
	return p.await(prefix, func(l string) bool { return strings.HasPrefix(l, prefix) })
}

// log waits until the standard error of the process contains text.
func (p *process) log(text string) {
	p.t.Helper()
	deadline := time.Now().Add(binary.Patience)
	for {
		p.mu.Lock()
		s := p.stderr.String()
		p.mu.Unlock()
		if strings.Contains(s, text) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s did not log %q; it logged:\n%s", p.name, text, s)
		}
		time.Sleep(20 * time.Millisecond) // a foreign process's output: nothing to wait on
	}
}

// interrupt is Ctrl-C. It returns the exit code and how long the end took.
func (p *process) interrupt() (code int, took time.Duration) {
	p.t.Helper()
	began := time.Now()
	p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.ended:
	case <-time.After(binary.Patience):
		p.t.Fatalf("%s does not end", p.name)
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// freePort returns a port without a listener.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// mosquitto starts a real broker with the lines of configuration given, and
// returns its port.
func mosquitto(t *testing.T, config ...string) int {
	t.Helper()
	port, _ := mosquittoProcess(t, config...)
	return port
}

func mosquittoProcess(t *testing.T, config ...string) (port int, p *process) {
	t.Helper()
	port = freePort(t)
	lines := append([]string{fmt.Sprintf("listener %d 127.0.0.1", port)}, config...)
	if len(config) == 0 {
		lines = append(lines, "allow_anonymous true")
	}
	if os.Geteuid() == 0 {
		lines = append(lines, "user root") // it would give its rights up, and then not see our files
	}
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = start(t, binary.Need(t, "mosquitto"), "-c", file)
	awaitListener(t, port)
	return port, p
}

// awaitListener waits until a program listens on a port.
func awaitListener(t *testing.T, port int) {
	t.Helper()
	deadline := time.Now().Add(binary.Patience)
	for {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing listens on port %d", port)
		}
		time.Sleep(20 * time.Millisecond) // a foreign process's socket: nothing to wait on
	}
}

// subscribe runs mosquitto_sub on everything and returns once it is subscribed.
func subscribe(t *testing.T, port int, args ...string) *process {
	t.Helper()
	// Its lines wait in a buffer as long as standard output is a pipe.
	p := start(t, binary.Need(t, "stdbuf"), append([]string{"-oL", binary.Need(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-v", "-t", "#", "-d", "-i", "watcher"}, args...)...)
	p.await("SUBACK", func(l string) bool { return strings.Contains(l, "SUBACK") })
	return p
}

// message awaits the next message on a topic, and returns its payload.
func (p *process) message(topic string) string {
	p.t.Helper()
	return strings.TrimPrefix(p.line(topic+" "), topic+" ")
}

// publish sends one message with mosquitto_pub.
func publish(t *testing.T, port int, topic, payload string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), binary.Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary.Need(t, "mosquitto_pub"),
		append([]string{"-h", "127.0.0.1", "-p", fmt.Sprint(port), "-q", "1", "-t", topic, "-m", payload}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("mosquitto_pub: %v\n%s", err, out)
	}
}

// finish runs pithings to its end.
func finish(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), binary.Patience)
	defer cancel()
	c := exec.CommandContext(ctx, binary.Path, args...)
	c.Env = environment(t)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// logged returns what the process has written to standard error.
func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}
