package agent

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pithings/homeassistant"
	"pithings/things"
)

// The device is in Home Assistant while its configuration says so, with its things and settings.
func TestHomeAssistant(t *testing.T) {
	const discovery, state, set = "homeassistant/device/pithings-hall/config", "hall/home_assistant/state", "hall/home_assistant/set"
	const text = "home_assistant: true\nmqtt: {client_id: hall}\n" + twoThings + "  - {name: pi, type: host, interval: 1s}\n"
	l, file := accepting(t, text)
	l.stop()
	l.forget()
	l.start(text) // with the file
	// until waits for the message that has what is wanted.
	until := func(ok func(components map[string]map[string]any) bool) {
		t.Helper()
		for {
			var m struct {
				Components map[string]map[string]any `json:"cmps"`
			}
			payload := l.message(discovery)
			if err := json.Unmarshal([]byte(payload), &m); err != nil {
				t.Fatalf("%v: %.100s", err, payload)
			}
			if ok(m.Components) {
				return
			}
		}
	}
	reload := func(text string) {
		t.Helper()
		was, err := os.ReadFile(file)
		if err == nil {
			i := strings.Index(string(was), "home_assistant")
			err = os.WriteFile(file, []byte(string(was[:i])+text), 0o600)
		}
		if err == nil {
			_, err = l.agent.Reload(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	// What a host measures is known once it has been measured.
	until(func(c map[string]map[string]any) bool {
		return c["TG_MS-motion"] != nil && c["bme680-temperature"]["stat_t"] == "bme680/state" && c["bme680-set-interval"]["cmd_t"] == set && c["pi-uptime"]["ent_cat"] == "diagnostic"
	})
	for !strings.Contains(l.message(state), `"interval":0.1,`) {
	}
	l.publish(set, `{"thing":"bme680","key":"interval","value":0.3}`)
	for !strings.Contains(l.message(state), `"interval":0.3,`) {
	}
	if got := l.agent.current().Thing("bme680").Settings.(*things.EnvironmentSettings).Interval.String(); got != "300ms" {
		t.Errorf("the interval is %s", got)
	}

	reload(strings.Replace(text, "TG_MS", "TG_Other", 1)) // settings from afar stay
	until(func(c map[string]map[string]any) bool {
		return c["TG_Other-motion"]["p"] == "binary_sensor" && len(c["TG_MS-motion"]) == 1 && len(c["TG_MS-motion-trigger"]) == 1 && c["bme680-temperature"] != nil
	})
	if !homeassistant.Remembered(l.folder) {
		t.Error("what was published is not remembered")
	}

	reload(strings.Replace(text, "home_assistant: true", "home_assistant: false", 1))
	for l.message(discovery) != "" {
	}
	for l.message(state) != "" {
	}
	l.until("all is taken back", func() bool { return !homeassistant.Remembered(l.folder) })
}
