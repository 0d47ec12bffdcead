package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/things"
)

// over loads a file with accepted settings over it.
func over(t *testing.T, file, settings string, candidate bool, env ...string) (*Config, []conf.Warning, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadWith(name, env, With{Over: func(_ *Config, data []byte) (*Layer, []conf.Warning) {
		if string(data) != file {
			t.Errorf("the file is %q", data)
		}
		return &Layer{Source: "7.json", Data: []byte(`{"format": 1, "settings": ` + settings + "}"), Candidate: candidate}, nil
	}})
}

const layered = `
mqtt: {endpoint: "mqtt://localhost:1883", queue: {max: 50}, window: 30}
log: {level: warn}
things:
  - {name: TG_MS, type: motion, pin: GPIO17}
  - {name: TG_BME, type: environment, interval: 30s}
  - {name: door, type: motion, pin: GPIO18, mqtt: {client_id: door}}
`

func TestLayer(t *testing.T) {
	c, warnings, err := over(t, layered, `{"log": {"level": "debug"}, "mqtt": {"queue": {"max": 9}}, "things": {"TG_BME": {"interval": "10s"}}}`, true, "PITHINGS_MQTT_WINDOW=5")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	got := map[string]string{}
	for _, v := range c.Values() {
		got[v.Path] = string(v.Value) + " " + v.Source
	}
	file := c.places.Source
	for path, want := range map[string]string{
		"log.level":                `"debug" 7.json:1`,
		"mqtt.queue.max":           "9 7.json:1",
		"things[2].mqtt.queue.max": "9 7.json:1", // inherited
		"things[1].interval":       `"10s" 7.json:1`,
		"mqtt.window":              "5 PITHINGS_MQTT_WINDOW",
		"mqtt.endpoint":            fmt.Sprintf(`"mqtt://localhost:1883" %s:2`, file),
		"things[1].retries":        "",
	} {
		if want != "" && got[path] != want {
			t.Errorf("%s is %s, want %s", path, got[path], want)
		}
	}
}

func TestLayerIsRefused(t *testing.T) {
	for _, x := range []struct{ settings, want string }{
		{`{"mqtt": {"endpoint": "mqtt://elsewhere:1883"}}`, "7.json:1:37: mqtt.endpoint can be changed on the machine only, in its configuration file"},
		{`{"things": {"TG_MS": {"pin": "GPIO4"}}}`, "things.TG_MS.pin can be changed on the machine only"},
		{`{"things": {"door": {"mqtt": {"queue": {"max": 1}}}}}`, "things.door.mqtt can be changed on the machine only"},
		{`{"things": {"TG_CAM": {"interval": "10s"}}}`, `there is no thing "TG_CAM"`},
		{`{"things": {"TG_MS": {"interval": "10s"}}}`, `key "interval" belongs to types`},
		{`{"flows": [{"file": "/etc/shadow"}]}`, "flows can be changed on the machine only"},
		{`{"broker": {"users": [{"name": "anonymous"}]}}`, "broker.users can be changed on the machine only"},
		{`{"gateway": {"publish": [{"name": "x", "script": "/etc/shadow"}]}}`, "gateway.publish can be changed on the machine only"},
		{`{"log": {"level": "loud"}}`, `"loud" is not one of`},
		{`{"log": {"color": true}}`, `unknown key "color"`},
		{`{"mqtt": {"window": 7}}`, "mqtt.window is given by PITHINGS_MQTT_WINDOW on the machine, which counts more"},
		{`{"things": {"TG_BME": {"topics": {"temperature": "{env.SECRET}"}}}}`, "SECRET"},
		{`{"mqtt": {"queue": {"max": 4}, "queue": {"max": 5}}}`, "given twice"},
		{`[1]`, "a list stands where"},
		{`{"log"`, "7.json:1"},
	} {
		_, _, err := over(t, layered, x.settings, true, "PITHINGS_MQTT_WINDOW=5", "SECRET=hidden")
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %s", x.settings, err, x.want)
		}
	}
}

