package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/things"
)

// plain is a configuration without where its values come from.
func plain(c *Config) *Config {
	p := *c
	p.places = conf.Places{}
	return &p
}

func TestMockIsValid(t *testing.T) {
	c, warnings, err := Parse("mock", []byte(Mock().String()), nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v", err, warnings)
	}
	if want := Mock(); !reflect.DeepEqual(plain(c), want) {
		t.Errorf("read back:\n%v\nwant\n%v", c, want)
	}
	loaded, warnings, err := LoadMock("", nil)
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(plain(loaded), Mock()) {
		t.Errorf("LoadMock: %v %v\n%v", err, warnings, loaded)
	}
	m := Mock()
	if m.Things[0].Settings.(*things.MotionSettings).WarmUp.Duration != 0 || m.Things[0].Settings.(*things.MotionSettings).Hold.Duration != 0 || m.Things[1].Settings.(*things.EnvironmentSettings).Interval.Duration != 3*time.Second ||
		m.Things[2].Settings.(*things.CameraSettings).Size != (conf.Size{Width: 640, Height: 480}) {
		t.Errorf("%v", m)
	}
}

func TestMockWithEndpoint(t *testing.T) {
	c, _, err := LoadMock("", []string{"PITHINGS_MQTT_ENDPOINT=mqtt://127.0.0.1:1999"})
	if err != nil || c.Broker.Listen != "" || c.MQTT.Endpoint != "mqtt://127.0.0.1:1999" {
		t.Errorf("%v, %+v %+v", err, c.Broker, c.MQTT)
	}
}

// fullExample is the example with the things that stand there as comments.
func fullExample() []byte {
	return regexp.MustCompile(`(?m)^  # (- name: |  )`).ReplaceAll(Example(), []byte("  $1"))
}

// The example loads as it is, and with the things that are comments.
func TestExample(t *testing.T) {
	c, warnings := parse(t, string(Example()))
	all, more := parse(t, string(fullExample()))
	if len(warnings)+len(more) > 0 {
		t.Errorf("warnings %v %v", warnings, more)
	}
	if len(all.Things) != len(things.Kinds()) || len(c.Things) != len(Mock().Things) {
		t.Errorf("%d things, and %d with those in comments", len(c.Things), len(all.Things))
	}
	// Only what is required, and the broker that lets the example run.
	least, _ := parse(t, `
broker: {listen: 127.0.0.1:1883}
things:
  - {name: TG_MS, type: motion, pin: GPIO17}
  - {name: bme680, type: environment}
  - {name: TG_Camera, type: camera}
  - {name: TG_Screen, type: screen}
flows: [{builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}]`)
	fetch := &least.Thing("TG_Screen").Settings.(*things.ScreenSettings).Fetch
	fetch.AllowFiles, fetch.AllowNets, fetch.DenyNets = nil, nil, nil
	if !reflect.DeepEqual(plain(c), plain(least)) {
		t.Errorf("the example is\n%v\nthe defaults are\n%v", c, least)
	}

	// Every key stands in the example, in its place.
	given := all.places
	var want []string
	for _, f := range conf.Leaves(new(Config)) {
		if !strings.Contains(f.Path, "[]") {
			want = append(want, f.Path)
		}
	}
	for i, kind := range things.KindNames() {
		thing := newThing(kind)
		for _, f := range conf.Leaves(&thing) {
			if !strings.HasPrefix(f.Path, "mqtt.") { // shown in a comment
				want = append(want, fmt.Sprintf("things[%d].%s", i, strings.ReplaceAll(f.Path, "[]", "[0]")))
			}
		}
		for _, role := range rolesOf(kind) {
			want = append(want, fmt.Sprintf("things[%d].topics.%s", i, role))
		}
	}
	for _, f := range conf.Leaves(new(Flow)) {
		want = append(want, "flows[0]."+f.Path)
	}
	if len(want) < 130 {
		t.Errorf("only %d keys", len(want))
	}
	for _, path := range want {
		if !given.Given(path) {
			t.Errorf("the example lacks %s", path)
		}
	}
	for i, kind := range things.Kinds() {
		thing := newThing(kind.Name)
		thing.Name = kind.Example
		for j, f := range conf.Fields(thing.Settings) {
			if f.Required() {
				f.Value.Set(conf.Fields(all.Things[i].Settings)[j].Value)
			}
		}
		got, want := &Config{Things: all.Things[i : i+1]}, &Config{Things: []Thing{thing}}
		if got.String() != want.String() {
			t.Errorf("the example has\n%v\nthe defaults are\n%v", got, want)
		}
	}
	if !bytes.Contains(Example(), []byte("# mqtt: {")) {
		t.Error("the example lacks a thing's own connection")
	}
}

