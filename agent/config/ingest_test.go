package config

import (
	"strings"
	"testing"

	"pithings/awsiot"
	"pithings/mqttlink"
)

// A thing's messages go to a rule of AWS IoT by its topics, within that broker's limits.
func TestBasicIngest(t *testing.T) {
	const text = `
mqtt: {endpoint: abc-ats.iot.eu-west-1.amazonaws.com, ca: ca.pem, cert: cert.pem, key: key.pem}
things:
  - name: bme680
    type: environment
    topics: {temperature: "$aws/rules/readings/{thing}/temperature"}
`
	c, _ := parse(t, text)
	topic := c.Thing("bme680").Topic("temperature")
	limits, _, ok := awsiot.Limits(c.MQTT.Endpoint)
	if topic != "$aws/rules/readings/bme680/temperature" || !ok || limits.CheckTopic(topic) != nil {
		t.Errorf("%s: %v, %v", topic, ok, limits.CheckTopic(topic))
	}
	link, err := mqttlink.New(mqttlink.Options{Endpoint: "mqtts://" + strings.TrimPrefix(c.MQTT.Endpoint, "mqtts://"), CleanSession: true, MaxQueued: 10, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	if err := link.Publish(t.Context(), mqttlink.Message{Topic: topic, QoS: 1, Payload: []byte("21.5")}); err != nil {
		t.Error(err)
	}
	if err := link.Publish(t.Context(), mqttlink.Message{Topic: topic, Retain: true}); err == nil || !strings.Contains(err.Error(), "cannot be retained") {
		t.Errorf("retained: %v", err)
	}
}

// Where it cannot work, the configuration is refused with the reason.
func TestBasicIngestRefused(t *testing.T) {
	for line, want := range map[string]string{
		`{name: TG_Camera, type: camera, topics: {capture: "$aws/rules/r/{thing}/capture"}}`:      "capture: topic \"$aws/rules/r/TG_Camera/capture\": commands never arrive there",
		`{name: relay, type: output, pin: GPIO27, topics: {state: "$aws/rules/r/{thing}/state"}}`: "state: topic \"$aws/rules/r/relay/state\": its messages are retained",
		`{name: bme680, type: environment, topics: {gas: "$aws/rules/{thing}"}}`:                  "write $aws/rules/RULE/TOPIC",
		`{name: bme680, type: environment, topics: {gas: "$aws/things/{thing}/shadow/update"}}`:   "begins with $",
	} {
		_, _, err := Parse("c.yaml", []byte("mqtt: {endpoint: \"mqtt://127.0.0.1\"}\nthings: ["+line+"]\n"), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
