package config

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/provision"
	"pithings/test/pki"
)

const awsHost = "abc-ats.iot.eu-central-1.amazonaws.com"

// identified makes a state folder with the identity of a device at that endpoint.
func identified(t *testing.T, endpoint string) (state string) {
	t.Helper()
	a := pki.New(t)
	a.Client("pi-7", time.Now().Add(time.Hour))
	read := func(name string) []byte {
		b, err := os.ReadFile(a.File(name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	state = t.TempDir()
	_, err := provision.Install(state, provision.Files{Key: read("pi-7.key"), Cert: read("pi-7.pem"), CA: read("ca.pem"), About: provision.About{Thing: "pi-7", Endpoint: endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func in(state string) State { return func(*Config) string { return state } }

// The identity gives what file and environment do not, and all or nothing of who the device is.
func TestIdentity(t *testing.T) {
	const camera = "things: [{name: x, type: camera}]\n"
	state := identified(t, "mqtts://"+awsHost+":8883")
	dir := provision.Path(state)
	own := map[string]string{"endpoint": "mqtts://" + awsHost + ":8883", "client_id": "pi-7", "ca": filepath.Join(dir, "ca.pem"),
		"cert": filepath.Join(dir, "device.crt"), "key": filepath.Join(dir, "device.key")}
	but := func(keys map[string]string) map[string]string {
		all := maps.Clone(own)
		maps.Copy(all, keys)
		return all
	}
	none := func(endpoint string) map[string]string {
		return map[string]string{"endpoint": endpoint, "client_id": "", "ca": "", "cert": "", "key": ""}
	}
	for name, tt := range map[string]struct {
		file string
		env  []string
		want map[string]string
		by   []string // which keys the identity has given; nil: none
	}{
		"no mqtt section":         {camera, nil, own, []string{"ca", "cert", "client_id", "endpoint", "key"}},
		"client id in the file":   {"mqtt: {client_id: own}\n" + camera, nil, but(map[string]string{"client_id": "own"}), []string{"ca", "cert", "endpoint", "key"}},
		"endpoint in the file":    {"mqtt: {endpoint: \"mqtts://" + awsHost + ":443\"}\n" + camera, nil, but(map[string]string{"endpoint": "mqtts://" + awsHost + ":443"}), []string{"ca", "cert", "client_id", "key"}},
		"endpoint without scheme": {"mqtt: {endpoint: " + awsHost + "}\n" + camera, nil, own, []string{"ca", "cert", "client_id", "key"}},
		"authorities of the system": {"mqtt: {ca: \"\"}\n" + camera, nil, but(map[string]string{"ca": ""}),
			[]string{"cert", "client_id", "endpoint", "key"}},
		"client id in the environment": {camera, []string{"PITHINGS_MQTT_CLIENT_ID=env"}, but(map[string]string{"client_id": "env"}), []string{"ca", "cert", "endpoint", "key"}},
		"the file's own pair": {"mqtt: {endpoint: mqtts://h, cert: /c, key: /k}\n" + camera, nil,
			map[string]string{"endpoint": "mqtts://h", "client_id": "", "ca": "", "cert": "/c", "key": "/k"}, nil},
		"a user name":               {"mqtt: {endpoint: mqtts://h, username: u}\n" + camera, nil, none("mqtts://h"), nil},
		"a broker without TLS":      {"mqtt: {endpoint: mqtt://h}\n" + camera, nil, none("mqtt://h"), nil},
		"the embedded broker":       {"broker: {listen: \"127.0.0.1:1883\"}\n" + camera, nil, none(""), nil},
		"embedded, and an endpoint": {"broker: {listen: \"127.0.0.1:1883\"}\nmqtt: {endpoint: " + awsHost + "}\n" + camera, nil, own, []string{"ca", "cert", "client_id", "key"}},
	} {
		file := write(t, filepath.Join(t.TempDir(), "c.yaml"), tt.file, 0o600)
		c, warnings, err := LoadWith(file, tt.env, With{State: in(state)})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", name, err, warnings)
			continue
		}
		got := map[string]string{"endpoint": c.MQTT.Endpoint, "client_id": c.MQTT.ClientID, "ca": c.MQTT.CA, "cert": c.MQTT.Cert, "key": c.MQTT.Key}
		if !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v\nwant %v", name, got, tt.want)
		}
		var by []string
		for _, v := range c.Values() {
			if key, ok := strings.CutPrefix(v.Path, "mqtt."); ok && v.Source == dir {
				by = append(by, key)
			}
		}
		if slices.Sort(by); !slices.Equal(by, tt.by) {
			t.Errorf("%s: the identity gives %v, want %v", name, by, tt.by)
		}
	}
}

// Half of a pair in the file is not filled up from the identity, whose key would not fit.
func TestIdentityIsNoOtherHalf(t *testing.T) {
	state := identified(t, "mqtts://h:8883")
	file := write(t, filepath.Join(t.TempDir(), "c.yaml"), "mqtt: {endpoint: mqtts://h, cert: /c}\nthings: [{name: x, type: camera}]\n", 0o600)
	if _, _, err := LoadWith(file, nil, With{State: in(state)}); err == nil || !strings.Contains(err.Error(), ":1:35: cert needs key") {
		t.Error(err)
	}
}

// A broken identity is a problem of the configuration: nothing else takes its place.
func TestBrokenIdentity(t *testing.T) {
	const things = "things: [{name: x, type: camera}]\n"
	for name, tt := range map[string]struct {
		breaks func(dir string) error
		want   string
	}{
		"damaged":        {func(dir string) error { return os.WriteFile(filepath.Join(dir, "identity.json"), []byte("{"), 0o600) }, "identity.json is damaged"},
		"without a key":  {func(dir string) error { return os.Remove(filepath.Join(dir, "device.key")) }, "device.key"},
		"open to others": {func(dir string) error { return os.Chmod(filepath.Join(dir, "device.key"), 0o640) }, "is open to other users (mode 0640); if none of them has taken it: chmod 600 "},
	} {
		if name == "open to others" && runtime.GOOS == "windows" {
			continue
		}
		state := identified(t, "mqtts://h:8883")
		if err := tt.breaks(provision.Path(state)); err != nil {
			t.Fatal(err)
		}
		file := write(t, filepath.Join(t.TempDir(), "c.yaml"), things, 0o600)
		_, _, err := LoadWith(file, nil, With{State: in(state)})
		if err == nil || !strings.HasPrefix(err.Error(), provision.Path(state)+": ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		write(t, file, "mqtt: {endpoint: mqtts://h, cert: /c, key: /k}\n"+things, 0o600)
		if _, _, err := LoadWith(file, nil, With{State: in(state)}); err != nil {
			t.Errorf("%s, which is not used: %v", name, err)
		}
	}
}

// What a command needs no identity for it does without: another broker, and the identity of
// another user, whose agent has the connection.
func TestIdentityOfACommand(t *testing.T) {
	state := identified(t, "mqtts://h:8883")
	for endpoint, want := range map[string]string{"": "pi-7", "mqtts://h": "pi-7", "mqtts://other": ""} {
		var env []string
		if endpoint != "" {
			env = []string{"PITHINGS_MQTT_ENDPOINT=" + endpoint}
		}
		if c, _, err := LoadConnection("", env, in(state)); err != nil || c.MQTT.ClientID != want {
			t.Errorf("%q: %v %+v", endpoint, err, c)
		}
	}
	if c, _, err := LoadConnection("", nil, nil); err != nil || c.MQTT.ClientID != "" {
		t.Errorf("without a state folder: %v %+v", err, c)
	}
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		return // who may read all
	}
	if err := os.Chmod(state, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(state, fs.FileMode(0o700))
	if c, _, err := LoadConnection("", nil, in(state)); err != nil || c.MQTT.ClientID != "" {
		t.Errorf("another user's: %v %+v", err, c)
	}
}
