package system

import (
	"path/filepath"
	"strings"
	"testing"
)

// What outputs do when their program is killed or starts anew. A gpio-sim line then has the
// level of its pull, so that the pull stands for the kernel: for one that keeps the level,
// and for one that does not.
func TestOutputsOverRestarts(t *testing.T) {
	rests(t)
	recordLines(t)
	relayLine := recorded(t, "SIM27")
	h := how{broker: startBroker(t), state: filepath.Join(t.TempDir(), "state")}
	things := "things:\n" + relay + pump + motor
	all := []string{"relay", "pump", "raise", "lower"}
	// begin starts the program and waits for the states of its outputs.
	begin := func(want ...string) *app {
		t.Helper()
		a := start(t, h, things)
		for i, thing := range all {
			a.waitLog("part works\" thing=" + thing)
			a.wait(0, thing+"/state", is(want[i]))
		}
		return a
	}
	kill := func(a *app) {
		a.cmd.Process.Kill()
		<-a.done
	}

	a := begin("off", "off", "off", "off")
	a.switches("relay", "on", "on", "SIM27", false)
	a.switches("pump", "on", "on", "SIM24", true)
	a.switches("raise", "on", "on", "SIM22", true)
	// The kernel keeps all levels.
	pull(t, "SIM27", false)
	pull(t, "SIM24", true)
	pull(t, "SIM22", true)
	kill(a)
	c := a.connect("commander")
	if token := c.Publish("relay/set", 1, true, "off"); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	before := relayLine.to(t)
	a = begin("on", "off", "off", "off")
	a.waitLog("retained command ignored")
	a.waitLog("output was on for a while only")
	level(t, "SIM27", false)
	level(t, "SIM24", false) // its limit ended with its program
	level(t, "SIM22", false)
	if levels := relayLine.since(t, before); strings.Trim(levels, "0") != "" {
		t.Errorf("the relay's line was driven to %s, want 0 only", levels)
	}
	// It takes commands as before.
	a.switches("pump", "on", "on", "SIM24", true)
	before = relayLine.to(t)
	a.end()
	level(t, "SIM24", true) // at_exit: keep, and so does the kernel

	a = begin("on", "off", "off", "off")
	if levels := relayLine.since(t, before); strings.Trim(levels, "0") != "" {
		t.Errorf("over a restart the relay's line was driven to %s, want 0 only", levels)
	}
	// The kernel gives the lines back to their pulls.
	rests(t)
	kill(a)
	level(t, "SIM27", true)
	a = begin("off", "off", "off", "off")
	level(t, "SIM27", true)
	a.end()
}

// startBroker runs a broker that outlives the program that is tested. Retained messages
// stay in it.
func startBroker(t *testing.T) (address string) {
	t.Helper()
	const listen = "127.0.0.1:1884"
	a := &app{t: t, done: make(chan struct{}), changed: make(chan struct{}), broker: listen}
	a.startProgram(how{}, "broker: {listen: "+listen+"}\nhttp: {listen: 127.0.0.1:8081}\n"+
		"things:\n  - {name: broker, type: host, interval: 24h}\n")
	t.Cleanup(func() {
		a.cmd.Process.Kill()
		<-a.done
		if t.Failed() {
			t.Logf("the broker said:\n%s", strings.Join(a.logged(""), "\n"))
		}
	})
	a.listen()
	return listen
}
