package system

import (
	"encoding/json"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/hw/pi"
	"pithings/sensors/host"
	"pithings/test/emulated/guest"
)

// Things of the kinds output, input, kernel and host. The relay is on when its line is low;
// the others are on when it is high.
//
// The button is between its line and 3.3 V. Pressing one between its line and ground would
// not last: when a line falls, its driver asks for the pull once more, to see that the line
// is still there, and a gpio-sim line has no other level than that of its pull.
const (
	relay = "  - {name: relay, type: output, pin: \"gpio-sim-pi:SIM27\", active_low: true, at_start: keep, at_exit: keep}\n"
	pump  = "  - {name: pump, type: output, pin: \"gpio-sim-pi:SIM24\", max_on: 1h, at_start: keep, at_exit: keep}\n"
	motor = "  - {name: raise, type: output, pin: \"gpio-sim-pi:SIM22\", interlock: [lower]}\n" +
		"  - {name: lower, type: output, pin: \"gpio-sim-pi:SIM23\"}\n"
	lamp     = "  - {name: lamp, type: output, pin: \"gpio-sim-pi:SIM25\", at_exit: \"on\"}\n"
	button   = "  - {name: button, type: input, pin: \"gpio-sim-pi:SIM4\", pull: down, active_low: false}\n"
	door     = "  - {name: door, type: input, pin: \"gpio-sim-pi:SIM18\"}\n"
	climate  = "  - {name: climate, type: kernel, device: sht21, interval: 1s}\n"
	light    = "  - {name: light, type: kernel, device: bh1750, interval: 1s}\n"
	attic    = "  - {name: attic, type: kernel, device: " + thermometer + ", interval: 1s}\n"
	computer = "  - {name: pi, type: host, status: true, interval: 1s}\n"

	thermometer = "28-0316a2794f5b"
)

// values are what the chips measure that function chips sets, by the datasheets' formulas.
var values = map[string]map[string]float64{
	"climate": {"temperature": -46.85 + 175.72*0x6334/65536, "humidity": -6 + 125.0*0x6C00/65536},
	"light":   {"illuminance": 1204 * 57.5 / 69},
	"attic":   {"temperature": 199.0 / 16},
}

// kernelChips gives the chips of the bridge their drivers.
func kernelChips(t *testing.T) {
	t.Helper()
	chips(t)
	chip(t, "sht21", "0x40")
	chip(t, "bh1750", "0x23")
	chip(t, "ds2482", "0x18")
	eventually(t, "the 1-wire bus is searched", func() bool {
		_, err := os.Stat("/sys/bus/w1/devices/" + thermometer)
		return err == nil
	})
}

// config is the file with the program's configuration.
func (a *app) config() string { return a.cmd.Args[len(a.cmd.Args)-1] }

// connect connects another client to the broker, until the test ends.
func (a *app) connect(id string) mqtt.Client {
	a.t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + a.broker).SetClientID(id).SetProtocolVersion(4))
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		a.t.Fatal(token.Error())
	}
	a.t.Cleanup(func() { c.Disconnect(0) })
	return c
}

// retained is the message that the broker keeps on a topic; empty if there is only a newer one.
func (a *app) retained(topic string) string {
	a.t.Helper()
	got := make(chan mqtt.Message, 8)
	c := a.connect("reader")
	defer c.Disconnect(0)
	c.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) { got <- m })
	select {
	case m := <-got:
		if !m.Retained() { // one that is published just now
			return ""
		}
		return string(m.Payload())
	case <-time.After(patience):
		a.t.Fatalf("nothing is retained on %s", topic)
		return ""
	}
}

// switches sends a command to an output, waits for its state and looks at its line.
func (a *app) switches(output, command, state, line string, high bool) {
	a.t.Helper()
	// Pithings sends its first state behind its subscription: a command before that has no
	// receiver.
	a.wait(a.listened, output+"/state", nil)
	from := a.count()
	a.publish(output+"/set", command)
	a.wait(from, output+"/state", is(state))
	level(a.t, line, high)
}

// is compares a payload with that of a state.
func is(state string) func(string) bool {
	return func(payload string) bool { return payload == `{"state":"`+state+`"}` }
}

// level looks at a line, whatever drives it.
func level(t *testing.T, line string, high bool) {
	t.Helper()
	if got, err := guest.Level(sim, line); err != nil || got != high {
		t.Errorf("%s is high: %t (%v), want %t", line, got, err, high)
	}
}

