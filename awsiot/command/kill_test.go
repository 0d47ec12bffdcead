package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// childEnv has the folder of a process that is to be killed.
const childEnv = "PITHINGS_TEST_COMMANDS"

// stamper is a thing whose actions note in a file that they ran.
type stamper struct{ file string }

func (s stamper) Watch(string, func(map[string]any, time.Time)) (func(), error) {
	return nil, errors.New("no events")
}

func (s stamper) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	f, err := os.OpenFile(s.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fmt.Fprintln(f, input["name"])
	if action == "hang" {
		fmt.Println("- hangs")
		<-ctx.Done()
	}
	return device.Values{"random": rand.Float64()}, ctx.Err()
}

// TestChild is the process that is killed: requests come on standard input, answers go to
// standard output.
func TestChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("this is the child of TestKill")
	}
	link := linktest.New()
	subscribed := make(chan struct{})
	var settings Settings
	conf.Fill(&settings)
	settings.Enabled = true
	action := device.ActionModel{Params: map[string]device.ValueType{"name": device.StringType}}
	s := New(Options{Settings: settings, Device: "pi", Dir: filepath.Join(dir, "command"), Link: noted{link, subscribed}, Log: slog.New(slog.DiscardHandler),
		Things: func() []Thing {
			return []Thing{{"x", device.Model{Actions: map[string]device.ActionModel{"go": action, "hang": action}}, stamper{filepath.Join(dir, "ran")}}}
		}})
	go func() {
		if err := s.Run(t.Context()); err != nil {
			fmt.Println("- error", err)
		}
	}()
	<-subscribed
	if _, err := link.Subscribe("cmd/app/#", 1, func(_ context.Context, m mqttlink.Message) { fmt.Println(m.Topic, string(m.Payload)) }); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if err := link.Inject(mqttlink.Message{Topic: "cmd/ac/pi/req", Payload: in.Bytes(), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

// child is a running TestChild.
type child struct {
	cmd   *exec.Cmd
	in    io.Writer
	lines chan string
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], "-test.run=^TestChild$"), lines: make(chan string, 64)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+dir)
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.in = in
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	t.Cleanup(c.kill)
	return c
}

// kill is kill -9. Lines that were still on their way are read and dropped.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	for range c.lines {
	}
	_ = c.cmd.Wait()
}

func (c *child) send(session, kind string) {
	fmt.Fprintln(c.in, asked(session, kind, fmt.Sprintf(`{"name":%q}`, session)))
}

// next is the next line; "" after the end of the process, or after half a minute.
func (c *child) next() string {
	select {
	case line := <-c.lines:
		return line
	case <-time.After(30 * time.Second):
		return ""
	}
}

// A process that is killed at any moment runs no command twice, and repeats every answer that
// it has given.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, dir)
	given, interrupted := map[string]string{}, 0
	rounds := 30
	if testing.Short() {
		rounds = 8
	}
	for i := range rounds {
		session := fmt.Sprint(i)
		kind := "x/go"
		if i%8 == 0 {
			kind = "x/hang"
		}
		c.send(session, kind)
		switch {
		case kind == "x/hang":
			if line := c.next(); line != "- hangs" {
				t.Fatalf("round %d: %q", i, line)
			}
		case i%2 == 0:
			given[session] = c.next()
			if !strings.Contains(given[session], `"status":"OK"`) {
				t.Fatalf("round %d: %q", i, given[session])
			}
		default: // at any moment
			select {
			case given[session] = <-c.lines:
			case <-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond):
			}
		}
		c.kill()
		c = startChild(t, dir)
		c.send(session, kind)
		again := c.next()
		switch {
		case again == "":
			t.Fatalf("round %d: no answer", i)
		case given[session] != "" && again != given[session]:
			t.Errorf("round %d:\n first %s\nrepeat %s", i, given[session], again)
		case strings.Contains(again, `"code":"Interrupted"`):
			interrupted++
		case kind == "x/hang":
			t.Errorf("round %d: %s", i, again)
		}
	}
	for session, first := range given {
		if first == "" {
			continue
		}
		if c.send(session, "x/go"); c.next() != first {
			t.Errorf("session %s has another answer at the end", session)
		}
	}
	ran, err := os.ReadFile(filepath.Join(dir, "ran"))
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, session := range strings.Fields(string(ran)) {
		if times[session]++; times[session] > 1 {
			t.Errorf("session %s ran %d times", session, times[session])
		}
	}
	if len(times) < rounds/2 || interrupted == 0 {
		t.Errorf("%d commands ran, %d were interrupted", len(times), interrupted)
	}
}
