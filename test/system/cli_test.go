//go:build system

package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pithings/test/binary"
)

func TestExitCodes(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("mqtt: {endpoint: mqtt://127.0.0.1}\nthings:\n  - {name: a, type: motion, pni: GPIO17}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
		says string // on standard error
	}{
		{[]string{}, 0, ""},
		{[]string{"--help"}, 0, ""},
		{[]string{"version"}, 0, ""},
		{[]string{"nonsense"}, 2, `unknown command "nonsense"`},
		{[]string{"rum"}, 2, "run"},
		{[]string{"run"}, 2, "--mock"},
		{[]string{"run", "--mok"}, 2, "unknown flag: --mok"},
		{[]string{"run", "--mock", "--log", "loud"}, 2, "loud"},
		{[]string{"run", "--mock", "--endpoint", "ftp://x"}, 2, "ftp"},
		{[]string{"run", "--mock", "--listen", "foo"}, 2, "--listen"},
		{[]string{"run", "--config", "/does/not/exist"}, 78, "pithings config example"},
		{[]string{"run", "--config", bad}, 78, `did you mean`},
		{[]string{"config", "check", bad}, 1, bad + ":3:"},
		{[]string{"config", "check", "--config", bad}, 1, bad + ":3:"},
		{[]string{"config", "check"}, 2, "name the file"},
		{[]string{"doctor", "--mock"}, 0, ""},
		{[]string{"discover", "--mock"}, 0, ""},
		{[]string{"discover", "everything"}, 2, "discover"},
		{[]string{"discover", "--mock", "--config", "/does/not/exist"}, 1, "/does/not/exist"},
		{[]string{"config"}, 2, "check, show, reset, example or schema"},
		{[]string{"ms", "--mock"}, 2, "-e is missing"},
		{[]string{"ms", "--mock", "-e", "host"}, 2, "Missing credentials for authentication."},
		{[]string{"ms", "--mock", "-e", "mqtt://127.0.0.1", "-n", "a/+"}, 2, "a/+"},
		{[]string{"camera", "--mock", "-e", "host", "-c", "x"}, 2, "-c and -k belong together"},
		{[]string{"publish", "-e", "host", "--mock"}, 2, "Missing credentials for authentication."},
		{[]string{"publish", "-e", "gopher://host", "--mock"}, 2, "gopher"},
		{[]string{"publish", "-e", "mqtt://127.0.0.1", "-t", "a/#", "--mock"}, 2, "-t: "},
		{[]string{"ms", "--mock", "-e", "127.0.0.1", "-c", "/does/not/exist", "-k", "/nor/this"}, 1, "/does/not/exist"},
		{[]string{"watch", "-e", "mqtts://127.0.0.1", "-r", "/does/not/exist"}, 1, "/does/not/exist"},
		{[]string{"flow"}, 2, "validate, deploy"},
		{[]string{"flow", "deploy"}, 2, "is missing: write pithings flow deploy FILE…"},
		{[]string{"flow", "deploy", "/does/not/exist"}, 1, "no such file"},
		{[]string{"flow", "validate", bad}, 1, bad + ":1:1: "},
		{[]string{"flow", "deploy", bad, "--carrier", "pigeon"}, 2, "auto, local or broker"},
		{[]string{"flow", "deploy", bad, "--thing", "camera"}, 2, "ROLE=THING"},
		{[]string{"flow", "list"}, 0, "no agent runs with the state folder"},
		{[]string{"flow", "show", "Hall"}, 1, `there is no deployment "Hall"`},
		{[]string{"flow", "start", "Hall", "--arg", "x"}, 2, "NAME=VALUE"},
		{[]string{"flow", "start", "Hall"}, 1, "no agent runs with this state folder"},
		{[]string{"flow", "executions", "--status", "DEAD"}, 2, "RUNNING, SUCCEEDED, FAILED or ABORTED"},
		{[]string{"flow", "executions"}, 0, ""},
		{[]string{"flow", "import", bad}, 1, bad + ":1:"},
		{[]string{"flow", "run"}, 2, "-e is missing"},
		{[]string{"flow", "run", "-e", "mqtt://127.0.0.1", "/does/not/exist"}, 1, "no such file"},
		{[]string{"flow", "run", "-e", "mqtt://127.0.0.1", "--allow-net", "here"}, 2, "not a network"},
		{[]string{"read"}, 2, "bme680 or motion"},
		{[]string{"capture", "a", "b"}, 2, "too many"},
		{[]string{"show", "/does/not/exist.jpg", "--mock"}, 1, "no such file"},
		{[]string{"show", "gopher://host/x", "--mock"}, 1, "gopher"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			_, stderr, code := finish(t, tc.args...)
			if code != tc.code || !strings.Contains(stderr, tc.says) {
				t.Errorf("exit code %d, want %d; standard error, which should contain %q:\n%s", code, tc.code, tc.says, stderr)
			}
			if tc.code != 0 && strings.Count(strings.TrimSpace(stderr), "\n") > 1 {
				t.Errorf("more than a line of complaint:\n%s", stderr)
			}
		})
	}
}

