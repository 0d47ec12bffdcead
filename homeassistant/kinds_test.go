package homeassistant_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/device"
	"pithings/homeassistant"
	"pithings/mqttlink"
	"pithings/mqttlink/topic"
	"pithings/things"
)

var update = flag.Bool("update", false, "write testdata/pi.json anew")

// thing describes a thing of a kind as the agent does, with the settings of the simulation.
func thing(k *things.Kind) (homeassistant.Thing, things.Settings) {
	s := k.New()
	conf.Fill(s)
	s.Simulate()
	t := homeassistant.Thing{Name: k.Example, Model: k.Describe(s, nil).Model, Settings: homeassistant.Settings(conf.Fields(s))}
	if len(t.Model.Quantities) == 0 && len(t.Model.Actions) == 0 { // known when the part is open
		t.Model.Quantities = []device.Quantity{{Name: "temperature", Event: "state", Key: "temperature", Unit: "°C", Class: "temperature", Precision: 1}}
	}
	return t, s
}

func pi() *homeassistant.Description {
	status := mqttlink.StatusOf("hall")
	d := &homeassistant.Description{ID: "hall", Prefix: "homeassistant", Name: "hall", Model: "Raspberry Pi 4 Model B Rev 1.4", Serial: "100000003d1d1c36",
		Version: "1.4.0", URL: "http://192.168.1.7:8080/", Presence: &status}
	for _, k := range things.Kinds() {
		one, _ := thing(k)
		d.Things = append(d.Things, one)
	}
	return d
}

func message(t *testing.T, d *homeassistant.Description) map[string]any {
	t.Helper()
	var m map[string]any
	decode(t, homeassistant.Make(d).Payload(nil), &m)
	return m
}

func components(m map[string]any) map[string]map[string]any {
	all := map[string]map[string]any{}
	for id, c := range m["cmps"].(map[string]any) {
		all[id] = c.(map[string]any)
	}
	return all
}

// A Pi with a thing of every kind looks like this to Home Assistant, which takes it.
func TestPiWithEveryKind(t *testing.T) {
	m := homeassistant.Make(pi())
	if m.Topic != "homeassistant/device/pithings-hall/config" || len(m.Left) > 0 {
		t.Errorf("topic %s, left %v", m.Topic, m.Left)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, m.Payload(nil), "", " "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	const golden = "testdata/pi.json"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, golden); !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the message is not %s; look at it, and run: go test ./homeassistant -update\n%s", golden, b.Bytes())
	}
	if err := newRules(t).check(message(t, pi())); err != nil {
		t.Error(err)
	}
}

// Every quantity, action and occurrence of every kind has its component, and every number that
// may be changed from afar. A new kind needs no line anywhere in this room.
func TestEveryKindIsThere(t *testing.T) {
	platforms := map[string]bool{}
	for _, k := range things.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			one, s := thing(k)
			all := components(message(t, &homeassistant.Description{ID: "a", Prefix: "homeassistant", Name: "a", Things: []homeassistant.Thing{one}}))
			by := map[string][]map[string]any{} // by topic
			for _, c := range all {
				platforms[c["p"].(string)] = true
				for _, key := range []string{"stat_t", "cmd_t", "url_t", "t"} {
					if topic, ok := c[key].(string); ok {
						by[topic] = append(by[topic], c)
					}
				}
			}
			lacks := func(template, what string) {
				if len(by[topic.Expand(template, one.Name)]) == 0 {
					t.Errorf("nothing is made of %s", what)
				}
			}
			for _, q := range one.Model.Quantities {
				if _, ok := all[one.Name+"-"+q.Name]; !ok {
					t.Errorf("nothing is made of quantity %s", q.Name)
				}
			}
			for name, a := range one.Model.Actions {
				lacks(a.Topic, "action "+name)
				if a.Picture != "" {
					lacks(a.Answer, "the picture of action "+name)
				}
			}
			for name, e := range one.Model.Events {
				if e.Once {
					lacks(e.Topic, "event "+name)
				}
			}
			numbers := 0
			for _, f := range conf.Fields(s) {
				if _, isSpan := f.Value.Interface().(conf.Duration); isSpan && f.ChangesAfar() {
					numbers++
					if _, ok := all[one.Name+"-set-"+f.Key]; !ok {
						t.Errorf("setting %s cannot be changed", f.Key)
					}
				}
				if _, ok := all[one.Name+"-set-"+f.Key]; ok && !f.ChangesAfar() {
					t.Errorf("setting %s can be changed, and is local", f.Key)
				}
			}
		})
	}
	for _, p := range []string{"binary_sensor", "button", "device_automation", "event", "image", "number", "sensor", "switch", "text", "update"} {
		if !platforms[p] {
			t.Errorf("no kind has a %s", p)
		}
	}
}