// Settings that fitted once must not keep a newer program, or a file that was changed, from
// working; nor must they hide what is wrong with the file.
func TestLayerThatNoLongerFitsIsLeftOut(t *testing.T) {
	c, warnings, err := over(t, layered, `{"log": {"level": "loud"}, "mqtt": {"queue": {"max": 9}}}`, false)
	if err != nil || c.Log.Level != "warn" || c.MQTT.Queue.Max != 50 || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "loud") {
		t.Errorf("%v, %v, level %s, max %d", err, warnings, c.Log.Level, c.MQTT.Queue.Max)
	}
	c, warnings, err = over(t, layered, `{"log": {"level": "debug"}, "mqtt": {"window": 9}}`, false, "PITHINGS_MQTT_WINDOW=5")
	if err != nil || c.Log.Level != "debug" || c.MQTT.Window != 5 || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "PITHINGS_MQTT_WINDOW") {
		t.Errorf("%v, %v, level %s, window %d", err, warnings, c.Log.Level, c.MQTT.Window)
	}
	if _, _, err = over(t, layered+"nothing: 1\n", `{"log": {"level": "debug"}}`, false); err == nil || !strings.Contains(err.Error(), "nothing") || strings.Contains(err.Error(), "7.json") {
		t.Error(err)
	}
}

// No local key can be changed by a layer, whatever its place: for every key of the schema.
func TestNoLocalKeyInALayer(t *testing.T) {
	locals, afar, file := 0, 0, everyThing(t)
	refused := func(path string, f conf.Field, settings string) {
		t.Helper()
		_, _, err := over(t, file, settings, true)
		only := err != nil && strings.Contains(err.Error(), "on the machine only")
		switch {
		case f.Change() != conf.Afar && !only:
			t.Errorf("%s: %s is not refused as a local key: %v", path, settings, err)
		case f.Change() == conf.Afar && only && !strings.Contains(path, "[].") && !strings.Contains(path, ".mqtt."):
			t.Errorf("%s: %s is refused as a local key: %v", path, settings, err)
		case f.Change() != conf.Afar:
			locals++
		default:
			afar++
		}
	}
	nested := func(path string) string {
		parts := strings.Split(path, ".")
		slices.Reverse(parts)
		text := `"x"`
		for _, p := range parts {
			if name, list := strings.CutSuffix(p, "[]"); list {
				text = fmt.Sprintf("{%q: [%s]}", name, text)
			} else {
				text = fmt.Sprintf("{%q: %s}", p, text)
			}
		}
		return text
	}
	for _, f := range conf.Leaves(new(Config)) {
		if !strings.HasPrefix(f.Path, "things[]") {
			refused(f.Path, f.Field, nested(f.Path))
		}
	}
	for i, kind := range things.KindNames() {
		thing := newThing(kind)
		for _, f := range conf.Leaves(&thing) {
			refused(kind+"."+f.Path, f.Field, fmt.Sprintf(`{"things": {"t%d": %s}}`, i, nested(f.Path)))
		}
	}
	if locals < 100 || afar < 100 {
		t.Errorf("%d local keys and %d others were tried", locals, afar)
	}
}

// everyThing is a configuration with a thing of every kind.
func everyThing(t *testing.T) string {
	t.Helper()
	c, _ := parse(t, string(fullExample()))
	text := "mqtt: {endpoint: \"mqtt://localhost:1883\"}\nthings:\n"
	seen := map[string]bool{}
	for i, kind := range things.KindNames() {
		for j := range c.Things {
			if one := &c.Things[j]; one.Type == kind && !seen[kind] {
				seen[kind] = true
				keys := map[string]any{"name": fmt.Sprintf("t%d", i), "type": kind}
				for _, f := range conf.Fields(one) {
					if f.Required() && f.Key != "name" && f.Key != "type" {
						keys[f.Key] = f.Value.Interface()
					}
				}
				line, err := json.Marshal(keys)
				if err != nil {
					t.Fatal(err)
				}
				text += "  - " + string(line) + "\n"
			}
		}
		if !seen[kind] {
			t.Fatalf("the example has no %s", kind)
		}
	}
	return text
}
