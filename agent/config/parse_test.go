package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/things"
)

// sample is the configuration that the documentation opens with.
const sample = `mqtt: {endpoint: "mqtts://broker.example:8883", ca: root.pem, cert: thing.pem, key: thing.key, client_id: pi}
things:
  - {name: TG_MS,     type: motion,      pin: GPIO17, publish: detected}      # or both
  - {name: bme680,    type: environment, bus: "1", address: auto, interval: 3s}
  - {name: TG_Camera, type: camera,      device: /dev/video0, size: 1280x720}
  - {name: TG_Screen, type: screen,      device: /dev/fb0, clear_after: 10s}
flows: [{builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}]
`

func parse(t *testing.T, text string, env ...string) (*Config, []conf.Warning) {
	t.Helper()
	c, warnings, err := Parse("c.yaml", []byte(text), env)
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, text)
	}
	return c, warnings
}

func TestSample(t *testing.T) {
	c, warnings := parse(t, sample)
	if len(warnings) != 0 {
		t.Errorf("warnings %v", warnings)
	}
	if got, want := c.MQTT.Endpoint, "mqtts://broker.example:8883"; got != want {
		t.Errorf("endpoint %q, want %q", got, want)
	}
	if c.MQTT.ConnectTimeout.Duration != 10*time.Second || c.MQTT.AckTimeout.Duration != 5*time.Second ||
		c.MQTT.Reconnect != (Reconnect{conf.Duration{Duration: time.Second}, conf.Duration{Duration: 32 * time.Second}, conf.Duration{Duration: 20 * time.Second}}) ||
		c.MQTT.Queue != (Queue{Max: -1, MaxBytes: 1 << 30, Drop: DropNewest, Alarms: Alarms{Drop: DropOldest}, Sync: "interval", Interval: conf.Duration{Duration: time.Second}}) || !math.IsInf(float64(c.MQTT.Drain), 1) {
		t.Errorf("defaults of mqtt: %+v", c.MQTT)
	}
	if c.HTTP.Listen != "127.0.0.1:8080" || c.Pictures.MaxBytes != 64<<20 || c.Broker.Listen != "" {
		t.Errorf("defaults: %+v %+v %+v", c.HTTP, c.Pictures, c.Broker)
	}
	if len(c.Things) != 4 || len(c.Flows) != 1 {
		t.Fatalf("%d things, %d flows", len(c.Things), len(c.Flows))
	}
	m, e, cam, s := c.Thing("TG_MS"), c.Thing("bme680"), c.Thing("TG_Camera"), c.Thing("TG_Screen")
	if m.Settings.(*things.MotionSettings).Pin != "GPIO17" || m.Settings.(*things.MotionSettings).Publish != "detected" || m.Settings.(*things.MotionSettings).WarmUp.Duration != time.Minute || m.Topic("motion") != "TG_MS/motion" {
		t.Errorf("motion %+v", m.Settings.(*things.MotionSettings))
	}
	if e.Settings.(*things.EnvironmentSettings).Bus != "1" || e.Settings.(*things.EnvironmentSettings).Address != 0 || e.Settings.(*things.EnvironmentSettings).Interval.Duration != 3*time.Second ||
		e.Settings.(*things.EnvironmentSettings).Oversampling != (things.Oversampling{Temperature: 8, Pressure: 4, Humidity: 2}) || !e.Settings.(*things.EnvironmentSettings).Heater.Enabled || e.Topic("gas") != "bme680/gas" {
		t.Errorf("environment %+v", e.Settings.(*things.EnvironmentSettings))
	}
	if cam.Settings.(*things.CameraSettings).Size != (conf.Size{Width: 1280, Height: 720}) || cam.Topic("finished") != "TG_Camera/capture/finished" {
		t.Errorf("camera %+v", cam.Settings.(*things.CameraSettings))
	}
	if s.Settings.(*things.ScreenSettings).ClearAfter.Duration != 10*time.Second || s.Topic("display") != "TG_Screen/display" || s.Topic("nothing") != "" {
		t.Errorf("screen %+v", s.Settings.(*things.ScreenSettings))
	}
	f := c.Flows[0]
	if f.Name != SecurityFlow || f.Carrier != CarrierBroker || f.Timeout.Duration != 30*time.Second || f.When != WhenDetected || f.Things["camera"] != "TG_Camera" {
		t.Errorf("flow %+v", f)
	}
	for i := range c.Things {
		if c.Connection(&c.Things[i]) != &c.MQTT {
			t.Errorf("thing %s does not share the connection", c.Things[i].Name)
		}
	}
}

