package mqttlink

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Endpoint is where a broker listens and how it is spoken to.
type Endpoint struct {
	Scheme string // mqtt, mqtts, ws or wss
	Host   string // a name or an address, without brackets
	Port   uint16
	Path   string // of ws and wss; begins with a slash
	Query  string // of ws and wss; may hold a signature, so it is never printed
}

// schemes maps what people write to what is meant.
var schemes = map[string]struct {
	name string
	port uint16
}{
	"mqtt": {"mqtt", 1883}, "tcp": {"mqtt", 1883},
	"mqtts": {"mqtts", 8883}, "ssl": {"mqtts", 8883}, "tls": {"mqtts", 8883},
	"ws": {"ws", 80}, "wss": {"wss", 443},
}

// ParseEndpoint reads mqtt://HOST[:1883], mqtts://HOST[:8883],
// ws://HOST[:80][/PATH] or wss://HOST[:443][/PATH]. tcp is taken for mqtt, ssl
// and tls for mqtts. The path of a WebSocket is /mqtt unless it is given.
func ParseEndpoint(s string) (Endpoint, error) {
	if s == "" {
		return Endpoint{}, fault(BadEndpoint, nil, "no endpoint is given: write one like mqtts://HOST or mqtt://127.0.0.1:1883")
	}
	if len(s) > 4096 {
		return Endpoint{}, fault(BadEndpoint, nil, "the endpoint has %d characters: write one like mqtts://HOST", len(s))
	}
	if !strings.Contains(s, "://") {
		return Endpoint{}, fault(BadEndpoint, nil, "endpoint %q has no scheme: write mqtts://%s (encrypted) or mqtt://%s", clip(s), clip(s), clip(s))
	}
	u, err := url.Parse(s)
	if err != nil {
		// url's error repeats the whole text, which may hold a password.
		why := "it is not a URL"
		if e, ok := err.(*url.Error); ok {
			why = e.Err.Error()
		}
		if strings.Contains(s, "@") {
			why = "it is not a URL"
		}
		return Endpoint{}, fault(BadEndpoint, nil, "the endpoint cannot be read (%s): write one like mqtts://HOST:8883", why)
	}
	kind, ok := schemes[strings.ToLower(u.Scheme)]
	switch {
	case !ok:
		return Endpoint{}, fault(BadEndpoint, nil, "endpoint scheme %q is not known: use mqtt, mqtts, ws or wss", clip(u.Scheme))
	case u.User != nil:
		return Endpoint{}, fault(BadEndpoint, nil, "the endpoint holds a user name: give username and password by their own settings, where they are not printed")
	case u.Hostname() == "":
		return Endpoint{}, fault(BadEndpoint, nil, "endpoint %s:// names no host: write %s://HOST", kind.name, kind.name)
	case u.Fragment != "":
		return Endpoint{}, fault(BadEndpoint, nil, "the endpoint holds a #: leave it and what follows out")
	}
	e := Endpoint{Scheme: kind.name, Host: u.Hostname(), Port: kind.port}
	if err := checkHost(e.Host); err != nil {
		return Endpoint{}, err
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return Endpoint{}, fault(BadEndpoint, nil, "endpoint port %q is not a port: use 1 to 65535", clip(p))
		}
		e.Port = uint16(n)
	}
	if !e.WebSocket() {
		if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
			return Endpoint{}, fault(BadEndpoint, nil, "endpoint %s has a path, which only ws:// and wss:// know: leave it out", e)
		}
		return e, nil
	}
	e.Path, e.Query = u.EscapedPath(), u.RawQuery
	if e.Path == "" || e.Path == "/" {
		e.Path = "/mqtt"
	}
	return e, nil
}

// checkHost refuses what no resolver could make sense of, so that a typing error
// is told at once and not as a failing lookup.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	bad := len(host) > 253
	for _, r := range host {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|#%[]@,;`, r) {
			bad = true
		}
	}
	if bad {
		return fault(BadEndpoint, nil, "endpoint host %q is neither a name nor an address", clip(host))
	}
	return nil
}

// TLS reports whether the connection is encrypted.
func (e Endpoint) TLS() bool { return e.Scheme == "mqtts" || e.Scheme == "wss" }

// WebSocket reports whether MQTT travels in a WebSocket.
func (e Endpoint) WebSocket() bool { return e.Scheme == "ws" || e.Scheme == "wss" }

// Addr returns host:port, as net.Dial takes it.
func (e Endpoint) Addr() string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }

// Loopback reports whether the broker is on this machine, as far as the name
// alone tells.
func (e Endpoint) Loopback() bool {
	if strings.EqualFold(e.Host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(e.Host)
	return err == nil && a.IsLoopback()
}

// String returns the endpoint as a URL with its port and without its query.
func (e Endpoint) String() string { return e.Scheme + "://" + e.Addr() + e.Path }

// url returns what a WebSocket client dials.
func (e Endpoint) url() string {
	s := e.String()
	if e.Query != "" {
		s += "?" + e.Query
	}
	return s
}

// clip shortens what came from outside to what a log line can bear.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%s…", strings.ToValidUTF8(s[:most], "?"))
	}
	return s
}
