package rule_test

import (
	"strings"
	"testing"

	"pithings/gateway/collect"
	"pithings/gateway/rule"
	"pithings/mqttlink"
)

// QoS 2, which Device Supervisor has on standard MQTT, is sent and subscribed to as 1, and
// each rule that asks for it says so once.
func TestQoS2(t *testing.T) {
	const calls = `
from quickfaas.remotebus import publish
from quickfaas.messagebus import publish as local
def main(message, wizard_api):
    for i in range(3):
        wizard_api.mqtt_publish("a", "mqtt", 2)
    wizard_api.awsiot_publish("a", "awsiot", 2)
    publish("a", "remote", 2)
    local("a", "local", qos=2)
    wizard_api.save_data({"topic": "a", "qos": 2, "payload": "saved"})
    wizard_api.save_data("group", "default")
    return __qos__
`
	r := newRig(t, rule.Settings{
		Publish: []rule.Publish{
			{Name: "plain", Topic: "plain", QoS: 2, Groups: []string{"default"}},
			{Name: "script", Topic: "script", QoS: 2, Groups: []string{"default"}, Script: script(calls)},
			{Name: "one", Topic: "one", QoS: 1, Groups: []string{"default"}, Script: script(strings.ReplaceAll(calls, "default", "other"))},
			{Name: "none", Topic: "none", QoS: 0, Groups: []string{"default", "other"}, Script: script("def main(d, w):\n    return __qos__\n")},
		},
		Subscribe: []rule.Subscribe{{Name: "down", Topic: "down", QoS: 2, Script: script("def main(topic, payload, w):\n    w.mqtt_publish('seen', payload, __qos__)\n")}},
	})
	for range 2 {
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	}
	for _, m := range r.link.Published("#") {
		want := byte(1)
		if m.Topic == "none" { // what its group saves has its QoS, too
			want = 0
		}
		if m.QoS != want {
			t.Errorf("%s %d %s", m.Topic, m.QoS, m.Payload)
		}
	}
	for topic, want := range map[string]int{"plain": 4, "script": 2, "one": 2, "a": 28, "none": 4} {
		if got := len(r.link.Published(topic)); got != want {
			t.Errorf("%d messages on %s, want %d", got, topic, want)
		}
	}
	if err := r.link.Inject(mqttlink.Message{Topic: "down", Payload: []byte("!"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	r.wait(t, "seen", 1)
	if m := r.link.Published("seen")[0]; m.QoS != 1 {
		t.Errorf("the subscription has QoS %d", m.QoS)
	}
	for name, want := range map[string]int{"plain": 1, "script": 1, "one": 1, "down": 1, "none": 0} {
		n := 0
		for line := range strings.Lines(r.log.String()) {
			if strings.Contains(line, "QoS 2 is not supported") && strings.Contains(line, "rule="+name+" ") {
				n++
			}
		}
		if n != want {
			t.Errorf("rule %s says it %d times", name, n)
		}
	}
}