func TestNotations(t *testing.T) {
	c, _ := parse(t, `
mqtt: {endpoint: abc-ats.iot.eu-west-1.amazonaws.com, drain: 80/s, username: 007, password: 12345}
pictures: {max_bytes: 1GB}
things:
  - {name: a, type: environment, bus: 1, address: 0x76, temperature_offset: -2, interval: 500ms}
  - {name: b, type: environment, bus: 1, address: "0x77", temperature_offset: 1.5}
  - {name: s, type: screen, clear_after: 0, rotate: 270, fetch: {allow_files: [/srv/pictures], deny_nets: [10.0.0.0/8, "fd00::/8"]}}
  - {name: m, type: motion, pin: mock, topics: {motion: "hall/{thing}/motion"}}
`)
	if c.MQTT.Endpoint != "mqtts://abc-ats.iot.eu-west-1.amazonaws.com:8883" {
		t.Errorf("bare host became %q", c.MQTT.Endpoint)
	}
	if c.MQTT.Drain != 80 || c.MQTT.Username != "007" || c.MQTT.Password.Reveal() != "12345" || c.Pictures.MaxBytes != 1e9 {
		t.Errorf("got %+v %v", c.MQTT, c.Pictures)
	}
	a, b := c.Things[0].Settings.(*things.EnvironmentSettings), c.Things[1].Settings.(*things.EnvironmentSettings)
	if a.Bus != "1" || a.Address != 0x76 || a.TemperatureOffset != -2 || b.Address != 0x77 || b.TemperatureOffset != 1.5 {
		t.Errorf("got %+v %+v", a, b)
	}
	s := c.Things[2].Settings.(*things.ScreenSettings)
	if s.ClearAfter.Duration != 0 || s.Rotate != 270 || !reflect.DeepEqual(s.Fetch.DenyNets, []string{"10.0.0.0/8", "fd00::/8"}) {
		t.Errorf("got %+v", s)
	}
	if got := c.Things[3].Topic("motion"); got != "hall/m/motion" {
		t.Errorf("topic %q", got)
	}
}

func TestFlowsOnly(t *testing.T) {
	c, warnings := parse(t, `
mqtt: {endpoint: mqtt://127.0.0.1}
flows: [{builtin: SecurityFlow, things: {motionSensor: far_MS, camera: far_Camera, screen: far_Screen}}]`)
	if len(warnings) != 0 || c.Flows[0].Things["screen"] != "far_Screen" {
		t.Errorf("warnings %v, flow %+v", warnings, c.Flows[0])
	}
}

func TestOwnConnection(t *testing.T) {
	c, _ := parse(t, `
mqtt: {endpoint: "mqtts://h", ca: ca.pem, cert: a.pem, key: a.key, client_id: pi, keepalive: 40s, username: u, password: shared, will: {topic: gone}}
things:
  - {name: A, type: motion, pin: GPIO1, mqtt: {cert: b.pem, key: b.key, reconnect: {max: 64s}}}
  - {name: B, type: motion, pin: GPIO2, mqtt: {client_id: other, password_file: pw}}
  - {name: C, type: motion, pin: GPIO3}`, "PITHINGS_MQTT_ACK_TIMEOUT=7s")
	a, b := c.Things[0].MQTT, c.Things[1].MQTT
	if a.Endpoint != "mqtts://h" || a.CA != "ca.pem" || a.Cert != "b.pem" || a.Key != "b.key" || a.ClientID != "A" ||
		a.Keepalive.Duration != 40*time.Second || a.Password.Reveal() != "shared" || a.Will != (Message{}) ||
		a.Reconnect.Max.Duration != 64*time.Second || a.Reconnect.Min.Duration != time.Second ||
		a.AckTimeout.Duration != 7*time.Second {
		t.Errorf("A: %+v", a)
	}
	if b.Cert != "a.pem" || b.ClientID != "other" || !b.Password.IsZero() || b.PasswordFile != "pw" {
		t.Errorf("B: %+v", b)
	}
	if c.MQTT.Cert != "a.pem" || c.MQTT.Reconnect.Max.Duration != 32*time.Second || c.Things[2].MQTT != nil {
		t.Errorf("shared: %+v", c.MQTT)
	}
}

func TestAnchors(t *testing.T) {
	c, _ := parse(t, `
mqtt: {endpoint: mqtt://h}
things:
  - &first {name: a, type: motion, pin: GPIO1, hold: &hold 9s}
  - {<<: *first, name: b, pin: GPIO2}
  - {<<: [*first, {publish: both}], name: c, pin: GPIO3, debounce: *hold}
`)
	b, third := c.Things[1], c.Things[2]
	if b.Settings.(*things.MotionSettings).Hold.Duration != 9*time.Second || b.Settings.(*things.MotionSettings).Pin != "GPIO2" || third.Settings.(*things.MotionSettings).Publish != things.PublishBoth || third.Settings.(*things.MotionSettings).Debounce.Duration != 9*time.Second {
		t.Errorf("got %+v %+v", b.Settings.(*things.MotionSettings), third.Settings.(*things.MotionSettings))
	}
}

func TestManyProblems(t *testing.T) {
	text := sample + "http:\n"
	for i := range 14 {
		text += fmt.Sprintf("  listen%02d: x\n", i)
	}
	_, _, err := Parse("c.yaml", []byte(text), nil)
	var e *conf.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 11 || lines[10] != "… and 4 more" || e.More != 4 {
		t.Errorf("got %d lines:\n%v", len(lines), err)
	}
	if lines[0] != `c.yaml:9:3: http: unknown key "listen00"; did you mean "listen"?` {
		t.Errorf("first line %q", lines[0])
	}
}