// The templates read the payloads of the contract, and the commands are those of the contract.
func TestTemplatesFitThePayloads(t *testing.T) {
	for _, tc := range []struct{ component, key, payload, want string }{
		{"TG_MS-motion", "val_tpl", `{"isMotionDetected": true}`, "ON"},
		{"TG_MS-motion", "val_tpl", `{"isMotionDetected": false}`, "OFF"},
		{"TG_MS-motion-trigger", "val_tpl", `{"isMotionDetected": true, "time": "2020-02-12T07:30:05.123456Z"}`, "ON"},
		{"bme680-temperature", "val_tpl", `{"utc_timestamp": 1581417910, "temperature": 23.6, "humidity": 41.2, "pressure": 1013.25, "gas_resistance": null, "status": "success"}`, "23.6"},
		{"bme680-gas", "val_tpl", `{"utc_timestamp": 1581417910, "temperature": 23.6, "humidity": 41.2, "pressure": 1013.25, "gas_resistance": null, "status": "success"}`, "None"},
		{"TG_Camera-capture-picture", "url_tpl", `{"lastClickedImage": "https://example.org/a.jpg", "token": "x"}`, "https://example.org/a.jpg"},
		{"door-state", "val_tpl", `{"state":"on"}`, "on"},
		{"door-event", "val_tpl", `{"event":"long_press"}`, `{"event_type":"long_press"}`},
		{"door-event-double_press", "val_tpl", `{"event":"double_press"}`, "double_press"},
		{"relay-state", "val_tpl", `{"state":"off"}`, "off"},
		{"heating-pump", "val_tpl", `{"pump": true}`, "ON"},
		{"heating-pump", "val_tpl", `{"pump": null}`, "None"},
		{"heating-setpoint", "val_tpl", `{"setpoint": 21.5}`, "21.5"},
		{"bme680-set-interval", "val_tpl", `{"settings":{"bme680":{"interval":3}}}`, "3"},
		{"bme680-problem", "val_tpl", `{"parts":{"bme680":false}}`, "ON"},
		{"bme680-problem", "val_tpl", `{"parts":{"bme680":null}}`, "None"},
		{"update", "val_tpl", `{"version":"1.4.0"}`, `{"installed_version":"1.4.0"}`},

		{"heating-setpoint", "cmd_tpl", "21.5", `{"setpoint":21.5}`},
		{"TG_Screen-display", "cmd_tpl", `"https://example.org/\"a\".jpg"`, `{"imageUri":"https://example.org/\"a\".jpg"}`},
		{"bme680-set-heater-temperature", "cmd_tpl", "300", `{"thing":"bme680","key":"heater.temperature","value":300}`},
		{"TG_Camera-capture", "pl_prs", "", "{}"},
		{"TG_Screen-end", "pl_prs", "", "{}"},
		{"relay-state", "pl_on", "", `{"state":"on"}`},
		{"relay-state", "pl_off", "", `{"state":"off"}`},
		{"relay-state", "stat_on", "", `on`},
		{"heating-pump", "pl_on", "", `{"pump":true}`},
		{"door-event-pressed", "pl", "", "pressed"},
	} {
		c := components(message(t, pi()))[tc.component]
		text, _ := c[tc.key].(string)
		got := text
		if strings.HasSuffix(tc.key, "_tpl") {
			got = render(t, text, tc.payload)
		}
		if got != tc.want {
			t.Errorf("%s, %s %s of %s: %q, want %q", tc.component, tc.key, text, tc.payload, got, tc.want)
		}
	}
}

