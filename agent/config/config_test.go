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
	"runtime"
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
		t.Errorf("not told that there is one: %v", c)
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

// openFolder is a folder that every user of the system can enter.
func openFolder(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("files have other rights there")
	}
	dir := t.TempDir()
	for d := dir; d != filepath.Dir(os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadablePassword(t *testing.T) {
	text := "mqtt: {endpoint: mqtts://h, username: u, password: hush}\nthings: [{name: x, type: camera}]\n"
	path := write(t, filepath.Join(openFolder(t), "c.yaml"), text, 0o644)
	_, warnings, err := Load(path, nil)
	want := path + ":1:52: every user of this system can read the password in this file; chmod o-r " + path + ", or use password_file"
	if err != nil || len(warnings) != 1 || warnings[0].String() != want {
		t.Errorf("%v %v", err, warnings)
	}
	write(t, path, text, 0o640)
	if _, warnings, err = Load(path, nil); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", err, warnings)
	}
}

// A private key that every user can read is no secret. It is refused once, however
// many things use it; a file that a group was given, and systemd's credentials, are not.
func TestExposedKeyIsRefused(t *testing.T) {
	dir := openFolder(t)
	write(t, filepath.Join(dir, "c.pem"), "", 0o644)
	key := write(t, filepath.Join(dir, "c.key"), "", 0o644)
	pass := write(t, filepath.Join(dir, "pass"), "hush\n", 0o604)
	text := "mqtt: {endpoint: mqtts://h, cert: c.pem, key: c.key, username: u, password_file: pass}\nthings: [{name: x, type: camera, mqtt: {client_id: y}}, {name: z, type: camera, device: /dev/video9}]\n"
	path := write(t, filepath.Join(dir, "c.yaml"), text, 0o644)
	_, _, err := Load(path, nil)
	want := path + ":1:47: every user of this system can read the private key " + key + "; if none of them has taken it: chmod o= " + key + "\n" +
		path + ":1:82: every user of this system can read the password in " + pass + "; if none of them has taken it: chmod o= " + pass
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %v", err, want)
	}
	write(t, key, "", 0o640)
	write(t, pass, "hush\n", 0o600)
	if _, warnings, err := Load(path, nil); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", err, warnings)
	}
	write(t, key, "", 0o642) // who can write it can make it another's
	if _, _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), "chmod o= "+key) {
		t.Error(err)
	}
	credentials := filepath.Join(dir, "credentials")
	if err := os.Mkdir(credentials, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(credentials, "c.key"), "", 0o444)
	if _, warnings, err := Load(path, []string{"CREDENTIALS_DIRECTORY=" + credentials}); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", err, warnings)
	}
	if _, _, err := ParseConnection("command line", []byte(`{"mqtt":{"endpoint":"mqtts://h","cert":"a","key":"`+write(t, key, "", 0o644)+`"}}`)); err == nil || !strings.Contains(err.Error(), "chmod o= "+key) {
		t.Error(err)
	}
}

// Each key of the configuration that names a file with a secret is looked at, in whatever list it is.
func TestEveryFileWithASecretIsRefused(t *testing.T) {
	dir := openFolder(t)
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return write(t, filepath.Join(dir, name), "hush\n", 0o604) }
	token := file("secrets/api token")
	text := "mqtt: {endpoint: mqtts://h, cert: /c, key: " + file("a") + ", username: u, password_file: " + file("b") + "}\n" +
		"broker: {listen: \"127.0.0.1:1883\", tls: {cert: /c, key: " + file("c") + "}, users: [{name: u, password_file: " + file("d") + "}]}\n" +
		"http: {token_file: " + file("e") + ", listen: \"0.0.0.0:8080\"}\nservices: {secrets: " + filepath.Join(dir, "secrets") + "}\n" +
		"things: [{name: x, type: camera, mqtt: {client_id: y, cert: /c, key: " + file("f") + ", username: u, password_file: " + file("g") + "}}]\n"
	_, _, err := Load(write(t, filepath.Join(dir, "c.yaml"), text, 0o600), nil)
	if err == nil {
		t.Fatal("nothing is refused")
	}
	for name := range strings.SplitSeq("abcdefg", "") {
		if want := "chmod o= " + filepath.Join(dir, name); strings.Count(err.Error(), want+"\n")+strings.Count(err.Error()+"$", want+"$") != 1 {
			t.Errorf("%s is not refused once:\n%v", name, err)
		}
	}
	if !strings.Contains(err.Error(), "chmod o= '"+token+"'") {
		t.Errorf("the secrets of services are not looked at:\n%v", err)
	}
	secrets := 0
	for _, f := range conf.Leaves(new(Config)) {
		if base := f.Path[strings.LastIndexByte(f.Path, '.')+1:]; f.Tag.Get("file") == "credential" && (base == "key" || strings.HasSuffix(base, "_file")) {
			secrets++
		}
	}
	if secrets != 7 { // a to g
		t.Errorf("there are %d keys with the file of a secret: look at the new one, too", secrets)
	}
}

// So are the embedded broker's. The configuration, which holds more than hashes, is warned of.
func TestExposedSecretsOfTheBrokerAreRefused(t *testing.T) {
	dir := openFolder(t)
	for _, name := range []string{"b.key", "hashes"} {
		write(t, filepath.Join(dir, name), "", 0o644)
	}
	text := "broker:\n  listen: \":8883\"\n  tls: {cert: b.pem, key: b.key}\n  users:\n" +
		"    - {name: a, password_file: hashes}\n    - {name: b, password_file: hashes}\n    - {name: c, password_hash: " + hallHash + "}\n" +
		"things: [{name: x, type: camera}]\n"
	path := write(t, filepath.Join(dir, "c.yaml"), text, 0o644)
	_, warnings, err := Load(path, nil)
	if err == nil {
		t.Fatal("nothing is refused")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		got = append(got, line)
	}
	for _, w := range warnings {
		got = append(got, w.String())
	}
	want := []string{
		":3:27: every user of this system can read the private key " + filepath.Join(dir, "b.key") + "; if none of them has taken it: chmod o= ",
		":5:32: every user of this system can read the password hashes in " + filepath.Join(dir, "hashes") + "; if none of them has taken it: chmod o= ",
		":7:32: every user of this system can read the password hash in this file; chmod o-r " + path,
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i], path+w) {
			t.Errorf("%s\nwant %s%s", got[i], path, w)
		}
	}
}
