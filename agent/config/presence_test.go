package config

import "testing"

// TestStatusByDefault: which connections report whether they are there (telegraf#16046).
func TestStatusByDefault(t *testing.T) {
	for _, tc := range []struct {
		name, mqtt string
		want       bool
	}{
		{"shared", `endpoint: mqtt://h`, true},
		{"will", `endpoint: mqtt://h, will: {topic: gone}`, false},
		{"birth", `endpoint: mqtt://h, birth: {topic: here}`, false},
		{"switched off", `endpoint: mqtt://h, status: false`, false},
		{"AWS", `endpoint: abc-ats.iot.eu-west-1.amazonaws.com, username: u`, false},
		{"AWS, switched on", `endpoint: abc-ats.iot.eu-west-1.amazonaws.com, username: u, status: true`, true},
		{"no topic", `endpoint: mqtt://h, client_id: "a#"`, false},
	} {
		c, _ := parse(t, "mqtt: {"+tc.mqtt+"}\nthings: [{name: x, type: motion, pin: GPIO1}, {name: y, type: motion, pin: GPIO2, mqtt: {}}, {name: z, type: motion, pin: GPIO3, mqtt: {status: true}}]")
		if c.MQTT.Status != tc.want {
			t.Errorf("%s: status %v", tc.name, c.MQTT.Status)
		}
		if c.Things[1].MQTT.Status || !c.Things[2].MQTT.Status {
			t.Errorf("%s: things' own: %v by default, %v when asked for", tc.name, c.Things[1].MQTT.Status, c.Things[2].MQTT.Status)
		}
		if again, _, err := Parse("c.yaml", []byte(c.String()), nil); err != nil || again.MQTT.Status != tc.want {
			t.Errorf("%s: read back: %v", tc.name, err)
		}
	}
}
