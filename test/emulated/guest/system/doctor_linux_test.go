package system

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pithings/hw/pi"
	"pithings/test/emulated/guest/control"
)

// result is one of `pithings doctor --json`.
type result struct{ Part, Status, Found, Problem, Fix string }

// doctor runs pithings doctor as the user pi, and returns what it says about the
// parts of a configuration, and its exit code.
func doctor(t *testing.T, groups []uint32, things string) (report map[string]result, code int) {
	t.Helper()
	cmd := exec.Command("/bin/pithings", "doctor", "--json", "--config", writeConfig(t, "", "broker: {listen: 127.0.0.1:1883}\nthings:\n"+things))
	asPi(cmd, groups)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		code = exit.ExitCode()
	}
	var list []result
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	report = map[string]result{}
	for _, r := range list {
		if _, seen := report[r.Part]; !seen {
			report[r.Part] = r
		}
	}
	return report, code
}

// The doctor finds all four parts, and what is wrong with each.
func TestDoctor(t *testing.T) {
	setLine(t, false)
	all := motion + camera + display + weather
	t.Run("all is well", func(t *testing.T) {
		report, code := doctor(t, nil, all)
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		for part, found := range map[string]string{
			"TG_MS":     "SIM17 on gpio-sim-pi, now low",
			"TG_Camera": "/dev/video0 (vivid",
			"TG_Screen": "/dev/fb0 (",
			"bme680":    "BME680 at 0x76 on /dev/i2c-",
		} {
			if r := report[part]; r.Status != "ok" || !strings.Contains(r.Found, found) {
				t.Errorf("%s: %+v, want %q", part, r, found)
			}
		}
	})
	change := func(of, from, to string) string { return strings.Replace(of, from, to, 1) }
	// On a Pi there are other buses, so another of them may be meant.
	_, err := os.Stat(ownBus)
	onPi := err == nil
	plugIn := "plug the adapter of that name in"
	if onPi {
		plugIn = "write the number of one of these"
	}
	for _, c := range []struct {
		name, part, things string
		problem, fix       string             // parts of what it says
		make               func(t *testing.T) // makes the fault
		piOnly             bool
	}{
		{name: "no such I²C bus", part: "bme680", things: change(weather, bus, "17"),
			problem: "/dev/i2c-17: not found: there is no such I²C bus, the other buses are 0 (", fix: "write the number of one of these"},
		{name: "I²C switched off", part: "bme680", things: change(weather, bus, "1"), piOnly: true,
			make:    func(t *testing.T) { unbind(t, ownBus+"/device") },
			problem: "no I²C bus 1: I²C is switched off", fix: "sudo raspi-config nonint do_i2c 0"},
		{name: "no device on the Pi's own bus", part: "bme680", things: change(weather, "bus: \""+bus+"\"", "bus: 1, address: 0x77"), piOnly: true,
			problem: "no answer at 0x77", fix: "check the sensor's wires and supply"},
		// The driver of this adapter says that it timed out.
		{name: "no device on the bus", part: "bme680", things: weather,
			make:    func(t *testing.T) { bridge(t, "address", 0x50, 0x76) },
			problem: "no answer at 0x76 (connection timed out), no answer at 0x77", fix: "look for a wire that holds SDA or SCL low"},
		{name: "another chip", part: "bme680", things: weather,
			make:    func(t *testing.T) { bridge(t, "chip", 0x58, 0x61) },
			problem: "a BMP280 (chip id 0x58) at 0x76", fix: "connect a BME680"},
		{name: "adapter unplugged", part: "bme680", things: weather,
			make: func(t *testing.T) {
				ask(t, control.Bridge, control.Request{Do: "remove"})
				t.Cleanup(func() { ask(t, control.Bridge, control.Request{Do: "add"}) })
			},
			problem: `I²C bus "` + bus + `": not found`, fix: plugIn},
		{name: "no such line", part: "TG_MS", things: change(motion, "SIM17", "SIM99"),
			problem: `GPIO line "gpio-sim-pi:SIM99": not found: this machine has gpio-sim-pi:SIM4, gpio-sim-pi:SIM17`, fix: "write one of these names"},
		{name: "line in use", part: "TG_MS", things: motion, make: holdLine,
			problem: `"system.test@`, fix: "stop that program"},
		{name: "no framebuffer", part: "TG_Screen", things: display,
			make:    func(t *testing.T) { unbindScreen(t) },
			problem: "/dev/fb0: not found", fix: "plug the display in before the start"},
		{name: "another framebuffer", part: "TG_Screen", things: change(display, screen, "/dev/fb7"),
			problem: "/dev/fb7: not found", fix: "write device: /dev/fb0"},
		{name: "no camera", part: "TG_Camera", things: change(camera, vivid, "/dev/video33"),
			problem: "/dev/video33: not found", fix: "write device: /dev/video0 or device: /dev/video10"},
		{name: "metadata node", part: "TG_Camera", things: change(camera, vivid, "/dev/video1"),
			problem: "this node carries metadata, not pictures", fix: "write device: /dev/video0"},
		{name: "camera without a source", part: "TG_Loop", things: loopback,
			make: func(t *testing.T) {
				killFeeder(t)
				t.Cleanup(func() { startFeeder(t) })
			},
			problem: "no program feeds this loopback device yet", fix: "write device: /dev/video0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.piOnly && !onPi {
				t.Skip("skipped: this machine has no bus of its own")
			}
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
	t.Run("no groups", func(t *testing.T) {
		report, code := doctor(t, []uint32{}, all)
		for part, group := range map[string]string{"TG_MS": "gpio", "TG_Camera": "video", "TG_Screen": "video", "bme680": "i2c"} {
			r := report[part]
			if want := "sudo usermod -aG " + group + " pi"; code != 1 || r.Status != "fail" || !strings.Contains(r.Fix, want) {
				t.Errorf("%s: exit code %d, %+v, want the fix %q", part, code, r, want)
			}
		}
	})
}

// ownBus is the bus on a Pi's header.
const ownBus = "/sys/class/i2c-dev/i2c-1"

// bridge asks the bridge for something, and takes it back when the test ends.
func bridge(t *testing.T, do string, n, back int) {
	t.Helper()
	ask(t, control.Bridge, control.Request{Do: do, N: n})
	t.Cleanup(func() { ask(t, control.Bridge, control.Request{Do: do, N: back}) })
}

// holdLine has the motion sensor's line until the test ends.
func holdLine(t *testing.T) {
	board, err := pi.Open(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(board.Close)
	line, err := board.OpenPin("gpio-sim-pi:SIM17")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Halt() })
}
