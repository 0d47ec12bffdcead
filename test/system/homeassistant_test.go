//go:build system

package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
	broker "pithings/test/mosquitto"
)

const discovery = "homeassistant/device/pithings-hall/config"

// quietly is longer than the device waits before it publishes, which is 5 s at most: a message that
// comes twice has come twice after that. What does not come has no event to wait for.
const quietly = 6 * time.Second

// The device is in Home Assistant once more after each restart of mosquitto, which forgets
// retained messages here, and each birth of Home Assistant, and not twice; what leaves its
// configuration leaves Home Assistant.
func TestHomeAssistantAtMosquitto(t *testing.T) {
	b := broker.Start(t)
	const things = "  - {name: TG_MS, type: motion, pin: mock, warm_up: 0s}\n  - {name: relay, type: output, pin: mock}\n"
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	write := func(on bool, things string) {
		t.Helper()
		text := fmt.Sprintf("home_assistant: %v\nmqtt: {endpoint: \"mqtt://127.0.0.1:%d\", client_id: hall, reconnect: {min: 100ms, max: 200ms}}\nhttp: {listen: \"127.0.0.1:0\"}\nclock: trust\nthings:\n%s", on, b.Port, things)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	payloads := func(all []broker.Message) (on []string) {
		for _, m := range all {
			if m.Topic == discovery {
				on = append(on, m.Payload)
			}
		}
		return on
	}
	// once waits for the n-th message and for no other.
	once := func(n int, why string) string {
		t.Helper()
		b.Wait(why, func(all []broker.Message) bool { return len(payloads(all)) >= n })
		time.Sleep(quietly)
		got := payloads(b.Messages())
		if len(got) != n {
			t.Fatalf("%s: published %d times, want %d", why, len(got), n)
		}
		return got[n-1]
	}
	write(true, things)
	state := t.TempDir()
	agent := start(t, binary.Path, "run", "--state", state, file)
	first := once(1, "the start")
	if retained := subscribe(t, b.Port, "--retained-only").message(discovery); retained != first {
		t.Errorf("mosquitto keeps %.100s", retained)
	}
	publish(t, b.Port, "homeassistant/status", "online")
	once(2, "a birth")
	b.Down()
	b.Up()
	if again := once(3, "a restart of mosquitto"); again != first {
		t.Errorf("after a restart it is %s, and was %s", again, first)
	}
	publish(t, b.Port, "homeassistant/status", "online")
	publish(t, b.Port, "homeassistant/status", "online")
	once(4, "two births at once")

	reload := func() {
		t.Helper()
		if _, said, code := finish(t, "reload", "--state", state); code != 0 {
			t.Fatalf("reload: %s", said)
		}
	}
	write(true, strings.SplitAfter(things, "\n")[0])
	reload()
	var m struct {
		Components map[string]map[string]any `json:"cmps"`
	}
	if err := json.Unmarshal([]byte(once(5, "without the relay")), &m); err != nil || len(m.Components["relay-state"]) != 1 || m.Components["TG_MS-motion"] == nil {
		t.Errorf("the relay is %v, %v", m.Components["relay-state"], err)
	}
	write(false, things)
	reload()
	if last := once(6, "switched off"); last != "" {
		t.Errorf("switched off it is %s", last)
	}
	agent.interrupt()
}

// Jinja, which Home Assistant has, renders the templates of the golden message as our own tests
// expect: they have no error of syntax.
func TestHomeAssistantTemplatesInJinja(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import jinja2").Run()
	}
	if err != nil {
		t.Skip("python3 with jinja2 is lacking (Debian: python3-jinja2)")
	}
	const script = `
import json, sys, jinja2
env = jinja2.Environment()
env.filters["to_json"] = lambda v: json.dumps(v, separators=(",", ":"))
show = lambda c, key, **v: env.from_string(c[key]).render(**v)
all = json.load(open(sys.argv[1]))["cmps"]
for id, c in all.items():
    for key, text in c.items():
        if key.endswith("_tpl"): env.from_string(text)
got = [
    show(all["TG_MS-motion"], "val_tpl", value_json={"isMotionDetected": True}),
    show(all["heating-pump"], "val_tpl", value_json={"pump": None}),
    show(all["door-event"], "val_tpl", value_json={"event": "pressed"}),
    show(all["TG_Screen-display"], "cmd_tpl", value='https://h/"a"'),
    show(all["heating-setpoint"], "cmd_tpl", value=21.5),
    show(all["bme680-set-interval"], "cmd_tpl", value=5),
    show(all["bme680-problem"], "val_tpl", value_json={"parts": {"bme680": False}}),
    show(all["update"], "val_tpl", value_json={"version": "1.4.0"}),
]
print("\n".join(got))
`
	cmd := exec.Command(python, "-c", script, filepath.Join("..", "..", "homeassistant", "testdata", "pi.json"))
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	want := strings.Join([]string{"ON", "None", `{"event_type":"pressed"}`, `{"imageUri":"https://h/\"a\""}`, `{"setpoint":21.5}`,
		`{"thing":"bme680","key":"interval","value":5}`, "ON", `{"installed_version":"1.4.0"}`}, "\n") + "\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\n%s\nshown:\n%s\nwant:\n%s", err, failed.String(), out, want)
	}
}
