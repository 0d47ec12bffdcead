package config

import (
	"fmt"
	"strings"

	"pithings/awsiot"
	"pithings/conf"
)

// Message is one that is published at a fixed occasion: when a connection is there, when
// it is closed, when it is lost. There is none when Topic is empty.
type Message struct {
	Topic   string `json:"topic" expand:"name" change:"local" jsonschema:"topic of the message; empty: there is none"`
	Payload string `json:"payload" change:"local" jsonschema:"its payload"`
	QoS     int    `json:"qos" default:"0" min:"0" max:"1" change:"local" jsonschema:"its quality of service"`
	Retain  bool   `json:"retain" default:"false" change:"local" jsonschema:"whether the broker keeps it for later subscribers"`
}

// presence checks what reports whether the connection is there, and fills in Status: true
// for the shared connection, if nothing else reports it, and not at AWS, where it would be
// messages that cost money on a topic that the policy does not allow.
func (d *checker) presence(m *MQTT, path string) {
	said := ""
	for _, x := range []struct {
		key string
		m   *Message
	}{{"will", &m.Will}, {"birth", &m.Birth}, {"close", &m.Close}} {
		switch at := conf.Join(path, x.key); {
		case x.m.Topic == "" && *x.m != Message{}:
			d.Bad(at, "%s has no topic", x.key)
		case x.m.Topic == "":
		default:
			if err := checkTopic(x.m.Topic); err != nil {
				d.Bad(conf.Join(at, "topic"), "%s: %v", x.key, err)
			}
			if x.key == "will" && len(x.m.Payload) > 65535 {
				d.Bad(conf.Join(at, "payload"), "will: payload is longer than MQTT allows")
			}
			if said == "" {
				said = x.key
			}
		}
	}
	given := d.Given(conf.Join(path, "status"))
	switch {
	case !given:
		_, _, aws := awsiot.Limits(m.Endpoint)
		m.Status = path == "mqtt" && said == "" && !aws && !strings.ContainsAny(m.ClientID, "+#")
	case m.Status && said != "":
		d.Bad(conf.Join(path, "status"), "status is true and %s is given%s, and a connection has one will: leave one of them out", said, d.atLine(conf.Join(path, said)))
	case m.Status && strings.ContainsAny(m.ClientID, "+#"):
		d.Bad(conf.Join(path, "status"), "status: the topic {client_id}/status cannot be made of client_id %s; leave + and # out of it", conf.Quote(m.ClientID))
	}
}

// atLine says where a value was given.
func (d *checker) atLine(path string) string {
	if at := d.Problem(path, "", ""); at.Line > 0 {
		return fmt.Sprintf(" (line %d)", at.Line)
	}
	return ""
}
