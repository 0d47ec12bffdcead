package config

import (
	"encoding/json"
	"strings"

	"pithings/conf"
	"pithings/spool/accepted"
)

// Setting is a value of the configuration for those who look at it, and change it, from afar.
type Setting struct {
	Path   string          `json:"key" jsonschema:"as it stands in the configuration: things[0].interval"`
	Value  json.RawMessage `json:"value"`
	Source string          `json:"source" jsonschema:"FILE:LINE, the name of a variable, or default"`
	Change conf.Change     `json:"change" jsonschema:"afar, with_secret (together with the password of its connection, typed anew) or local (not here), as it stands"`
	// Name is the key as a change names it: things.TG_BME.interval for things[0].interval.
	Name string `json:"name"`
	From string `json:"from" jsonschema:"default, file, afar (accepted from afar) or machine (a variable, an option or the identity of the device)"`
}

// The values of Setting.From.
const (
	FromDefault = "default"
	FromFile    = "file"
	FromAfar    = "afar"
	FromMachine = "machine"
)

// Settings lists every key with its effective value. Other than in Values, the change of each is
// what holds for it as it stands: a list is changed as a whole, and what a variable gives on
// the machine can be changed by no one else.
func (c *Config) Settings() []Setting {
	values := c.Values()
	all := make([]Setting, len(values))
	for i, v := range values {
		all[i] = Setting{Path: v.Path, Value: v.Value, Source: v.Source, Name: c.NameOf(v.Path), From: c.from(v.Source)}
		all[i].Change = c.changeOf(v.Path, all[i].From)
	}
	return all
}

// NameOf is a path as those name it who do not know the places in the machine's file.
func (c *Config) NameOf(path string) string {
	if t := c.thingAt(path); t.Name != "" {
		_, rest, _ := strings.Cut(path, "].")
		return "things." + t.Name + "." + rest
	}
	return path
}

func (c *Config) from(source string) string {
	switch {
	case source == conf.ByDefault:
		return FromDefault
	case c.afar != "" && (source == c.afar || strings.HasPrefix(source, c.afar+":")):
		return FromAfar
	case strings.HasPrefix(source, c.places.Source+":"):
		return FromFile
	}
	return FromMachine
}

// changeOf is from where the value at a path can be changed.
func (c *Config) changeOf(path, from string) conf.Change {
	keys, key := c.OwnKeys(), path
	if t := c.thingAt(path); t.Name != "" {
		keys = t.Keys()
		_, key, _ = strings.Cut(path, "].")
	}
	key, _, _ = strings.Cut(key, "[") // a list is changed as a whole
	if name, ok := strings.CutPrefix(key, "mqtt."); ok {
		m, at := c.connectionAt(path)
		if _, broker := connectionValues(new(accepted.Connection))[name]; broker {
			return c.brokerChange(m, at)
		}
		if at != "mqtt" {
			return conf.Local // a connection of a thing's own is there as a whole, or not
		}
	}
	change, ok := keys.Key(key)
	if !ok || key == "flows" || from == FromMachine {
		return conf.Local
	}
	return change
}

// connectionAt is the connection that a path is in, and the connection's own path.
func (c *Config) connectionAt(path string) (m *MQTT, at string) {
	c.Connections(func(one *MQTT, of string) {
		if strings.HasPrefix(path, of+".") {
			m, at = one, of
		}
	})
	return m, at
}

// brokerChange is from where a connection's broker can be changed.
func (c *Config) brokerChange(m *MQTT, path string) conf.Change {
	if m.Cert != "" || m.Key != "" {
		return conf.Local
	}
	for _, key := range whole {
		if at := c.origin(conf.Join(path, key)); c.from(at) == FromMachine {
			return conf.Local
		}
	}
	return conf.WithSecret
}

// BrokerOf returns the broker of a connection, by the name of its thing, without its password; "" is
// the shared one. ok is false if it has none of its own.
func (c *Config) BrokerOf(name string) (endpoint, username, server string, ok bool) {
	m, _, _ := c.connectionOf(name)
	if m == nil {
		return "", "", "", false
	}
	return m.Endpoint, m.Username, m.ServerName, true
}
