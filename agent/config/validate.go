package config

import (
	"fmt"

	"pithings/conf"
)

// newest is the newest version of the file's format.
const newest = 1

// validate checks what no single value shows, and fills in what depends on
// other values.
func validate(d *checker, c *Config) {
	// What is missing may just have been misspelt or misplaced.
	complete := d.Problems.Count() == 0 && !d.partial
	if c.Version > newest {
		d.Bad("version", "version: %d is newer than this pithings, which reads version %d; install a newer one, or write the keys of version %d", c.Version, newest, newest)
	}
	d.servers(c)
	c.Connections(func(m *MQTT, path string) {
		d.mqtt(m, path)
		if complete && m.Endpoint == "" && c.Broker.Listen == "" && (path != "mqtt" || needsShared(c)) {
			d.Bad(path, "mqtt.endpoint is missing; name the broker (mqtts://HOST:8883), or set broker.listen to run the embedded one")
		}
	})
	d.clientIDs(c)
	if complete && len(c.Things) == 0 && len(c.Flows) == 0 && !c.Gateway.Used() {
		d.Bad("things", "there is nothing to do: give things, flows or a gateway")
	}
	d.names(c)
	for i := range c.Things {
		if c.Things[i].Settings != nil {
			d.thing(c, i)
		}
	}
	d.topics(c)
	d.brokerTopics(c)
	if (len(c.HTTP.AllowNets) > 0 || c.HTTP.TokenFile != "") && loopback(c.HTTP.Listen) {
		d.Warn("http.listen", "http.listen: other hosts cannot reach %s, whatever allow_nets and token_file allow them; write 0.0.0.0:8080", c.HTTP.Listen)
	}
	d.gateway(c)
	d.awsiot(c)
	d.homeAssistant(c)
	for i := range c.Flows {
		d.flow(c, &c.Flows[i], fmt.Sprintf("flows[%d]", i))
	}
}

func (d *checker) names(c *Config) {
	seen := map[string]bool{}
	for i, t := range c.Things {
		path := fmt.Sprintf("things[%d].name", i)
		if t.Type == "" { // reported already
			continue
		}
		if err := checkThingName(t.Name); err != nil {
			d.Bad(path, "%v", err)
		} else if seen[t.Name] {
			d.Bad(path, "there are two things named %s; names must differ", conf.Quote(t.Name))
		}
		seen[t.Name] = true
	}
}

// topics checks what becomes of the templates; two things on one topic would
// answer for each other.
func (d *checker) topics(c *Config) {
	type user struct{ thing, role string }
	seen := map[string]user{}
	for i := range c.Things {
		t := &c.Things[i]
		if t.Type == "" || checkThingName(t.Name) != nil {
			continue
		}
		for _, role := range rolesOf(t.Type) {
			path := topicPath(i, role)
			if err := checkTemplate(t.Topics[role], topicsOf(t.Type)[role], t.Name); err != nil {
				d.Bad(path, "%s: %v", role, err)
				continue
			}
			topic := t.Topic(role)
			if why := ingested(t.Type, role, topic); why != "" {
				d.Bad(path, "%s: topic %s: %s", role, conf.Quote(topic), why)
			}
			if other, again := seen[topic]; again && (other.thing != t.Name || other.role != role) {
				d.Bad(path, "topic %s of thing %s is also the topic %s of thing %s; topics must differ", conf.Quote(topic), conf.Quote(t.Name), other.role, conf.Quote(other.thing))
				continue
			}
			seen[topic] = user{t.Name, role}
		}
	}
}

// topicPath is the path of a thing's topic.
func topicPath(i int, role string) string { return fmt.Sprintf("things[%d].topics.%s", i, role) }