// pull sets what a line has without a program.
func pull(t *testing.T, line string, high bool) {
	t.Helper()
	if err := guest.SetLine(sim, line, high); err != nil {
		t.Fatal(err)
	}
}

// rests gives the lines the levels that they have while all is off. The inputs get them from
// their pulls.
func rests(t *testing.T) {
	t.Helper()
	for line, high := range map[string]bool{"SIM27": true, "SIM24": false, "SIM22": false, "SIM23": false, "SIM25": false, "SIM4": true, "SIM18": false} {
		pull(t, line, high)
	}
}

// readings waits for a message of a kernel sensor's values, and compares it.
func (a *app) readings(from int, thing string) {
	a.t.Helper()
	payload, _ := a.wait(from, thing+"/state", success)
	got := map[string]any{}
	if err := json.Unmarshal([]byte(payload), &got); err != nil {
		a.t.Fatalf("%s: %v", payload, err)
	}
	for name, want := range values[thing] {
		if v, ok := got[name].(float64); !ok || math.Abs(v-want) > 0.1 {
			a.t.Errorf("%s of %s is %v, want %.2f", name, thing, got[name], want)
		}
	}
}

// host compares the names of a message of the computer's quantities with those that root
// reads, and the addresses.
func (a *app) host(from int, disk string) {
	t := a.t
	t.Helper()
	board, err := pi.Open(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer board.Close()
	files, err := board.Sysfs("")
	if err != nil {
		t.Fatal(err)
	}
	d := host.Open(files, &host.Opts{Disks: []string{disk}})
	values, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := d.Addresses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := a.wait(from, "pi/state", success)
	t.Log(payload)
	var got map[string]any
	if err := json.Unmarshal([]byte(payload), &got); err != nil {
		t.Fatal(err)
	}
	for i, q := range d.Channels() {
		if v, ok := got[q.Name].(float64); (!ok || !q.Plausible(v)) && !math.IsNaN(values[i]) {
			t.Errorf("%s is %v, and root reads %v", q.Name, got[q.Name], values[i])
		}
	}
	for _, name := range []string{"load_1", "memory_total", "uptime", "disk_total"} {
		if got[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	list, ok := got["addresses"].([]any)
	if !ok || len(list) != len(addresses) {
		t.Errorf("the addresses are %v, and root reads %v", got["addresses"], addresses)
	}
}

// waterFlow is a flow from the button to the pump that nothing carries over the broker.
func waterFlow(t *testing.T) (flows string) {
	t.Helper()
	file := filepath.Join(filepath.Dir(writeConfig(t, "", "")), "water.yaml")
	text := "name: Water\n" +
		"things: {button: {thing: button, carrier: local}, pump: {thing: pump, carrier: local}}\n" +
		"trigger: {thing: button, event: event, when: value == 'pressed'}\n" +
		"steps: [{name: Pump, thing: pump, action: set, input: {state: \"on\", for: 2s}}]\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return "flows:\n  - {file: " + file + "}\n"
}

// Commands switch lines, presses become events and start a flow, and what the kernel's
// drivers measure is published, all by one program, which takes another configuration
// without switching anything.
func TestKindsOnDeviceNodes(t *testing.T) {
	kernelChips(t)
	rests(t)
	recordLines(t)
	relayLine := recorded(t, "SIM27")
	things := "things:\n" + relay + pump + motor + lamp + button + door + climate + light + attic + computer
	flows := waterFlow(t)
	a := start(t, how{}, things+flows)
	on := func(name string, test func(t *testing.T)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			a.t = t
			test(t)
		})
		a.t = t
	}
	a.allUp(11)

	on("commands", func(t *testing.T) {
		level(t, "SIM27", true)
		if got := a.retained("relay/state"); !is("off")(got) {
			t.Errorf("at the start its state is %s", got)
		}
		a.switches("relay", `{"state":"on"}`, "on", "SIM27", false)
		if got := a.retained("relay/state"); !is("on")(got) {
			t.Errorf("the retained state is %s", got)
		}
		a.switches("relay", "OFF", "off", "SIM27", true)
		a.switches("relay", "toggle", "on", "SIM27", false)
		from := a.count()
		a.publish("pump/set", `{"state":"on","for":"1s"}`)
		_, at := a.wait(from, "pump/state", is("on"))
		a.wait(at, "pump/state", is("off"))
		level(t, "SIM24", false)
	})
	on("interlock", func(t *testing.T) {
		a.switches("raise", "on", "on", "SIM22", true)
		a.publish("lower/set", "on")
		a.waitLog("raise is on, and the interlock keeps lower off")
		level(t, "SIM23", false)
		a.switches("raise", "off", "off", "SIM22", false)
		a.switches("lower", "on", "on", "SIM23", true)
		a.switches("lower", "off", "off", "SIM23", false)
	})
	on("button and flow", func(t *testing.T) {
		if got := a.retained("button/state"); !is("off")(got) {
			t.Errorf("at the start its state is %s", got)
		}
		level(t, "SIM4", false)
		if got := a.retained("door/state"); !is("off")(got) {
			t.Errorf("at the start the door's state is %s", got)
		}
		level(t, "SIM18", true) // pulled up
		from := a.count()
		pull(t, "SIM4", true)
		event := func(name string) {
			t.Helper()
			a.wait(from, "button/event", func(p string) bool { return p == `{"event":"`+name+`"}` })
		}
		event("pressed")
		a.wait(from, "button/state", is("on"))
		_, at := a.wait(from, "pump/state", is("on"))
		event("long_press")
		pull(t, "SIM4", false)
		event("released")
		a.wait(from, "button/state", is("off"))
		a.wait(at, "pump/state", is("off"))
		level(t, "SIM24", false)
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, m := range a.messages[from:] {
			if m.topic == "pump/set" {
				t.Errorf("the flow's command went over the broker: %s", m.payload)
			}
		}
	})
	on("readings", func(t *testing.T) {
		for thing := range values {
			a.readings(a.count(), thing)
		}
		a.host(a.count(), "/")
	})
	on("doctor and discover beside it", func(t *testing.T) {
		before := relayLine.to(t)
		report, _ := doctor(t, nil, relay+button+climate)
		for part, found := range map[string]string{
			"relay": "in use by the pithings that runs now", "button": "in use by the pithings that runs now", "climate": "temperature 21.",
		} {
			if r := report[part]; r.Status != "ok" || !strings.Contains(r.Found, found) {
				t.Errorf("the doctor: %s: %+v, want %q", part, r, found)
			}
		}
		cmd := exec.Command("/bin/pithings", "discover", "--config", a.config())
		asPi(cmd, nil)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("discover: %v", err)
		}
		for _, want := range []string{"thing relay: SIM27", "thing button: SIM4"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("discover does not print %q:\n%s", want, out)
			}
		}
		if levels := relayLine.since(t, before); levels != "" {
			t.Errorf("the relay's line was driven to %s", levels)
		}
	})
	on("a reload of another thing", func(t *testing.T) {
		before := relayLine.to(t)
		text := read(t, a.config())
		changed := strings.Replace(text, "sht21, interval: 1s", "sht21, interval: 2s", 1)
		if changed == text {
			t.Fatal("the interval is not in the configuration")
		}
		if err := os.WriteFile(a.config(), []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		from := a.count()
		a.cmd.Process.Signal(syscall.SIGHUP)
		a.waitLog("configuration reloaded")
		a.readings(from, "climate")
		if levels := relayLine.since(t, before); levels != "" {
			t.Errorf("the relay's line was driven to %s", levels)
		}
		level(t, "SIM27", false)
	})
	on("the end", func(t *testing.T) {
		raiseLine, lampLine := recorded(t, "SIM22"), recorded(t, "SIM25")
		a.switches("raise", "on", "on", "SIM22", true)
		before, raise, lamp := relayLine.to(t), raiseLine.to(t), lampLine.to(t)
		a.end()
		for _, c := range []struct {
			line         driven
			before, want string
		}{{relayLine, before, ""}, {raiseLine, raise, "0"}, {lampLine, lamp, "1"}} {
			if got := c.line.since(t, c.before); got != c.want {
				t.Errorf("at the end %s was driven to %q, want %q", c.line.line, got, c.want)
			}
		}
	})
}

// allUp waits until the program's own status has all parts up.
func (a *app) allUp(parts int) {
	a.t.Helper()
	eventually(a.t, "all parts are up", func() bool { return strings.Count(a.retained("pi/status"), `:"up"`) == parts })
}
