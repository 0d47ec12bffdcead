package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/conf"
	"pithings/spool/accepted"
)

// Brokers from afar (conf.WithSecret). A password is for one broker, so that both come together and
// count together: what was accepted takes the place of the whole of endpoint, username, password and
// server_name, or does not count. It is not laid key by key, for then a key that is given on
// the machine later, in a variable, say, would make a pair that no one has meant.

// whole are the keys of a connection that say which broker it is and with which secret. Where one
// comes from elsewhere than the file, none is taken from afar.
var whole = []string{"endpoint", "username", "password", "password_file", "server_name", "cert", "key"}

// brokers takes those of a layer.
type brokers struct {
	given     map[string]accepted.Connection
	source    string
	candidate bool
	file      *conf.Report // of the file under it
	report    *conf.Report // of the layer
}

// take gives the connections their brokers. Things and their own connections are there by now, but no
// file was read yet.
func (l *brokers) take(c *Config) {
	d := l.file
	for _, name := range slices.Sorted(maps.Keys(l.given)) {
		given := l.given[name]
		m, path, called := c.connectionOf(name)
		switch {
		case m == nil:
			l.refuse(called, "there is no connection of its own")
			continue
		case m.Cert != "" || m.Key != "":
			l.refuse(called+".endpoint", "the connection has a certificate, whose key is a file of this machine: its broker can be changed on the machine only")
			continue
		}
		if key := l.elsewhere(path); key != "" {
			l.refuse(conf.Join(called, key), conf.Join(called, key)+" is given by "+d.Origin(conf.Join(path, key))+" on the machine, which counts more")
			continue
		}
		if !l.set(m, &given, called) {
			continue
		}
		l.mark(path)
		if name == "" {
			l.follow(c, &given)
		}
	}
}

// connectionOf finds a connection by the name of its thing, its path, and how those call it who do
// not know the places in the file. nil: there is none.
func (c *Config) connectionOf(name string) (m *MQTT, path, called string) {
	if name == "" {
		return &c.MQTT, "mqtt", "mqtt"
	}
	called = "things." + name + ".mqtt"
	c.Connections(func(one *MQTT, at string) {
		if at != "mqtt" && c.thingAt(at).Name == name {
			m, path = one, at
		}
	})
	return m, path, called
}

// thingAt is the thing whose key a path is.
func (c *Config) thingAt(path string) *Thing {
	for i := range c.Things {
		if strings.HasPrefix(path, fmt.Sprintf("things[%d].", i)) {
			return &c.Things[i]
		}
	}
	return new(Thing)
}

// elsewhere is the key of a connection that neither file nor layer gives; "": there is none.
func (l *brokers) elsewhere(path string) string {
	for _, key := range whole {
		if at := conf.Join(path, key); l.file.Given(at) && !l.file.InFile(at) {
			return key
		}
	}
	return ""
}

// set gives a connection a broker. It reports false after a problem, with the connection as it was.
func (l *brokers) set(m *MQTT, given *accepted.Connection, called string) bool {
	next := *m
	values := connectionValues(given)
	for _, f := range conf.Fields(&next) {
		text, ok := values[f.Key]
		if !ok {
			continue
		}
		if err := f.Set(text); err != nil {
			l.refuse(conf.Join(called, f.Key), f.Key+": "+err.Error())
			return false
		}
	}
	next.accepted = true
	*m = next
	return true
}

// mark notes that a broker comes from afar.
func (l *brokers) mark(path string) {
	for key := range connectionValues(new(accepted.Connection)) {
		l.file.Mark(conf.Join(path, key), conf.Place{Source: l.source})
	}
}

// follow gives the shared connection's broker to the connections of things that have nothing of
// their own there. One with a password of its own stays where it is: that is not for another broker.
func (l *brokers) follow(c *Config, given *accepted.Connection) {
	c.Connections(func(m *MQTT, path string) {
		own := func(key string) bool { return l.file.Given(conf.Join(path, key)) }
		if path != "mqtt" && !slices.ContainsFunc(append([]string{"ca", "alpn"}, whole...), own) {
			l.set(m, given, c.thingAt(path).Name)
		}
	})
}

// connectionValues are the keys of a connection that has been accepted.
func connectionValues(c *accepted.Connection) map[string]string {
	return map[string]string{"endpoint": c.Endpoint, "username": c.Username, "password": c.Password, "server_name": c.ServerName}
}

// refuse reports why a broker from afar does not count.
func (l *brokers) refuse(key, why string) {
	p := conf.Problem{Source: l.source, Key: key, Message: why}
	if l.candidate {
		l.report.Problems.Add(p)
	} else {
		p.Fix = "the configuration file counts for that connection; pithings config reset removes it for good"
		l.report.Warnings = append(l.report.Warnings, p)
	}
}
