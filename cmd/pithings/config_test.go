package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The source of a value is the file's line, the variable, the option, or default.
func TestConfigShowNamesTheSourceOfEachValue(t *testing.T) {
	ownHome(t)
	t.Setenv("PITHINGS_MQTT_WINDOW", "7")
	write(t, "c.yaml", "mqtt: {endpoint: mqtt://a, keepalive: 20s}\nthings: [{name: x, type: motion, pin: mock}]\n")
	out, said, code := cli(t, "", "config", "show", "c.yaml", "-e", "mqtt://b", "--json")
	if code != 0 {
		t.Fatal(said)
	}
	var all []struct {
		Key, Source string
		Value       any
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"mqtt.endpoint": "--endpoint", "mqtt.keepalive": "c.yaml:1", "mqtt.window": "PITHINGS_MQTT_WINDOW", "mqtt.drain": "default", "things[0].pin": "c.yaml:2"}
	for _, v := range all {
		if w, ok := want[v.Key]; ok && w != v.Source {
			t.Errorf("%s = %v is from %q, want %q", v.Key, v.Value, v.Source, w)
		}
		delete(want, v.Key)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	out, _, _ = cli(t, "", "config", "show", "c.yaml", "-e", "mqtt://b")
	if !strings.Contains(out, `endpoint: "mqtt://b"`) || !strings.Contains(out, "# --endpoint\n") {
		t.Errorf("%s", out)
	}
	out, _, _ = cli(t, "", "config", "show", "c.yaml", "-e", "mqtt://b", "--change")
	for _, want := range []string{" # --endpoint, with_secret\n", " # PITHINGS_MQTT_WINDOW, afar\n", " # default, afar\n", "  users: []" + strings.Repeat(" ", 39) + " # default\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in %s", want, out)
		}
	}
}

// What people write wrong in configurations: each is refused by `config check` with 1 and by
// `run` with 78, with its place and what to do.
func TestConfigurationMistakes(t *testing.T) {
	const things = "\nthings: [{name: x, type: motion, pin: mock}]\n"
	const aws = "mqtt: {endpoint: a1-ats.iot.eu-west-1.amazonaws.com, cert: c.pem, key: c.key}\n"
	thing := func(text string) string { return "mqtt: {endpoint: mqtt://h}\nthings: [{" + text + "}]\n" }
	ownHome(t)
	for name, row := range map[string][2]string{
		"AWS without certificate":    {"mqtt: {endpoint: a1-ats.iot.eu-west-1.amazonaws.com}" + things, "c.yaml:1:18: endpoint: AWS IoT Core asks for a certificate; give cert and key"},
		"missing certificate":        {aws + things, "c.yaml:1:60: certificate c.pem cannot be read"},
		"missing key":                {aws + things, "c.yaml:1:72: private key c.key cannot be read"},
		"missing authority":          {"mqtt: {endpoint: mqtts://h, ca: ca.pem}" + things, "c.yaml:1:33: CA ca.pem cannot be read"},
		"eight slashes at AWS":       {aws + "things: [{name: x, type: motion, pin: mock, topics: {motion: a/b/c/d/e/f/g/h/i}}]\n", "c.yaml:2:62: motion: topic a/b/c/d/e/f/g/h/i: 8 slashes, but AWS IoT Core allows 7"},
		"AWS example copied":         {"mqtt: {endpoint: xxxx-ats.iot.eu-central-1.amazonaws.com, username: u}" + things, "c.yaml:1:18: endpoint: \"xxxx-ats.iot.eu-central-1.amazonaws.com\" stands for"},
		"HOST":                       {"mqtt: {endpoint: \"mqtts://HOST:8883\"}" + things, "c.yaml:1:18: endpoint: \"HOST\" stands for the name of your broker"},
		"your-broker":                {"mqtt: {endpoint: mqtts://your-broker}" + things, "stands for the name of your broker; write that"},
		"number as a pin":            {thing("name: x, type: motion, pin: 17"), "c.yaml:2:39: pin: \"17\" is a number; write the line's name, GPIO17"},
		"BCM17":                      {thing("name: x, type: motion, pin: BCM17"), "c.yaml:2:39: pin: the kernel calls BCM17 GPIO17"},
		"video0":                     {thing("name: x, type: camera, device: video0"), "c.yaml:2:42: device: \"video0\" is not a full path; write /dev/video0"},
		"fb0":                        {thing("name: x, type: screen, device: fb0"), "write /dev/fb0"},
		"i2c-1":                      {thing("name: x, type: environment, bus: i2c-1"), "c.yaml:2:44: bus: write \"1\" or /dev/i2c-1"},
		"missing quote":              {"mqtt: {endpoint: \"mqtts://h}\nthings:\n  - {name: \"x\", type: camera}\n", "c.yaml:1:18: not YAML: a text that begins with \" lacks its closing quote on this line"},
		"missing quote at the end":   {"mqtt:\n  endpoint: 'mqtts://h\nthings: []\n", "c.yaml:2:13: not YAML: a text that begins with ' lacks its closing quote"},
		"missing brace":              {"mqtt: {endpoint: mqtt://h" + things, "c.yaml:"},
		"tab":                        {"mqtt:\n\tendpoint: mqtt://h\n", "c.yaml:2:1: this line is indented with a tab; YAML takes spaces only"},
		"misspelt key":               {thing("name: x, type: motion, pni: mock"), "unknown key \"pni\"; did you mean \"pin\"?"},
		"one topic for two":          {thing("name: x, type: motion, pin: mock}, {name: y, type: motion, pin: mock, topics: {motion: x/motion}"), "topics must differ"},
		"one name for two":           {thing("name: x, type: motion, pin: mock}, {name: x, type: screen"), "names must differ"},
		"seconds without unit":       {thing("name: x, type: environment, interval: 3"), "\"3\" has no unit; write 3s or 3ms"},
		"variable that is not set":   {"mqtt: {endpoint: \"mqtts://${NOWHERE}\"}" + things, "c.yaml:1:18: endpoint: the environment has no variable NOWHERE; set it"},
		"credential by hand":         {"mqtt: {endpoint: mqtts://h, cert: c, key: \"${CREDENTIALS_DIRECTORY}/k\"}" + things, "c.yaml:1:43: key: ${CREDENTIALS_DIRECTORY} is set by systemd"},
		"unknown variable":           {"mqtt: {endpoint: mqtt://h, client_id: \"{host}\"}" + things, "there are {hostname}, {serial}, {machine} and {env.NAME}"},
		"version of the future":      {"version: 3\nmqtt: {endpoint: mqtt://h}" + things, "c.yaml:1:10: version: 3 is newer than this pithings"},
		"keepalive too long for AWS": {"mqtt: {endpoint: a1-ats.iot.eu-west-1.amazonaws.com, username: u, keepalive: 30m}" + things, "the keep-alive: 1800 seconds, but AWS IoT Core allows 1200"},
		"broker open to all":         {"broker: {listen: \":1883\"}" + things, "broker.listen: other hosts can reach :1883"},
		"hashes missing":             {"broker: {listen: 127.0.0.1:1883, users: [{name: a, password_file: none}]}" + things, "user \"a\": password_file: stat none: no such file"},
		"flow's file missing":        {"mqtt: {endpoint: mqtt://h}\nflows: [{file: none.yaml}]\n", "c.yaml:2:16: flow none.yaml: "},
		"password and file":          {"mqtt: {endpoint: mqtts://h, username: u, password: p, password_file: f}" + things, "give password or password_file, not both"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, "c.yaml", row[0])
			for _, run := range []struct {
				args []string
				code int
			}{{[]string{"config", "check", "c.yaml"}, 1}, {[]string{"run", "c.yaml"}, exitConfig}} {
				_, said, code := cli(t, "", run.args...)
				if code != run.code || !strings.Contains(said, row[1]) {
					t.Errorf("%v: exit code %d, want %d; it does not say %q:\n%s", run.args, code, run.code, row[1], said)
				}
			}
		})
	}
}

