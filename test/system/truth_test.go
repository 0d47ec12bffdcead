//go:build system

package system

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pithings/test/binary"
)

// "Published" is printed of what the broker has. Without one, or with a certificate that
// it does not take, there was an endless stream of success, and nothing at the end.
func TestQueuedUntilTheBrokerHasIt(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	ca.client("pi")
	tls := mosquitto(t, ca.mutual()...)
	wrong := append([]string{"-e", "127.0.0.1", "-p", fmt.Sprint(tls)}, ca.flags("pi")...)
	wrong[len(wrong)-5] = other.File("ca.pem")
	for name, tc := range map[string]struct {
		args  []string
		topic string
		why   string
	}{
		"publish, no broker": {[]string{"publish", "-t", "bme680/temperature", "--interval", "200ms", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", freePort(t))}, "bme680/temperature", "refused"},
		"ms, no broker":      {[]string{"ms", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", freePort(t))}, "TG_MS/motion", "refused"},
		"publish, wrong CA":  {append([]string{"publish", "-t", "bme680/temperature", "--interval", "200ms"}, wrong...), "bme680/temperature", "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			p := start(t, binary.Path, append(tc.args, "--mock", "--state", state)...)
			line := p.line("Queued topic " + tc.topic + ": {")
			if !strings.Contains(line, " wait: ") || !strings.Contains(line, tc.why) {
				t.Errorf("%s does not say why", line)
			}
			p.interrupt()
			p.mu.Lock()
			out := strings.Join(p.lines, "\n")
			p.mu.Unlock()
			if strings.Contains(out, "Published") {
				t.Errorf("published without a broker:\n%s", out)
			}
			if last := lastLineOf(p.logged()); !strings.Contains(last, "kept in "+state) || !strings.Contains(last, tc.why) {
				t.Errorf("at Ctrl-C: %s", last)
			}
		})
	}
}

// What was printed as queued is printed as published when the broker is there.
func TestQueuedThenPublished(t *testing.T) {
	port := freePort(t)
	p := start(t, binary.Path, "publish", "-t", "a/b", "--interval", "1h", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--mock")
	queued := p.line("Queued topic a/b: ")
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\nuser root\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Need(t, "mosquitto"), "-c", file)
	payload, _, _ := strings.Cut(strings.TrimPrefix(queued, "Queued topic "), ", 1 wait: ")
	p.line("Published topic " + payload)
	if code, _ := p.interrupt(); code != 0 || strings.Contains(p.logged(), "delivered") {
		t.Errorf("exit code %d\n%s", code, p.logged())
	}
}

func lastLineOf(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// Simulated readings get into no folder of real things, and none of theirs out as real
// ones.
func TestSimulationsAndRealThings(t *testing.T) {
	real, simulated := t.TempDir(), t.TempDir()
	if _, errs, code := finish(t, "pub", "-t", "a", "-m", "b", "--state", real); code != 0 || !strings.Contains(errs, "kept in "+real) || !strings.Contains(errs, "pithings pub --drain -e BROKER --state "+real) {
		t.Fatalf("pub: exit code %d, %s", code, errs)
	}
	config := filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf("mqtt: {endpoint: \"mqtt://127.0.0.1:%d\"}\nstate: %s\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: bme680, type: environment}]\n", freePort(t), real)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	endpoint := fmt.Sprintf("mqtt://127.0.0.1:%d", freePort(t))
	for _, args := range [][]string{
		{"run", "--mock", "--state", real},
		{"run", "--mock", "--config", config},
		{"publish", "--mock", "-e", endpoint, "-t", "a", "--state", real},
		{"ms", "--mock", "-e", endpoint, "--state", real},
	} {
		if _, errs, code := finish(t, args...); code != 1 || !strings.Contains(errs, "queues of real things") {
			t.Errorf("%q: exit code %d, %s", args, code, errs)
		}
	}
	p := start(t, binary.Path, "publish", "--mock", "-e", endpoint, "-t", "a", "--state", simulated)
	p.line("Queued topic a: ")
	p.interrupt()
	for _, args := range [][]string{
		{"publish", "-e", endpoint, "-t", "a", "--state", simulated},
		{"ms", "-e", endpoint, "--state", simulated},
		{"run", "--config", config, "--state", simulated},
		{"flow", "run", "-e", endpoint, "--state", simulated},
	} {
		if _, errs, code := finish(t, args...); code != 1 || !strings.Contains(errs, "simulated readings") {
			t.Errorf("%q: exit code %d, %s", args, code, errs)
		}
	}
}

// Commands find the agent that runs, wherever its state folder is, and name it. Of
// several they want to know which.
func TestTheRunningAgentIsFound(t *testing.T) {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "XDG_RUNTIME_DIR=" + t.TempDir(), "XDG_STATE_HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	prepare := func(c *exec.Cmd) { c.Env = env }
	run := func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		c := exec.CommandContext(t.Context(), binary.Path, args...)
		prepare(c)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil && c.ProcessState == nil {
			t.Fatal(err)
		}
		return out.String(), errs.String(), c.ProcessState.ExitCode()
	}
	port := mosquitto(t)
	sub := subscribe(t, port)
	endpoint := fmt.Sprintf("mqtt://127.0.0.1:%d", port)
	first := startAs(t, prepare, binary.Path, "run", "--mock", "-e", endpoint, "--listen", "127.0.0.1:0")
	first.log("this is a simulation")
	for _, want := range []string{"state=", "page=http://127.0.0.1:", "pictures=http://127.0.0.1:", "screen=http://127.0.0.1:"} {
		if !strings.Contains(first.logged(), want) {
			t.Errorf("run --mock does not print %s\n%s", want, first.logged())
		}
	}
	first.log("msg=connected")
	for _, tc := range []struct {
		args []string
		out  string
	}{
		{[]string{"flow", "list"}, "SecurityFlow"},
		{[]string{"queue", "ls"}, "pithings-"},
		{[]string{"pub", "-t", "found/it", "-m", "yes"}, ""},
		{[]string{"pub", "-t", "found/it", "-m", "yes", "-e", endpoint}, ""},
	} {
		out, errs, code := run(tc.args...)
		if code != 0 || !strings.Contains(out, tc.out) || !strings.Contains(errs, "talking with the simulation (process "+fmt.Sprint(first.cmd.Process.Pid)) {
			t.Errorf("%q: exit code %d, %s%s", tc.args, code, out, errs)
		}
	}
	for range 2 {
		if got := sub.message("found/it"); got != "yes" {
			t.Errorf("arrived: %s", got)
		}
	}
	if out, _, _ := run("doctor"); !strings.Contains(out, "the simulation (process ") {
		t.Errorf("doctor does not name the agent:\n%s", out)
	}
	// Who names a broker, or a folder, does not want another.
	if _, errs, code := run("pub", "-t", "a", "-m", "b", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", freePort(t))); code != 0 || strings.Contains(errs, "talking with") || !strings.Contains(errs, "not delivered yet") {
		t.Errorf("another broker: exit code %d, %s", code, errs)
	}
	if _, errs, _ := run("flow", "list", "--state", t.TempDir()); !strings.Contains(errs, "no agent runs with the state folder") {
		t.Errorf("another folder: %s", errs)
	}
	second := startAs(t, prepare, binary.Path, "run", "--mock", "-e", endpoint, "--listen", "127.0.0.1:0")
	second.log("msg=connected")
	_, errs, code := run("flow", "list")
	if code != 2 || !strings.Contains(errs, "--state") || strings.Count(errs, "the simulation (process") != 2 {
		t.Errorf("two agents: exit code %d, %s", code, errs)
	}
}
