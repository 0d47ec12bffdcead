package config

import (
	"strings"
	"testing"
	"testing/fstest"

	"pithings/conf"
	"pithings/conf/machine"
	"pithings/things"
)

// card is read on one of the machines that it is copied to.
func card(text string, env ...string) (*Config, error) {
	vars := conf.NewVariables(env)
	vars.Machine = machine.Machine{
		Root: fstest.MapFS{
			"proc/device-tree/serial-number": {Data: []byte("10000000abcdef01\x00")},
			"etc/machine-id":                 {Data: []byte("3d1219c7c4c5404aaa1f6d2a48adfda4\n")},
		},
		Name: func() (string, error) { return "pi-017", nil },
	}
	d := newDecoder("c.yaml", vars)
	c, _, err := d.result(d.config([]byte(text), env, false, false))
	return c, err
}

// There were no variables: 200 Pis from one image needed 200 files.
func TestVariables(t *testing.T) {
	c, err := card(`mqtt:
  endpoint: mqtts://${BROKER}:8883
  client_id: hall-{serial}
  username: u
  password: a$${b}$c
  cert: ${CREDENTIALS_DIRECTORY}/device.pem
  key: ${CREDENTIALS_DIRECTORY}/device.key
  will: {topic: "{env.SITE}/{hostname}/gone", payload: "{hostname}"}
things:
  - {name: "MS_{hostname}", type: motion, pin: mock, topics: {motion: "{env.SITE}/{thing}/motion"}}
  - {name: s, type: screen, fetch: {allow_files: ["${PICS}"]}, mqtt: {client_id: "{machine}"}}
flows:
  - {builtin: SecurityFlow, name: "f-{hostname}", things: {motionSensor: "MS_{hostname}", camera: c, screen: s}}
`, "BROKER=hall.local", "SITE=north", "CREDENTIALS_DIRECTORY=/run/c", "PICS=/srv/pics", "PITHINGS_MQTT_SERVER_NAME=${x}")
	if err != nil {
		t.Fatal(err)
	}
	id, _ := machine.Machine{Root: fstest.MapFS{"etc/machine-id": {Data: []byte("3d1219c7c4c5404aaa1f6d2a48adfda4\n")}}}.ID()
	for _, x := range [][2]string{
		{c.MQTT.Endpoint, "mqtts://hall.local:8883"}, {c.MQTT.ClientID, "hall-10000000abcdef01"}, {c.MQTT.Password.Reveal(), "a${b}$c"},
		{c.MQTT.Key, "/run/c/device.key"}, {c.MQTT.Will.Topic, "north/pi-017/gone"}, {c.MQTT.Will.Payload, "{hostname}"},
		{c.Things[0].Name, "MS_pi-017"}, {c.Things[0].Topic("motion"), "north/MS_pi-017/motion"}, {c.Things[1].Settings.(*things.ScreenSettings).Fetch.AllowFiles[0], "/srv/pics"},
		{c.Things[1].MQTT.ClientID, id}, {c.Flows[0].Name, "f-pi-017"}, {c.Flows[0].Things["motionSensor"], "MS_pi-017"},
		{c.MQTT.ServerName, "${x}"}, // a shell has had its turn
	} {
		if x[0] != x[1] {
			t.Errorf("%q, want %q", x[0], x[1])
		}
	}
}

func TestVariablesThatAreNotThere(t *testing.T) {
	for text, want := range map[string]string{
		"client_id: \"{env.SITE}\"":           `c.yaml:1:32: client_id: the environment has no variable SITE; set it (in a service: Environment=SITE=…)`,
		"client_id: \"{host}\"":               `c.yaml:1:32: client_id: {host} is no variable; there are {hostname}, {serial}, {machine} and {env.NAME}`,
		"ca: \"${HERE}/a\"":                   `c.yaml:1:25: ca: the environment has no variable HERE; set it (in a service: Environment=HERE=…)`,
		"ca: \"${he-re}/a\"":                  `c.yaml:1:25: ca: ${he-re} is not the name of a variable; write $${ for ${ itself`,
		"key: \"${CREDENTIALS_DIRECTORY}/k\"": `c.yaml:1:26: key: ${CREDENTIALS_DIRECTORY} is set by systemd, for a service with LoadCredential=; by hand write CREDENTIALS_DIRECTORY=FOLDER before the command`,
		"client_id: \"{env.LONG}\"":           `c.yaml:1:32: client_id: {env.LONG} stands for more than 4096 bytes`,
	} {
		_, err := card("mqtt: {endpoint: h, "+text+"}\nthings: [{name: x, type: camera}]\n", "LONG="+strings.Repeat("x", 5000))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
	// What a variable brings is checked like what is written.
	if _, err := card("mqtt: {endpoint: h}\nthings: [{name: \"{env.X}\", type: camera}]\n", "X=a/+"); err == nil || !strings.Contains(err.Error(), "wildcard") {
		t.Errorf("%v", err)
	}
}