func TestConfigExampleIsGood(t *testing.T) {
	example, _, code := finish(t, "config", "example")
	if code != 0 {
		t.Fatal(code)
	}
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := finish(t, "config", "check", file); code != 0 || !strings.Contains(out, "good configuration") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	schema, _, _ := finish(t, "config", "schema")
	if !json.Valid([]byte(schema)) {
		t.Errorf("the schema is not JSON: %.200s", schema)
	}
}

// TestDiscover: what discover prints, the program takes as a configuration.
func TestDiscover(t *testing.T) {
	out, errs, code := finish(t, "discover", "--mock")
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	text := "broker: {listen: \"127.0.0.1:1883\"}\nthings:\n"
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "  - ") {
			text += line
		}
	}
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := finish(t, "config", "check", file); code != 0 || strings.Count(text, "- {") < 4 {
		t.Errorf("exit code %d: %s%s:\n%s", code, out, errs, text)
	}
	// This machine may have anything. It is looked at, whatever it has.
	out, errs, code = finish(t, "discover", "--json")
	var r struct {
		Board string
		Parts []struct{ Group, Name, Problem string }
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Board == "" || code == 1 && errs == "" || code > 1 {
		t.Errorf("discover --json: %d %v %s%s", code, err, out, errs)
	}
}

func TestTryTheParts(t *testing.T) {
	out, errs, code := finish(t, "read", "bme680", "--mock")
	if code != 0 || !regexp.MustCompile(`temperature +-?\d+\.\d\d °C\nhumidity +\d+\.\d+ %RH\npressure +\d+\.\d\d hPa\ngas +\d+ Ω\n`).MatchString(out) {
		t.Errorf("read bme680: %d %s%s", code, out, errs)
	}
	out, errs, code = finish(t, "read", "bme680", "--mock", "--json")
	if code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, `"gas_resistance": `) {
		t.Errorf("read bme680 --json: %d %s%s", code, out, errs)
	}
	out, errs, code = finish(t, "read", "motion", "--mock", "--wait", "20s", "--json")
	if code != 0 || strings.TrimSpace(out) != `{"isMotionDetected": true}` {
		t.Errorf("read motion: %d %s%s", code, out, errs)
	}
	dir := t.TempDir()
	picture, seen := filepath.Join(dir, "picture.jpg"), filepath.Join(dir, "seen.png")
	out, errs, code = finish(t, "capture", picture, "--mock", "--size", "640x480", "--json")
	var captured struct{ Width, Height, Bytes int }
	if err := json.Unmarshal([]byte(out), &captured); code != 0 || err != nil || captured.Width != 640 || captured.Height != 480 {
		t.Fatalf("capture: %d %s%s", code, out, errs)
	}
	b, err := os.ReadFile(picture)
	if err != nil || len(b) != captured.Bytes {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
		t.Error(err)
	}
	if out, errs, code = finish(t, "show", picture, "--mock", "--for", "10ms", "--png", seen); code != 0 {
		t.Fatalf("show: %d %s%s", code, out, errs)
	}
	f, err := os.Open(seen)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dx() < 640 {
		t.Errorf("the screen showed %v, %v", img, err)
	}
}

// TestPublishScript: the lines and messages of the tutorial's script.
func TestPublishScript(t *testing.T) {
	port := mosquitto(t)
	sub := subscribe(t, port)
	p := start(t, binary.Path, "publish", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "-t", "bme680/temperature", "-id", "myPi", "--mock", "--interval", "100ms")
	for i := range 3 {
		want := regexp.MustCompile(fmt.Sprintf(`^\{"sequence": %d, "value": -?\d+\.\d+, "status": "success", "timestamp_utc": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"\}$`, i))
		if got := sub.message("bme680/temperature"); !want.MatchString(got) {
			t.Errorf("message %d: %s", i, got)
		}
		p.line(fmt.Sprintf(`Published topic bme680/temperature: {"sequence": %d, `, i))
		p.await("the empty line", func(l string) bool { return l == "" })
	}
	if code, _ := p.interrupt(); code != 0 {
		t.Errorf("Ctrl-C: exit code %d", code)
	}
}

// TestWatch prints what passes, and lets no message control the terminal.
func TestWatch(t *testing.T) {
	port := mosquitto(t)
	publish(t, port, "some/topic", `{"a": [1, 2], "b": "x"}`, "-r")
	w := start(t, binary.Path, "watch", "--long", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port))
	w.await("the heading", func(l string) bool {
		return regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} some/topic \(QoS 1 retained, \d+ bytes\)$`).MatchString(l)
	})
	w.line(`    "a": [`)
	publish(t, port, "some/topic", "\x1b[31mred")
	w.line(`  \u001b[31mred`)
}

// TestNoBroker: the first connect is retried, and the reason is logged in a line.
func TestNoBroker(t *testing.T) {
	port := freePort(t)
	p := start(t, binary.Path, "ms", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--mock")
	p.log("refused")
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := l.Accept() // it comes by itself
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