// TestBombs feeds what would exhaust time or memory.
func TestBombs(t *testing.T) {
	alias := "mqtt: {endpoint: mqtt://h}\nx0: &x0 [a,a,a,a,a,a,a,a,a]\n"
	for i := '1'; i < '9'; i++ {
		p := string(i - 1)
		alias += "x" + string(i) + ": &x" + string(i) + " [*x" + p + strings.Repeat(",*x"+p, 8) + "]\n"
	}
	merge := "mqtt: {endpoint: mqtt://h}\nx0: &x0 {a: 1}\n"
	for i := '1'; i < '9'; i++ {
		p := string(i - 1)
		merge += "x" + string(i) + ": &x" + string(i) + " {<<: [*x" + p + strings.Repeat(",*x"+p, 8) + "]}\n"
	}
	for _, row := range []struct{ name, text, want string }{
		{"too large", strings.Repeat("#\n", 1<<20), "c.yaml: the file is larger than 1 MiB"},
		{"brackets", strings.Repeat("[", 1<<19), "c.yaml:1:33: this is nested too deeply"},
		{"braces", strings.Repeat("{a: ", 1<<17), "c.yaml:1:129: this is nested too deeply"},
		{"dashes", strings.Repeat("- ", 1<<18), "c.yaml:1:33: this is nested too deeply"},
		{"questions", strings.Repeat("? ", 1<<18), "c.yaml:1:33: this is nested too deeply"},
		{"anchors", "a: " + strings.Repeat("&a ", 1<<18) + "b", "c.yaml:1:52: this is nested too deeply"},
		{"tags", "a: " + strings.Repeat("!a ", 1<<18) + "b", "c.yaml:1:36: this is nested too deeply"},
		{"indentation", "a:\n" + strings.Repeat(" ", 101) + "b: c\n", "c.yaml:2:1: this line is indented by more than 100 spaces"},
		{"aliases", alias + "things: *x8\n", `c.yaml:9:9: thing 1: a list stands where "key: value" lines belong`},
		{"one key for ever", strings.Repeat("a: b\n", 1<<17), "c.yaml:6667:4: the file has too many values; this is the first that is too much"},
		{"items for ever", strings.Repeat("-\n", 1<<19), "c.yaml:20001:1: the file has too many values; this is the first that is too much"},
		{"merge with itself", "things: [&a {<<: *a}]\n", "c.yaml:1:13: this is nested too deeply"},
		{"merges", merge + "things: [{<<: *x8}]\n", "too many values"},
		{"alias in itself", "things: &a [*a]\n", `c.yaml:1:12: thing 1: a list stands where "key: value" lines belong`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := Parse("c.yaml", []byte(row.text), nil)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
			if err != nil && len(err.Error()) > 4000 {
				t.Errorf("%d bytes of message", len(err.Error()))
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample), "PITHINGS_HTTP_LISTEN=:80")
	f.Add(Example(), "PITHINGS_MQTT_PASSWORD=x")
	for _, row := range messages {
		f.Add([]byte(row.text), "PITHINGS_X=1")
	}
	f.Fuzz(func(t *testing.T, data []byte, env string) {
		c, _, err := Parse("c.yaml", data, []string{env})
		if (c == nil) != (err != nil) {
			t.Fatalf("configuration %v and error %v", c, err)
		}
		if err != nil {
			lines := strings.Split(err.Error(), "\n")
			if len(lines) > conf.MaxProblems+1 {
				t.Errorf("%d lines", len(lines))
			}
			for _, line := range lines {
				if len(line) > 2000 || strings.ContainsAny(line, "\r\x00\x1b") {
					t.Errorf("line %q", line)
				}
			}
			return
		}
		for _, thing := range c.Things {
			for role := range thing.Topics {
				if err := checkTopic(thing.Topic(role)); err != nil {
					t.Error(err)
				}
			}
			if thing.Settings == nil {
				t.Errorf("thing %q has no part", thing.Name)
			}
		}
		if s := c.String(); !strings.HasPrefix(s, "{") {
			t.Error(s)
		}
	})
}

// TestEndpointsAsPeopleWriteThem: paho's and Telegraf's schemes, IPv6 addresses without
// brackets and with a zone, the path / (paho.mqtt.c#1314, mongoose#3590).
func TestEndpointsAsPeopleWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"tcp://h:1883": "mqtt://h:1883", "ssl://h": "mqtts://h", "tls://h:8883": "mqtts://h:8883", "mqtt+ssl://h": "mqtts://h",
		"::1": "mqtts://[::1]:8883", "mqtt://[fe80::1%eth0]": "mqtt://[fe80::1%25eth0]", "ws://h/": "ws://h/",
	} {
		c, _ := parse(t, "mqtt: {endpoint: \""+in+"\"}\nthings: [{name: x, type: motion, pin: GPIO1}]")
		if c.MQTT.Endpoint != want {
			t.Errorf("%s became %s, want %s", in, c.MQTT.Endpoint, want)
		}
	}
}