func TestEnvironment(t *testing.T) {
	c, _ := parse(t, sample,
		"HOME=/root", "PITHINGS_CONFIG=elsewhere.yaml",
		"PITHINGS_HTTP_LISTEN=0.0.0.0:80", "PITHINGS_MQTT_ENDPOINT=old", "PITHINGS_MQTT_ENDPOINT=mqtt://new=er",
		"PITHINGS_MQTT_RECONNECT_MAX=1m", "PITHINGS_MQTT_QUEUE_MAX=5", "PITHINGS_MQTT_WILL_RETAIN=true", "PITHINGS_MQTT_WILL_TOPIC=w",
		"PITHINGS_PICTURES_MAX_BYTES=1MiB", "PITHINGS_STATE=/tmp/x", "PITHINGS_LOG_LEVEL=debug", "PITHINGS_CLOCK=trust",
		"PITHINGS_MQTT_USERNAME=u", "PITHINGS_MQTT_PASSWORD=hush")
	if c.HTTP.Listen != "0.0.0.0:80" || c.MQTT.Endpoint != "mqtt://new=er" || c.MQTT.Reconnect.Max.Duration != time.Minute ||
		c.MQTT.Queue.Max != 5 || !c.MQTT.Will.Retain || c.Pictures.MaxBytes != 1<<20 || c.State != "/tmp/x" ||
		c.Log.Level != "debug" || c.Clock != ClockTrust || c.MQTT.Password.Reveal() != "hush" {
		t.Errorf("got %v", c)
	}
}

func TestEnvironmentMessages(t *testing.T) {
	for _, row := range []struct{ env, want string }{
		{"PITHINGS_MQTT_ENDPONT=x", `PITHINGS_MQTT_ENDPONT: unknown environment variable; did you mean PITHINGS_MQTT_ENDPOINT?`},
		{"PITHINGS_THINGS=x", `PITHINGS_THINGS: unknown environment variable; pithings config example shows the keys`},
		{"PITHINGS_MQTT_KEEPALIVE=30", `PITHINGS_MQTT_KEEPALIVE: "30" has no unit; write 30s or 30ms`},
		{"PITHINGS_CLOCK=yes", `PITHINGS_CLOCK: "yes" is not one of auto, trust`},
		{"PITHINGS_LOG_LEVEL=loud", `PITHINGS_LOG_LEVEL: "loud" is not one of debug, info, warn, error`},
		{"PITHINGS_HTTP_LISTEN=80", `PITHINGS_HTTP_LISTEN: http.listen: "80" is not an address; write HOST:PORT, for example 127.0.0.1:8080`},
		{"PITHINGS_MQTT_PASSWORD=hush", `PITHINGS_MQTT_PASSWORD: a password needs username too (MQTT 3.1.1)`},
		{"PITHINGS_MQTT_PASSWORD=hush\x01", `PITHINGS_MQTT_PASSWORD: control character U+0001 is not allowed`},
	} {
		_, _, err := Parse("c.yaml", []byte(sample), []string{row.env})
		if err == nil || err.Error() != row.want {
			t.Errorf("%s: got %v\nwant %s", row.env, err, row.want)
		}
	}
}

func TestEnvironmentPasswordReplacesFile(t *testing.T) {
	text := strings.Replace(sample, "client_id: pi", "username: u, password_file: f", 1)
	c, _ := parse(t, text, "PITHINGS_MQTT_PASSWORD=hush")
	if c.MQTT.PasswordFile != "" || c.MQTT.Password.Reveal() != "hush" {
		t.Errorf("%+v", c.MQTT)
	}
}

