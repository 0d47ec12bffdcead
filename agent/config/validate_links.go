package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (d *decoder) servers(c *Config) {
	if err := checkListen(c.HTTP.Listen); err != nil {
		d.bad("http.listen", "http.listen: %v", err)
	}
	if u := c.HTTP.BaseURL; u != "" {
		p, err := url.Parse(u)
		if err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Host == "" || p.User != nil || p.RawQuery != "" || p.Fragment != "" {
			d.bad("http.base_url", "http.base_url: %s is not a base URL; write http://HOST:8080 or https://HOST/PATH", quote(u))
		}
	}
	if c.Broker.Listen == "" {
		return
	}
	if err := checkListen(c.Broker.Listen); err != nil {
		d.bad("broker.listen", "broker.listen: %v", err)
	} else if !loopback(c.Broker.Listen) {
		d.warn("broker.listen", "broker.listen: the embedded broker asks for no password, and %s can be reached by other hosts", c.Broker.Listen)
	}
	if c.Broker.Listen == c.HTTP.Listen && !strings.HasSuffix(c.HTTP.Listen, ":0") {
		d.bad("broker.listen", "broker.listen and http.listen are both %s; give each its own port", c.HTTP.Listen)
	}
}

func checkListen(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s is not an address; write HOST:PORT, for example 127.0.0.1:8080", quote(address))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("%s has no port from 0 to 65535", quote(address))
	}
	if strings.ContainsAny(host, "/ ") {
		return fmt.Errorf("%s is not an address; write HOST:PORT without a scheme", quote(address))
	}
	return nil
}

// loopback tells whether a HOST:PORT or HOST is this computer for sure.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (d *decoder) mqtt(m *MQTT, path string) {
	given := func(key string) bool { _, ok := d.places[join(path, key)]; return ok }
	shared := path == "mqtt"
	// What a thing inherits has been checked once.
	check := func(keys ...string) bool { return shared || slices.ContainsFunc(keys, given) }

	if m.Endpoint != "" {
		if endpoint, err := normalEndpoint(m.Endpoint); err == nil {
			m.Endpoint = endpoint
		} else if check("endpoint") {
			d.bad(join(path, "endpoint"), "endpoint: %v", err)
		}
	}
	if check("cert", "key") {
		switch {
		case m.Cert != "" && m.Key == "":
			d.bad(join(path, "cert"), "cert needs key, the file with its private key")
		case m.Key != "" && m.Cert == "":
			d.bad(join(path, "key"), "key needs cert, the file with its certificate")
		}
	}
	if check("password", "password_file") && !m.Password.IsZero() && m.PasswordFile != "" {
		d.bad(join(path, "password_file"), "give password or password_file, not both")
	}
	hasPassword := !m.Password.IsZero() || m.PasswordFile != ""
	if check("username", "password", "password_file") && hasPassword && m.Username == "" {
		d.bad(join(path, "password"), "a password needs username too (MQTT 3.1.1)")
	}
	if check("endpoint", "password", "password_file", "cert") {
		d.plaintext(m, path, hasPassword)
	}
	if len(m.ClientID) > 65535 {
		d.bad(join(path, "client_id"), "client_id is longer than MQTT allows")
	}
	if check("keepalive") && m.Keepalive.Duration%time.Second != 0 {
		d.bad(join(path, "keepalive"), "keepalive: %s is not in whole seconds", m.Keepalive)
	}
	if check("reconnect") {
		at := join(path, "reconnect")
		if m.Reconnect.Min.Duration > m.Reconnect.Max.Duration {
			d.bad(join(at, "min"), "reconnect: min (%s) is longer than max (%s)", m.Reconnect.Min, m.Reconnect.Max)
		}
		if m.Reconnect.Stable.Duration <= m.Reconnect.Min.Duration {
			d.bad(join(at, "stable"), "reconnect: stable (%s) must be longer than min (%s)", m.Reconnect.Stable, m.Reconnect.Min)
		}
	}
	if check("history_topic") {
		if err := checkTopic(strings.ReplaceAll(m.HistoryTopic, "{topic}", "x")); err != nil {
			d.bad(join(path, "history_topic"), "history_topic: %v", err)
		}
	}
	if w := m.Will; w.Topic != "" {
		if err := checkTopic(w.Topic); err != nil {
			d.bad(join(path, "will.topic"), "will: %v", err)
		}
		if len(w.Payload) > 65535 {
			d.bad(join(path, "will.payload"), "will: payload is longer than MQTT allows")
		}
	} else if w != (Will{}) {
		d.bad(join(path, "will"), "will has no topic")
	}
}

// needsShared tells whether anything uses the shared connection.
func needsShared(c *Config) bool {
	if len(c.Flows) > 0 || len(c.Things) == 0 {
		return true
	}
	return slices.ContainsFunc(c.Things, func(t Thing) bool { return t.MQTT == nil })
}

func (d *decoder) plaintext(m *MQTT, path string, password bool) {
	u, err := url.Parse(m.Endpoint)
	if err != nil || u.Scheme != "mqtt" && u.Scheme != "ws" {
		return
	}
	if m.Cert != "" {
		d.warn(join(path, "endpoint"), "endpoint: %s:// is not encrypted, so cert and key are not used; write %ss://", u.Scheme, u.Scheme)
	} else if password && !loopback(u.Hostname()) {
		d.warn(join(path, "endpoint"), "endpoint: %s:// is not encrypted, so everybody on the way can read the password; write %ss:// if the broker can", u.Scheme, u.Scheme)
	}
}

// normalEndpoint checks a broker's URL. A host without a scheme, as AWS shows
// its endpoints, means mqtts on port 8883.
func normalEndpoint(s string) (string, error) {
	const hint = "write mqtts://HOST:8883 or mqtt://HOST:1883"
	bare := !strings.Contains(s, "://")
	if bare {
		s = "mqtts://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		// The cause would repeat the URL, and with it a password in it.
		return "", fmt.Errorf("this is not a URL; %s", hint)
	}
	switch {
	case u.User != nil:
		return "", fmt.Errorf("user and password do not belong into the URL; use username and password_file")
	case !slices.Contains([]string{"mqtt", "mqtts", "ws", "wss"}, u.Scheme):
		return "", fmt.Errorf("scheme %s is none of mqtt, mqtts, ws, wss; %s", quote(u.Scheme), hint)
	case u.Hostname() == "" || strings.ContainsAny(u.Hostname(), " \t\n"):
		return "", fmt.Errorf("%s has no host; %s", quote(s), hint)
	case u.Fragment != "" || !strings.HasPrefix(u.Scheme, "ws") && (u.Path != "" && u.Path != "/" || u.RawQuery != ""):
		return "", fmt.Errorf("%s has something after the host; %s", quote(s), hint)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("port %s is not from 1 to 65535", quote(port))
		}
	} else if bare {
		s += ":8883"
	}
	return s, nil
}

// clientIDs refuses two connections under one name: the broker would throw
// them off in turn.
func (d *decoder) clientIDs(c *Config) {
	seen := map[[2]string]string{}
	c.connections(func(m *MQTT, path string) {
		if m.ClientID == "" || path == "mqtt" && !needsShared(c) {
			return
		}
		id := [2]string{m.Endpoint, m.ClientID}
		if other, again := seen[id]; again {
			d.bad(join(path, "client_id"), "client_id %s is also that of %s; a broker keeps one connection for each", quote(m.ClientID), other)
			return
		}
		seen[id] = "the shared connection"
		if path != "mqtt" {
			seen[id] = "another thing"
		}
	})
}
