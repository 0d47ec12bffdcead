package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/conf"
	"pithings/mqttlink/endpoint"
	"pithings/mqttlink/topic"
)

func (d *checker) servers(c *Config) {
	if err := checkListen(c.HTTP.Listen); err != nil {
		d.Bad("http.listen", "http.listen: %v", err)
	}
	if u := c.HTTP.BaseURL; u != "" {
		p, err := url.Parse(u)
		if err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Host == "" || p.User != nil || p.RawQuery != "" || p.Fragment != "" {
			d.Bad("http.base_url", "http.base_url: %s is not a base URL; write http://HOST:8080 or https://HOST/PATH", conf.Quote(u))
		}
	}
	d.access(&c.HTTP)
	if c.Broker.Listen == "" {
		return
	}
	if err := checkListen(c.Broker.Listen); err != nil {
		d.Bad("broker.listen", "broker.listen: %v", err)
	}
	d.broker(&c.Broker)
	if c.Broker.Listen == c.HTTP.Listen && !strings.HasSuffix(c.HTTP.Listen, ":0") {
		d.Bad("broker.listen", "broker.listen and http.listen are both %s; give each its own port", c.HTTP.Listen)
	}
}

func checkListen(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s is not an address; write HOST:PORT, for example 127.0.0.1:8080", conf.Quote(address))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("%s has no port from 0 to 65535", conf.Quote(address))
	}
	if strings.ContainsAny(host, "/ ") {
		return fmt.Errorf("%s is not an address; write HOST:PORT without a scheme", conf.Quote(address))
	}
	return nil
}

// loopback reports whether a HOST:PORT or HOST is this computer for sure.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (d *checker) mqtt(m *MQTT, path string) {
	given := func(key string) bool { ok := d.Given(conf.Join(path, key)); return ok }
	shared := path == "mqtt"
	// What a thing inherits has been checked once.
	check := func(keys ...string) bool { return shared || slices.ContainsFunc(keys, given) }

	if m.Endpoint != "" {
		if endpoint, err := normalEndpoint(m.Endpoint); err == nil {
			m.Endpoint = endpoint
			if check("endpoint") {
				d.endpointHost(m, path)
			}
		} else if check("endpoint") {
			d.Bad(conf.Join(path, "endpoint"), "endpoint: %v", err)
		}
	}
	if check("endpoint", "cert", "key", "username") {
		d.aws(m, path)
	}
	if check("cert", "key") {
		switch {
		case m.Cert != "" && m.Key == "":
			d.Bad(conf.Join(path, "cert"), "cert needs key, the file with its private key")
		case m.Key != "" && m.Cert == "":
			d.Bad(conf.Join(path, "key"), "key needs cert, the file with its certificate")
		}
	}
	passwordFile := m.PasswordFile != "" && !m.accepted
	if check("password", "password_file") && !m.Password.IsZero() && passwordFile {
		d.Bad(conf.Join(path, "password_file"), "give password or password_file, not both")
	}
	hasPassword := !m.Password.IsZero() || passwordFile
	if check("username", "password", "password_file") && hasPassword && m.Username == "" {
		d.Bad(conf.Join(path, "password"), "a password needs username too (MQTT 3.1.1)")
	}
	if check("endpoint", "password", "password_file", "ca", "cert") {
		d.encryption(m, path, hasPassword, shared || given("ca"))
	}
	if len(m.ClientID) > 65535 {
		d.Bad(conf.Join(path, "client_id"), "client_id is longer than MQTT allows")
	}
	if check("keepalive") && m.Keepalive.Duration%time.Second != 0 {
		d.Bad(conf.Join(path, "keepalive"), "keepalive: %s is not in whole seconds", m.Keepalive)
	}
	if check("reconnect") {
		at := conf.Join(path, "reconnect")
		if m.Reconnect.Min.Duration > m.Reconnect.Max.Duration {
			d.Bad(conf.Join(at, "min"), "reconnect: min (%s) is longer than max (%s)", m.Reconnect.Min, m.Reconnect.Max)
		}
		if m.Reconnect.Stable.Duration <= m.Reconnect.Min.Duration {
			d.Bad(conf.Join(at, "stable"), "reconnect: stable (%s) must be longer than min (%s)", m.Reconnect.Stable, m.Reconnect.Min)
		}
	}
	if check("history_topic") {
		if err := checkTopic(topic.ExpandOwn(m.HistoryTopic, "x")); err != nil {
			d.Bad(conf.Join(path, "history_topic"), "history_topic: %v", err)
		}
	}
	d.presence(m, path)
}