// A key that only root can read (0600) kept the service restarting every 5 s.
func TestKeyOfRootNamesLoadCredential(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads every file; TestUnreadableKeyNamesLoadCredential holds the words")
	}
	ownHome(t)
	write(t, "device.key", "")
	write(t, "device.pem", "")
	if err := os.Chmod("device.key", 0); err != nil {
		t.Fatal(err)
	}
	write(t, "c.yaml", "mqtt: {endpoint: mqtts://h, cert: device.pem, key: device.key}\nthings: [{name: x, type: motion, pin: mock}]\n")
	_, said, code := cli(t, "", "run", "c.yaml")
	if code != exitConfig || !strings.Contains(said, "LoadCredential=device.key:"+filepath.Clean("device.key")) || !strings.Contains(said, "${CREDENTIALS_DIRECTORY}/device.key") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}

// The screens of other hosts cannot fetch pictures from a web server of this host's own:
// `config check` prints it as a warning and ends well, and `run` and `doctor` print it, too.
func TestPicturesOnlyThisHostCanFetchAreWarnedOf(t *testing.T) {
	ownHome(t)
	for listen, warned := range map[string]bool{"127.0.0.1:0": true, "0.0.0.0:0": false} {
		write(t, "c.yaml", "broker: {listen: \"0.0.0.0:0\", allow_anonymous: true}\nhttp: {listen: \""+listen+"\"}\nthings: [{name: TG_Camera, type: camera}]\n")
		check := func(said string, args ...string) {
			t.Helper()
			for _, want := range []string{"c.yaml:2:", "only this one can fetch the pictures of thing TG_Camera; set http.listen"} {
				if strings.Contains(said, want) != warned {
					t.Errorf("%v with %s: printed %q is %v, want %v:\n%s", args, listen, want, !warned, warned, said)
				}
			}
		}
		_, said, code := cli(t, "", "config", "check", "c.yaml")
		check(said, "config check")
		if code != 0 {
			t.Errorf("config check ends with %d", code)
		}
		ended, end := context.WithCancel(t.Context())
		end() // what run prints before it begins is all that is asked for
		var out, errs bytes.Buffer
		execute(ended, []string{"run", "--mock", "c.yaml"}, strings.NewReader(""), &out, &errs)
		check(errs.String(), "run")
		out.Reset()
		errs.Reset()
		execute(t.Context(), []string{"doctor", "--mock", "--config", "c.yaml"}, strings.NewReader(""), &out, &errs)
		check(strings.Replace(out.String(), "\n      fix: ", "; ", 1), "doctor") // on a line of its own
	}
}
