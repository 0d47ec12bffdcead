package config

import (
	"net/url"
	"regexp"

	"pithings/awsiot"
	"pithings/conf"
	"pithings/mqttlink/topic"
)

// placeholder matches what examples, ours among them, write where something of the
// reader's belongs.
var placeholder = regexp.MustCompile(`(?i:^your[-_]|[-_.]your[-_]|xxxx|<[^>]*>)|^[A-Z]*(HOST|BROKER|ENDPOINT)([-_]?NAME)?$`)

// endpointHost checks the host of a normal endpoint.
func (d *checker) endpointHost(m *MQTT, path string) {
	u, err := url.Parse(m.Endpoint)
	if err == nil && placeholder.MatchString(u.Hostname()) {
		d.Bad(conf.Join(path, "endpoint"), "endpoint: %s stands for the name of your broker; write that", conf.Quote(u.Hostname()))
	}
}

// aws checks what only AWS IoT Core asks for: it closes the connection without a reason.
// A command without an agent has words of its own for a certificate that is missing.
func (d *checker) aws(m *MQTT, path string) {
	if _, _, ok := awsiot.Limits(m.Endpoint); ok && m.Cert == "" && m.Key == "" && m.Username == "" && !d.partial {
		d.Bad(conf.Join(path, "endpoint"), "endpoint: AWS IoT Core asks for a certificate; give cert and key, or username for an authoriser of your own")
	}
}

// brokerTopics checks topics against the limits of the broker, as far as its name shows
// which it has.
func (d *checker) brokerTopics(c *Config) {
	check := func(m *MQTT, path, what, topic string) {
		limits, _, ok := awsiot.Limits(m.Endpoint)
		if !ok || topic == "" {
			return
		}
		if err := limits.CheckTopic(topic); err != nil {
			d.Bad(path, "%s: %v", what, err)
		}
	}
	c.Connections(func(m *MQTT, path string) {
		for _, x := range []struct {
			key string
			m   *Message
		}{{"will", &m.Will}, {"birth", &m.Birth}, {"close", &m.Close}} {
			check(m, conf.Join(path, x.key+".topic"), x.key, x.m.Topic)
		}
	})
	for i := range c.Things {
		t := &c.Things[i]
		m := c.Connection(t)
		for _, role := range rolesOf(t.Type) {
			at := topicPath(i, role)
			name := t.Topic(role)
			check(m, at, role, name)
			if m.Order == OrderLiveFirst && topic.Check(name) == nil {
				check(m, at, role+" with history_topic", topic.ExpandOwn(m.HistoryTopic, name))
			}
		}
	}
}
