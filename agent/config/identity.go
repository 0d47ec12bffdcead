package config

import (
	"errors"
	"io/fs"
	"net/url"
	"strings"

	"pithings/awsiot/provision"
	"pithings/conf"
)

// State returns the state folder of a configuration of which all but things and flows is known;
// "" is that there is none.
type State func(*Config) string

// takeIdentity gives the keys of mqtt that nothing else gives the values of the identity in the
// state folder. It is one device, so that it counts as a whole: not if file, environment or
// command line say who else connects, and not for an endpoint that cannot ask for a certificate.
func (d *decoder) takeIdentity(c *Config) {
	if d.state == nil || d.Given("mqtt.cert") || d.Given("mqtt.key") || d.Given("mqtt.username") {
		return
	}
	named := d.Given("mqtt.endpoint") && c.MQTT.Endpoint != ""
	if !named && c.Broker.Listen != "" || named && !encrypted(c.MQTT.Endpoint) {
		return // its things use the embedded broker, or one without encryption
	}
	dir := d.state(c)
	if dir == "" {
		return
	}
	who, err := provision.Identity(dir)
	switch {
	case errors.Is(err, provision.ErrNone):
		return
	case err != nil && d.partial && errors.Is(err, fs.ErrPermission):
		return // the agent, whose it is, may have the connection
	case err != nil:
		d.Problems.Add(conf.Problem{Source: provision.Path(dir), Message: strings.TrimPrefix(err.Error(), "identity: ")})
		return
	}
	if d.partial && named && who.Endpoint != "" && host(who.Endpoint) != host(c.MQTT.Endpoint) {
		return // a command that names another broker is not this device there
	}
	values := who.Settings()
	for _, f := range conf.Leaves(&c.MQTT) {
		path := conf.Join("mqtt", f.Path)
		if value, ok := values[f.Path]; ok && !d.Given(path) {
			f.Value.SetString(value)
			d.Mark(path, conf.Place{Source: who.Dir})
		}
	}
}

// encrypted reports whether an endpoint is one with TLS, in any of its spellings.
func encrypted(endpoint string) bool {
	u := parsed(endpoint)
	return u == nil || u.Scheme != "mqtt" && u.Scheme != "ws"
}

// host is the host of an endpoint; "" if it is wrong.
func host(endpoint string) string {
	if u := parsed(endpoint); u != nil {
		return u.Hostname()
	}
	return ""
}

func parsed(endpoint string) *url.URL {
	normal, err := normalEndpoint(endpoint)
	if err != nil {
		return nil
	}
	u, err := url.Parse(normal)
	if err != nil {
		return nil
	}
	return u
}
