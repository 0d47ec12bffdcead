package system

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"pithings/test/emulated/guest/control"
)

// suggested is a line of `pithings discover` that makes a thing of a part. That of an output
// is a comment, until the user knows that the part may be driven.
var suggested = regexp.MustCompile(`(?m)^  (?:# )?(- \{name: "?([^,"]+)"?, type: (\w+), .*\}|- \{name: "?([^,"]+)"?, type: (host)\})`)

// What discover prints is a configuration that is accepted and runs.
func TestDiscover(t *testing.T) {
	kernelChips(t)
	setLine(t, false)
	rests(t)
	cmd := exec.Command("/bin/pithings", "discover")
	asPi(cmd, nil)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	things, kinds := "things:\n", map[string]string{}
	for _, m := range suggested.FindAllStringSubmatch(string(out), -1) {
		things += "  " + m[1] + "\n"
		kinds[m[2]+m[4]] = m[3] + m[5]
	}
	// These are there on both machines, with these names.
	for name, kind := range map[string]string{
		"motion": "motion", "door": "input", "relay": "output", "pi": "host", "sht21": "kernel", "bh1750": "kernel", thermometer: "kernel",
	} {
		if kinds[name] != kind {
			t.Errorf("no %s with the name %s", kind, name)
		}
	}
	for _, kind := range []string{"environment", "camera", "screen"} {
		if !strings.Contains(things, "type: "+kind) {
			t.Errorf("no %s", kind)
		}
	}
	cmd = exec.Command("/bin/pithings", "config", "check", writeConfig(t, "", "broker: {listen: 127.0.0.1:1883}\n"+things))
	asPi(cmd, nil)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, said, things)
	}
	a := start(t, how{}, things)
	for name, kind := range kinds {
		switch kind {
		case "camera":
			func() {
				defer a.capturing(name)()
				a.wait(0, name+"/capture/finished", nil)
			}()
		case "modbus": // nothing is connected to the port
		case "input", "output", "environment", "kernel", "host":
			a.wait(0, name+"/state", nil)
		default:
			a.waitLog("part works\" thing=" + name)
		}
	}
	a.end()
}

// The doctor knows the parts of these kinds and their faults, and switches nothing.
func TestDoctorOfKinds(t *testing.T) {
	kernelChips(t)
	rests(t)
	pull(t, "SIM27", false) // the relay is on
	recordLines(t)
	relayLine := recorded(t, "SIM27")
	before := relayLine.to(t)
	report, code := doctor(t, nil, relay+pump+motor+button+climate+light+attic+computer)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for part, found := range map[string]string{
		"relay": "SIM27 on gpio-sim-pi, free", "raise": "SIM22 on gpio-sim-pi, free", "button": "SIM4 on gpio-sim-pi, now high",
		"climate": "temperature 21.", "light": "illuminance 1003.33 lx", "attic": "temperature 12.4", "pi": "memory_total",
	} {
		if r := report[part]; r.Status != "ok" || !strings.Contains(r.Found, found) {
			t.Errorf("%s: %+v, want %q", part, r, found)
		}
	}
	if levels := relayLine.since(t, before); levels != "" {
		t.Errorf("the doctor drove the relay's line to %s", levels)
	}
	level(t, "SIM27", false)

	for _, c := range []struct {
		name, part, things string
		problem, fix       string
		make               func(t *testing.T)
	}{
		{name: "line in use", part: "relay", things: strings.Replace(relay, "SIM27", "SIM17", 1), make: holdLine,
			problem: `"system.test@`, fix: "stop that program"},
		{name: "no such sensor", part: "attic", things: strings.Replace(attic, thermometer, "28-000000000001", 1),
			problem: "not found", fix: "the kernel shows bh1750 (iio), sht21 (hwmon), " + thermometer + " (w1)"},
		{name: "a sensor that does not answer", part: "light", things: light,
			make: func(t *testing.T) {
				ask(t, control.Bridge, control.Request{Do: "chips"})
				t.Cleanup(func() { ask(t, control.Bridge, control.Request{Do: "chips", On: true}) })
			},
			problem: "bh1750", fix: "check the sensor's wiring"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.make != nil {
				c.make(t)
			}
			report, code := doctor(t, nil, c.things)
			r := report[c.part]
			if code != 1 || r.Status != "fail" || !strings.Contains(r.Problem, c.problem) || !strings.Contains(r.Fix, c.fix) {
				t.Errorf("exit code %d, %+v, want the problem %q and the fix %q", code, r, c.problem, c.fix)
			}
			t.Logf("%s\n    %s", r.Problem, r.Fix)
		})
	}
}