func TestEnvNamesDiffer(t *testing.T) {
	names := EnvNames()
	form := regexp.MustCompile(`^PITHINGS_[A-Z_]+$`)
	for i, n := range names {
		if !form.MatchString(n) || slices.Contains(names[:i], n) {
			t.Errorf("variable %s", n)
		}
	}
	if !slices.Contains(names, "PITHINGS_MQTT_RECONNECT_MIN") || len(names) < 30 {
		t.Errorf("%v", names)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	c, _ := parse(t, strings.Replace(sample, "client_id: pi", "username: u, password: hush", 1))
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "config", c, "password", c.MQTT.Password)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "config", c, "password", c.MQTT.Password)
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := c.String() + string(b) + logged.String() +
		fmt.Sprintf("%v %+v %#v %q %x %v", c.MQTT, c.MQTT, c.MQTT, c.MQTT.Password, c.MQTT.Password, c.MQTT.Password)
	if strings.Contains(shown, "hush") || strings.Contains(shown, fmt.Sprintf("%x", "hush")) {
		t.Errorf("shown in %s", shown)
	}
	if !strings.Contains(c.String(), `"password": "[set]"`) {
		t.Errorf("not reported that there is one: %v", c)
	}
}

func write(t *testing.T, path, text string, mode fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestLoadFiles(t *testing.T) {
	dir, credentials := t.TempDir(), t.TempDir()
	write(t, filepath.Join(credentials, "device.key"), "key", 0o600)
	write(t, filepath.Join(dir, "device.key"), "not this one", 0o600)
	write(t, filepath.Join(dir, "pw"), "hush hush\r\nsecond line\n", 0o600)
	path := write(t, filepath.Join(dir, "c.yaml"), `
mqtt: {endpoint: mqtts://h, ca: /etc/root.pem, cert: device.pem, key: device.key, username: u, password_file: pw}
things:
  - {name: a, type: motion, pin: GPIO1, mqtt: {}}
  - {name: b, type: motion, pin: GPIO2, mqtt: {cert: b.pem, key: b.key, password: own}}`, 0o600)
	c, warnings, err := Load(path, []string{"CREDENTIALS_DIRECTORY=" + credentials, "PITHINGS_MQTT_CERT=here.pem"})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v", err, warnings)
	}
	a, b := c.Things[0].MQTT, c.Things[1].MQTT
	for _, row := range []struct{ got, want string }{
		{c.MQTT.CA, "/etc/root.pem"},
		{c.MQTT.Cert, "here.pem"},
		{c.MQTT.Key, filepath.Join(credentials, "device.key")},
		{c.MQTT.Password.Reveal(), "hush hush"},
		{a.Cert, "here.pem"},
		{a.Key, filepath.Join(credentials, "device.key")},
		{a.Password.Reveal(), "hush hush"},
		{b.Cert, filepath.Join(dir, "b.pem")},
		{b.Password.Reveal(), "own"},
	} {
		if row.got != row.want {
			t.Errorf("got %s, want %s", row.got, row.want)
		}
	}
}

func TestLoadFailures(t *testing.T) {
	dir := t.TempDir()
	config := func(pw string) string {
		return write(t, filepath.Join(dir, "c.yaml"), head[:len(head)-2]+", username: u, password_file: "+pw+"}\nthings: [{name: x, type: camera}]\n", 0o600)
	}
	write(t, filepath.Join(dir, "empty"), "\nx", 0o600)
	for _, row := range []struct{ path, want string }{
		{filepath.Join(dir, "none.yaml"), "write one with: pithings config example >"},
		{dir, "not a regular file but a folder"},
		{config("none"), "c.yaml:1:56: password_file: stat "},
	} {
		if _, _, err := Load(row.path, nil); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("got %v, want %s", err, row.want)
		}
	}
	if _, _, err := Load(filepath.Join(dir, "none.yaml"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for pw, want := range map[string]string{"empty": "is empty; it has to be the password", ".": "is not a regular file"} {
		if _, _, err := Load(config(pw), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
