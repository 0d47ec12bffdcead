package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/spool/accepted"
)

const fourBrokers = `mqtt: {endpoint: "mqtts://old:8883", username: ann, password_file: secret, server_name: old.example}
things:
  - {name: shares, type: motion, pin: GPIO5}
  - {name: follows, type: motion, pin: GPIO6, mqtt: {client_id: f}}
  - {name: asks, type: motion, pin: GPIO7, mqtt: {password: its own}}
  - {name: elsewhere, type: motion, pin: GPIO8, mqtt: {endpoint: "mqtts://other:8883"}}
`

// withBrokers reads a configuration with brokers from afar over it.
func withBrokers(t *testing.T, text string, candidate bool, given map[string]accepted.Connection, env ...string) (*Config, []conf.Warning, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"c.yaml": text, "secret": "from the file\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return LoadWith(filepath.Join(dir, "c.yaml"), env, With{Over: func(*Config, []byte) (*Layer, []conf.Warning) {
		return &Layer{Source: "7.json", Data: []byte(`{"settings": {}}`), Connections: given, Candidate: candidate}, nil
	}})
}

// A broker from afar counts as a whole, and takes no secret that is for another one with it.
func TestBrokersFromAfar(t *testing.T) {
	c, warnings, err := withBrokers(t, fourBrokers, false, map[string]accepted.Connection{
		"":          {Endpoint: "new", Username: "bob", Password: "${HOME} typed"},
		"elsewhere": {Endpoint: "mqtts://third:8883"},
	})
	if err != nil || len(warnings) != 0 {
		t.Fatal(err, warnings)
	}
	is := func(m *MQTT) string {
		return strings.Join([]string{m.Endpoint, m.Username, m.Password.Reveal(), m.PasswordFile, m.ServerName}, "|")
	}
	file := c.MQTT.PasswordFile + c.Things[2].MQTT.PasswordFile + c.Things[3].MQTT.PasswordFile
	for name, x := range map[string]struct {
		m    *MQTT
		want string
	}{
		"shared":    {&c.MQTT, "mqtts://new:8883|bob|${HOME} typed||"},
		"follows":   {c.Things[1].MQTT, "mqtts://new:8883|bob|${HOME} typed||"},
		"asks":      {c.Things[2].MQTT, "mqtts://old:8883|ann|its own||old.example"},
		"elsewhere": {c.Things[3].MQTT, "mqtts://third:8883||||"},
	} {
		if got := is(x.m); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	if file != "" {
		t.Errorf("a password's file is left: %s", file)
	}
	// What stays at the broker of the file keeps its secret in a file, too.
	c, _, err = withBrokers(t, fourBrokers, false, map[string]accepted.Connection{"": {Endpoint: "mqtts://new:8883"}})
	if err != nil || is(c.Things[3].MQTT) != "mqtts://other:8883|ann|from the file|"+c.Things[3].MQTT.PasswordFile+"|old.example" || c.Things[3].MQTT.PasswordFile == "" {
		t.Errorf("%v: %s", err, is(c.Things[3].MQTT))
	}
	if !c.MQTT.Password.IsZero() || !c.Things[1].MQTT.Password.IsZero() {
		t.Errorf("a broker without a password gets %s, %s", is(&c.MQTT), is(c.Things[1].MQTT))
	}
	for _, v := range c.Settings() {
		if v.Name == "mqtt.endpoint" && (v.From != FromAfar || v.Source != "7.json" || v.Change != conf.WithSecret) {
			t.Errorf("%+v", v)
		}
	}
}

// Where a part of a broker comes from elsewhere on the machine, it does not count; a change is
// refused.
func TestBrokersFromAfarThatDoNotCount(t *testing.T) {
	const cert = "mqtt: {endpoint: \"mqtts://old:8883\", cert: a.pem, key: a.key}\nthings: [{name: x, type: environment}]\n"
	for name, x := range map[string]struct {
		text, env, connection, want string
	}{
		"endpoint in a variable": {fourBrokers, "PITHINGS_MQTT_ENDPOINT=mqtts://var:8883", "", "PITHINGS_MQTT_ENDPOINT on the machine"},
		"password in a variable": {fourBrokers, "PITHINGS_MQTT_PASSWORD=hidden", "", "PITHINGS_MQTT_PASSWORD on the machine"},
		"user in a variable":     {fourBrokers, "PITHINGS_MQTT_USERNAME=var", "", "PITHINGS_MQTT_USERNAME on the machine"},
		"a certificate":          {cert, "X=1", "", "has a certificate"},
		"no such thing":          {fourBrokers, "X=1", "nothing", "no connection of its own"},
		"a thing that shares":    {fourBrokers, "X=1", "shares", "no connection of its own"},
		"control characters":     {fourBrokers, "X=1", "follows", "control character"},
	} {
		text := x.text
		if strings.Contains(x.env, "PASSWORD") {
			text = strings.Replace(text, "password_file: secret, ", "", 1)
		}
		given := map[string]accepted.Connection{x.connection: {Endpoint: "mqtts://evil:8883", Username: "bob", Password: "typed"}}
		if name == "control characters" {
			given[x.connection] = accepted.Connection{Endpoint: "mqtts://evil:8883", Username: "bob", Password: "typed\x07"}
		}
		_, _, err := withBrokers(t, text, true, given, x.env)
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "typed") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
		c, warnings, err := withBrokers(t, text, false, given, x.env)
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].String(), x.want) {
			t.Errorf("%s: %v, %v", name, err, warnings)
			continue
		}
		c.Connections(func(m *MQTT, path string) {
			if strings.Contains(m.Endpoint, "evil") || strings.HasPrefix(m.Password.Reveal(), "typed") || m.Username == "bob" {
				t.Errorf("%s: %s is %s", name, path, m.Endpoint)
			}
		})
		for _, v := range c.Settings() {
			if strings.HasPrefix(v.Name, "mqtt.") && x.connection == "" && v.Change == conf.WithSecret {
				t.Errorf("%s: %s can be changed with a secret", name, v.Name)
			}
		}
	}
}

// From where a value can be changed as it stands.
func TestSettings(t *testing.T) {
	c, _ := parse(t, `mqtt: {endpoint: "mqtt://h"}
awsiot: {defender: {custom: [{metric: m, thing: x, quantity: temperature}]}}
gateway: {publish: []}
things:
  - {name: x, type: environment, interval: 7s, mqtt: {endpoint: "mqtt://i"}}
flows: []
`, "PITHINGS_LOG_LEVEL=warn")
	got := map[string]Setting{}
	for _, v := range c.Settings() {
		got[v.Name] = v
	}
	for name, want := range map[string][2]string{
		"log.level":                       {"local", FromMachine},
		"log.format":                      {"afar", FromDefault},
		"http.listen":                     {"local", FromDefault},
		"mqtt.endpoint":                   {"with_secret", FromFile},
		"mqtt.password":                   {"with_secret", FromDefault},
		"mqtt.window":                     {"afar", FromDefault},
		"awsiot.defender.custom[0].thing": {"afar", FromFile},
		"things.x.interval":               {"afar", FromFile},
		"things.x.name":                   {"local", FromFile},
		"things.x.mqtt.endpoint":          {"with_secret", FromFile},
		"things.x.mqtt.window":            {"local", FromDefault},
	} {
		if v := got[name]; string(v.Change) != want[0] || v.From != want[1] {
			t.Errorf("%s: %s from %s, want %v", name, v.Change, v.From, want)
		}
	}
}