// needsShared reports whether anything uses the shared connection.
func needsShared(c *Config) bool {
	if len(c.Flows) > 0 || c.Gateway.Used() || c.AWSIoT.Used() || c.HomeAssistant || len(c.Things) == 0 {
		return true
	}
	return slices.ContainsFunc(c.Things, func(t Thing) bool { return t.MQTT == nil })
}

// encryption warns of what an endpoint without encryption leaves unused or shows, and of
// a port that is usually that of the other kind. An authority that a thing inherits
// belongs to the shared connection's endpoint.
func (d *checker) encryption(m *MQTT, path string, password, ownCA bool) {
	u, err := url.Parse(m.Endpoint)
	if err != nil {
		return
	}
	at := conf.Join(path, "endpoint")
	if other, ok := otherPort[u.Scheme+":"+u.Port()]; ok {
		d.Warn(at, "endpoint: %s:// on port %s, which is usual for %s://; if the broker does not answer, write %s://%s", u.Scheme, u.Port(), other, other, u.Host)
	}
	if u.Scheme != "mqtt" && u.Scheme != "ws" {
		return
	}
	var unused []string
	if m.CA != "" && ownCA {
		unused = append(unused, "ca")
	}
	if m.Cert != "" {
		unused = append(unused, "cert", "key")
	}
	switch n := len(unused); {
	case n == 1:
		d.Warn(at, "endpoint: %s:// is not encrypted, so ca is not used; write %ss://", u.Scheme, u.Scheme)
	case n > 1:
		d.Warn(at, "endpoint: %s:// is not encrypted, so %s and key are not used; write %ss://", u.Scheme, strings.Join(unused[:n-1], ", "), u.Scheme)
	case password && !loopback(u.Hostname()):
		d.Warn(at, "endpoint: %s:// is not encrypted, so every host on the way can read the password; write %ss:// if the broker can", u.Scheme, u.Scheme)
	}
}

// otherPort has the ports that brokers use for the scheme that an endpoint does not
// have. HOST:1883 without a scheme is mqtts://HOST:1883.
var otherPort = map[string]string{"mqtts:1883": "mqtt", "mqtt:8883": "mqtts"}

// normalEndpoint checks a broker's URL. A host without a scheme, as AWS shows
// its endpoints, means mqtts on port 8883.
func normalEndpoint(s string) (string, error) {
	const hint = "write mqtts://HOST:8883 or mqtt://HOST:1883"
	bare := !strings.Contains(s, "://")
	if bare {
		s = "mqtts://" + s
	}
	s = endpoint.Spell(s)
	_, err := endpoint.Parse(s)
	var wrong *endpoint.Error
	if !errors.As(err, &wrong) {
		host := strings.TrimPrefix(s, "mqtts://")
		if bare && strings.LastIndexByte(host, ':') <= strings.LastIndexByte(host, ']') {
			s += ":8883"
		}
		return s, nil
	}
	switch wrong.Rule {
	case endpoint.Brackets:
		return "", fmt.Errorf("an IPv6 address with a port needs brackets; write mqtts://[::1]:8883")
	case endpoint.User:
		return "", fmt.Errorf("user and password do not belong into the URL; use username and password_file")
	case endpoint.Scheme:
		scheme, _, _ := strings.Cut(s, "://")
		return "", fmt.Errorf("scheme %s is none of mqtt, mqtts, ws, wss; %s", conf.Quote(scheme), hint)
	case endpoint.Host:
		return "", fmt.Errorf("%s has no host; %s", conf.Quote(s), hint)
	case endpoint.Rest:
		return "", fmt.Errorf("%s has something after the host; %s", conf.Quote(s), hint)
	case endpoint.Port:
		port, _, _ := strings.Cut(s[strings.LastIndexByte(s, ':')+1:], "/")
		return "", fmt.Errorf("port %s is not from 1 to 65535", conf.Quote(port))
	}
	// The cause could repeat the URL, and with it a password in it.
	return "", fmt.Errorf("this is not a URL; %s", hint)
}

// clientIDs refuses two connections under one name: the broker would throw
// them off in turn.
func (d *checker) clientIDs(c *Config) {
	seen := map[[2]string]string{}
	c.Connections(func(m *MQTT, path string) {
		if m.ClientID == "" || path == "mqtt" && !needsShared(c) {
			return
		}
		id := [2]string{m.Endpoint, m.ClientID}
		if other, again := seen[id]; again {
			d.Bad(conf.Join(path, "client_id"), "client_id %s is also that of %s; a broker keeps one connection for each", conf.Quote(m.ClientID), other)
			return
		}
		seen[id] = "the shared connection"
		if path != "mqtt" {
			seen[id] = "another thing"
		}
	})
}
