package config

import (
	"strings"
	"testing"
)

// What Home Assistant's message cannot be made of, or could not be published, is refused.
func TestHomeAssistant(t *testing.T) {
	const thing = "\nthings: [{name: x, type: motion, pin: GPIO1}]"
	for _, tc := range []struct{ name, text, bad, warning string }{
		{"off", `mqtt: {endpoint: mqtt://h}`, "", ""},
		{"on", "home_assistant: true\nmqtt: {endpoint: mqtt://h}", "", ""},
		{"embedded broker", "home_assistant: true\nbroker: {listen: 127.0.0.1:1883}", "", ""},
		{"AWS", "home_assistant: true\nmqtt: {endpoint: abc-ats.iot.eu-west-1.amazonaws.com, username: u}", "home_assistant: the broker is AWS IoT Core", ""},
		{"off at AWS", "mqtt: {endpoint: abc-ats.iot.eu-west-1.amazonaws.com, username: u}", "", ""},
		{"no status", "home_assistant: true\nmqtt: {endpoint: mqtt://h, status: false}", "", "does not report whether it is there"},
		{"own presence", "home_assistant: true\nmqtt: {endpoint: mqtt://h, will: {topic: a, payload: x, retain: true}, birth: {topic: a, payload: y, retain: true}}", "", ""},
		{"own will alone", "home_assistant: true\nmqtt: {endpoint: mqtt://h, will: {topic: a, payload: x, retain: true}}", "", "does not report whether it is there"},
		{"client id", "home_assistant: true\nmqtt: {endpoint: mqtt://h, client_id: \"a#\"}", "no topic can be made of client_id", ""},
		{"other prefix", "home_assistant: true\nhome_assistant_prefix: ha/two\nmqtt: {endpoint: mqtt://h}", "", ""},
		{"wildcard", "home_assistant_prefix: \"ha/#\"\nmqtt: {endpoint: mqtt://h}", "home_assistant_prefix: ", ""},
		{"empty prefix", "home_assistant_prefix: \"\"\nmqtt: {endpoint: mqtt://h}", "is no first level of topics", ""},
		{"reserved prefix", "home_assistant_prefix: $SYS\nmqtt: {endpoint: mqtt://h}", "begins with $", ""},
		{"only own connections", "home_assistant: true\nthings: [{name: y, type: motion, pin: GPIO2, mqtt: {endpoint: mqtt://h}}]", "mqtt.endpoint is missing", ""},
	} {
		text := tc.text
		if !strings.Contains(text, "things:") {
			text += thing
		}
		_, warnings, err := Parse("c.yaml", []byte(text), nil)
		if tc.bad == "" && err != nil || tc.bad != "" && (err == nil || !strings.Contains(err.Error(), tc.bad)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.bad)
		}
		warned := ""
		for _, w := range warnings {
			warned += w.Message + "\n"
		}
		if (tc.warning != "") != strings.Contains(warned, "home_assistant") || !strings.Contains(warned, tc.warning) {
			t.Errorf("%s: warnings %q, want %q", tc.name, warned, tc.warning)
		}
	}
}
