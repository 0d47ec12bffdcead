package config

import (
	"strings"

	"pithings/awsiot"
	"pithings/conf"
)

// homeAssistant checks what its message is made of.
func (d *checker) homeAssistant(c *Config) {
	if err := checkTopic(c.HomeAssistantPrefix + "/status"); err != nil {
		d.Bad("home_assistant_prefix", "home_assistant_prefix: %v", err)
	} else if c.HomeAssistantPrefix == "" || strings.HasPrefix(c.HomeAssistantPrefix, "/") || strings.HasSuffix(c.HomeAssistantPrefix, "/") {
		d.Bad("home_assistant_prefix", "home_assistant_prefix: %s is no first level of topics; write it as Home Assistant has it, usually homeassistant", conf.Quote(c.HomeAssistantPrefix))
	}
	if !c.HomeAssistant {
		return
	}
	_, _, aws := awsiot.Limits(c.MQTT.Endpoint)
	switch {
	case aws:
		d.Bad("home_assistant", "home_assistant: the broker is AWS IoT Core, to which no Home Assistant connects, and which by its policy ends the connection upon a message to %s/…; use a broker of your own", c.HomeAssistantPrefix)
	case strings.ContainsAny(c.MQTT.ClientID, "+#"):
		d.Bad("home_assistant", "home_assistant: no topic can be made of client_id %s; leave + and # out of it", conf.Quote(c.MQTT.ClientID))
	case !c.MQTT.presence():
		d.Warn("home_assistant", "home_assistant: the connection does not report whether it is there, so that Home Assistant shows old values as if they were new; leave mqtt.will and mqtt.birth out, and mqtt.status: true")
	}
}

// presence reports whether the connection reports whether it is there.
func (m *MQTT) presence() bool {
	if m.Status {
		return true
	}
	return m.Will.Topic != "" && m.Will.Topic == m.Birth.Topic && m.Will.Retain && m.Birth.Retain
}
