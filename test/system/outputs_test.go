//go:build system && linux

package system

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// An output with max_on that keeps its level over a restart is switched off by the next
// process when the last one was killed: nothing else would do it. What remembers it is a note
// in the state folder, which is written before the line is switched on.
func TestOutputAfterKill9(t *testing.T) {
	state, file := t.TempDir(), filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(file, []byte("broker: {listen: \"127.0.0.1:0\"}\nhttp: {listen: \"127.0.0.1:0\"}\n"+
		"things:\n  - {name: relay, type: output, pin: GPIO27, at_start: keep, max_on: 1h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() *process { return start(t, binary.Path, "run", "--mock", "-f", file, "--state", state) }
	published := func(p *process, state string) {
		t.Helper()
		p.await("the state "+state, func(line string) bool { return strings.HasSuffix(line, `relay/state: {"state":"`+state+`"}`) })
	}
	command := func(payload string) {
		t.Helper()
		if out, errs, code := finish(t, "pub", "--state", state, "-t", "relay/set", "-m", payload); code != 0 {
			t.Fatalf("pub: %d %s%s", code, out, errs)
		}
	}
	note := func() bool {
		t.Helper()
		found := false
		if err := filepath.WalkDir(state, func(_ string, d fs.DirEntry, err error) error {
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			found = found || d != nil && d.Name() == "on-for-a-while"
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	const switchedOff = "output was on for a while only when the last process ended: it is switched off"

	p := run()
	published(p, "off")
	if note() {
		t.Error("there is a note of an output that was never on")
	}
	command("ON")
	published(p, "on")
	if !note() {
		t.Error("there is no note of an output that is on for a while")
	}
	kill(p)

	p = run()
	published(p, "off")
	logs(t, p, switchedOff)
	if note() {
		t.Error("the next process left the note")
	}
	command("ON") // and back in time
	published(p, "on")
	command("OFF")
	published(p, "off")
	kill(p)

	p = run()
	published(p, "off")
	logs(t, p, "msg=connected")
	if strings.Contains(p.logged(), switchedOff) {
		t.Errorf("what was off when the process was killed is reported as having been on:\n%s", p.logged())
	}
}

// kill ends a process as a power cut would.
func kill(p *process) {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(binary.Patience):
		p.t.Fatal("it does not end")
	}
}