// The few forms of Jinja that there are in templates.
var (
	expression = regexp.MustCompile(`\{\{ (.*?) \}\}`)
	lookup     = regexp.MustCompile(`^value_json((?:\['[^']*'\])+)$`)
	step       = regexp.MustCompile(`\['([^']*)'\]`)
	choice     = regexp.MustCompile(`^(?:'None' if (\S+) is none else )?'(ON|OFF)' if (\S+) else '(ON|OFF)'$`)
	asObject   = regexp.MustCompile(`^\{'(\w+)': (\S+)\} \| to_json$`)
)

// render shows what Jinja makes of a template of ours. test/system has Jinja itself do it.
func render(t *testing.T, template, payload string) string {
	t.Helper()
	var value any
	decode(t, []byte(payload), &value)
	look := func(path string) (v any) {
		m := lookup.FindStringSubmatch(path)
		if m == nil {
			t.Fatalf("%s is nothing that a template of ours looks up", path)
		}
		v = value
		for _, s := range step.FindAllStringSubmatch(m[1], -1) {
			v = v.(map[string]any)[s[1]]
		}
		return v
	}
	return expression.ReplaceAllStringFunc(template, func(whole string) string {
		e := expression.FindStringSubmatch(whole)[1]
		if e == "value | to_json" {
			return payload
		}
		if e == "value" {
			return fmt.Sprint(value)
		}
		if m := choice.FindStringSubmatch(e); m != nil {
			v := look(m[3])
			switch {
			case m[1] != "" && v == nil:
				return "None"
			case v == true:
				return m[2]
			}
			return m[4]
		}
		if m := asObject.FindStringSubmatch(e); m != nil {
			b, err := json.Marshal(map[string]any{m[1]: look(m[2])})
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if v := look(e); v != nil {
			return fmt.Sprint(v)
		}
		return "None"
	})
}

// A message with one thing wrong is refused.
func TestMutationsAreRefused(t *testing.T) {
	r := newRules(t)
	component := func(id string, change func(map[string]any)) func(map[string]any) {
		return func(m map[string]any) {
			c, ok := m["cmps"].(map[string]any)[id].(map[string]any)
			if !ok {
				panic("there is no component " + id)
			}
			change(c)
		}
	}
	set := func(key string, v any) func(map[string]any) { return func(m map[string]any) { m[key] = v } }
	drop := func(key string) func(map[string]any) {
		return func(m map[string]any) {
			if _, ok := m[key]; !ok {
				panic("there is no key " + key)
			}
			delete(m, key)
		}
	}
	rows := map[string]func(map[string]any){
		"no device":                  drop("dev"),
		"no origin":                  drop("o"),
		"no components":              drop("cmps"),
		"unknown key":                set("via", "x"),
		"topic base":                 set("~", "x"),
		"wildcard in availability":   set("avty", []any{map[string]any{"t": "+/status"}}),
		"unknown key there":          set("avty", []any{map[string]any{"t": "a", "pl": "x"}}),
		"unknown mode":               set("avty_mode", "some"),
		"unknown key of the device":  func(m map[string]any) { m["dev"].(map[string]any)["icon"] = "x" },
		"device without identifiers": func(m map[string]any) { delete(m["dev"].(map[string]any), "ids") },
		"address that is none":       func(m map[string]any) { m["dev"].(map[string]any)["cu"] = "hall" },
		"unknown key of the origin":  func(m map[string]any) { m["o"].(map[string]any)["model"] = "x" },
		"id with a blank":            func(m map[string]any) { m["cmps"].(map[string]any)["a b"] = map[string]any{"p": "sensor"} },
		"unknown platform":           component("bme680-gas", set("p", "thermometer")),
		"no platform":                component("bme680-gas", drop("p")),
		"unknown class of sensor":    component("bme680-temperature", set("dev_cla", "warmth")),
		"unit of another class":      component("bme680-temperature", set("unit_of_meas", "%")),
		"config sensor":              component("bme680-temperature", set("ent_cat", "config")),
		"negative time":              component("bme680-temperature", set("exp_aft", -1)),
		"class of another platform":  component("relay-state", set("dev_cla", "power")),
		"QoS 3":                      component("relay-state", set("qos", 3)),
		"command to all topics":      component("relay-state", set("cmd_t", "#")),
		"two sources of a picture":   component("TG_Camera-capture-picture", set("img_t", "x")),
		"content type of an address": component("TG_Camera-capture-picture", set("cont_type", "image/jpeg")),
		"steps too small":            component("heating-setpoint", set("step", 0.0001)),
		"limit that is a text":       component("heating-setpoint", set("max", "35")),
		"mode of a text":             component("heating-setpoint", set("mode", "password")),
		"no types of events":         component("door-event", set("event_types", []any{})),
		"event that expires":         component("door-event", set("exp_aft", 30)),
		"class of a sensor":          component("door-event", set("dev_cla", "opening")),
		"automation of another type": component("TG_MS-motion-trigger", set("atype", "action")),
		"trigger with a unique id":   component("TG_MS-motion-trigger", set("uniq_id", "x")),
		"trigger that is available":  component("TG_MS-motion-trigger", set("avty", []any{map[string]any{"t": "a"}})),
		"two triggers of one name":   component("door-event-pressed", set("type", "button_long_press")),
		"installs":                   component("update", set("pl_inst", 1)),
	}
	required := map[string][]string{"sensor": {"stat_t"}, "binary_sensor": {"stat_t"}, "update": {"stat_t"}, "button": {"cmd_t"}, "switch": {"cmd_t"}, "text": {"cmd_t"},
		"number": {"cmd_t"}, "image": {"url_t"}, "event": {"stat_t", "event_types"}, "device_automation": {"t", "type", "stype", "atype"}}
	for id, c := range components(message(t, pi())) {
		alone := func(name string, change func(map[string]any)) { // without the others, which takes less time
			rows[id+": "+name] = func(m map[string]any) {
				component(id, change)(m)
				m["cmps"] = map[string]any{id: m["cmps"].(map[string]any)[id]}
			}
		}
		platform := c["p"].(string)
		alone("unknown key", set("colour", "red"))
		alone("mistyped key", func(c map[string]any) { c["quos"] = c["qos"]; delete(c, "qos") })
		for _, key := range required[platform] {
			alone("no "+key, drop(key))
		}
		if platform != "device_automation" {
			alone("no unique id", drop("uniq_id"))
		}
		m := message(t, pi())
		if m["cmps"] = map[string]any{id: c}; r.check(m) != nil {
			t.Errorf("%s alone is refused", id)
		}
	}
	whole := string(homeassistant.Make(pi()).Payload(nil))
	for name, mutate := range rows {
		var m map[string]any
		decode(t, []byte(whole), &m)
		mutate(m)
		if r.check(m) == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// Names of things, whatever they are, give components and unique ids that are all different, and
// valid.
func TestNames(t *testing.T) {
	motion, _ := thing(things.KindOf("motion"))
	d := pi()
	for _, name := range []string{"a", "a-set", "a.b", "a:b", "a-b", "a_b", "set", "update", strings.Repeat("x", 200), strings.Repeat("x", 199) + "y"} {
		one := motion
		one.Name = name
		d.Things = append(d.Things, one)
	}
	m := message(t, d)
	if err := newRules(t).check(m); err != nil {
		t.Error(err)
	}
	ids := map[any]string{}
	for key, c := range components(m) {
		if id, ok := c["uniq_id"]; ok {
			if other, again := ids[id]; again {
				t.Errorf("%s and %s have the unique id %s", key, other, id)
			}
			ids[id] = key
		}
	}
	if one, all := len(components(message(t, &homeassistant.Description{ID: "a", Things: []homeassistant.Thing{motion}})))-1, len(ids); all == 0 || len(components(m)) != len(components(message(t, pi())))+10*one {
		t.Errorf("%d components, of each of the ten %d", len(components(m)), one)
	}
}

// Client ids of all kinds make topics that Home Assistant looks at.
func TestDiscoveryTopics(t *testing.T) {
	valid := regexp.MustCompile(`^homeassistant/device/[a-zA-Z0-9_-]+/config$`) // TOPIC_MATCHER of mqtt/discovery.py
	seen := map[string]string{}
	for _, id := range []string{"hall", "hall/pi", "hall-pi", "hall pi", "Küche", "K_che", strings.Repeat("x", 300)} {
		topic := homeassistant.DiscoveryTopic("homeassistant", id)
		if !valid.MatchString(topic) || seen[topic] != "" {
			t.Errorf("%q: %s, which is also that of %q", id, topic, seen[topic])
		}
		seen[topic] = id
	}
}

// A device with more than fits keeps its values, and says what it has left out.
func TestLongMessages(t *testing.T) {
	d := pi()
	big := homeassistant.Thing{Name: "plant", Model: device.Model{Events: map[string]device.EventModel{"state": {Topic: "{thing}/state"}}}}
	for i := range 1000 {
		big.Model.Quantities = append(big.Model.Quantities, device.Quantity{Name: fmt.Sprintf("register%d", i), Event: "state", Key: fmt.Sprintf("register%d", i)})
	}
	d.Things = append(d.Things, big)
	m := homeassistant.Make(d)
	if n := len(m.Payload(nil)); n > homeassistant.MaxPayload || n < homeassistant.MaxPayload*9/10 {
		t.Errorf("%d bytes of %d", n, homeassistant.MaxPayload)
	}
	if !slices.Contains(m.Left, "plant") {
		t.Errorf("left %v", m.Left)
	}
	var root map[string]any
	decode(t, m.Payload(nil), &root)
	if err := newRules(t).check(root); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"bme680-temperature", "relay-state", "TG_MS-motion", "TG_Camera-capture-picture"} {
		if _, ok := components(root)[id]; !ok {
			t.Errorf("%s was left out", id)
		}
	}
}

// A class that Home Assistant does not know, or not with the unit, would have it refuse the
// component.
func TestClassesOfOthers(t *testing.T) {
	d := &homeassistant.Description{ID: "a", Prefix: "homeassistant", Things: []homeassistant.Thing{{Name: "meter", Model: device.Model{
		Events: map[string]device.EventModel{"state": {Topic: "{thing}/state"}},
		Quantities: []device.Quantity{
			{Name: "a", Event: "state", Key: "a", Class: "warmth", Unit: "°C"},
			{Name: "b", Event: "state", Key: "b", Class: "temperature", Unit: "C"},
			{Name: "c", Event: "state", Key: "c", Class: "energy", Unit: "kWh"},
			{Name: "it's", Event: "state", Key: `it's a \`, Type: device.StringType},
		}}}}}
	m := message(t, d)
	if err := newRules(t).check(m); err != nil {
		t.Error(err)
	}
	all := components(m)
	if all["meter-a"]["dev_cla"] != nil || all["meter-b"]["dev_cla"] != nil || all["meter-c"]["dev_cla"] != "energy" || all["meter-c"]["stat_cla"] != "total_increasing" {
		t.Errorf("%v", all)
	}
	for id, c := range all {
		if c["val_tpl"] == `{{ value_json['it\'s a \\'] }}` {
			return
		} else if strings.Contains(id, "it") && c["val_tpl"] != nil {
			t.Logf("%s: %s", id, c["val_tpl"])
		}
	}
	t.Error("a key with quotes is not quoted")
}
