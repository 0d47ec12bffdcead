// Package endpoint reads where a broker listens and how it is spoken to:
//
//	mqtt://HOST[:1883]            mqtts://HOST[:8883]
//	ws://HOST[:80][/PATH]         wss://HOST[:443][/PATH]
//
// It is a package of its own, apart from dial, because reading an endpoint needs no
// network: the configuration, the commands and the limits of a broker read endpoints, too.
package endpoint

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"pithings/quietlog"
)

// Endpoint is where a broker listens and how it is spoken to.
type Endpoint struct {
	Scheme string // mqtt, mqtts, ws or wss
	Host   string // a name or an address, without brackets
	Port   uint16
	Path   string // of ws and wss; begins with a slash
	Query  string // of ws and wss; may hold a signature, so it is never printed
}

// Rule is what a text that is no endpoint breaks.
type Rule int

// The rules.
const (
	Unreadable Rule = iota // it is a URL
	Scheme                 // its scheme is one of mqtt, mqtts, ws and wss
	User                   // it holds no user name
	Host                   // it names a host
	Port                   // its port is from 1 to 65535
	Brackets               // an IPv6 address with a port has brackets
	Rest                   // only ws and wss have a path and a query, and none has a fragment
)

// Error says in one line why a text is no endpoint, and what to write. It holds no secrets.
type Error struct {
	Rule Rule
	Line string
}

func (e *Error) Error() string { return e.Line }

func wrong(rule Rule, format string, args ...any) error {
	return &Error{rule, quietlog.OneLine(fmt.Sprintf(format, args...))}
}

// schemes maps what people write to what is meant.
var schemes = map[string]struct {
	name string
	port uint16
}{
	"mqtt": {"mqtt", 1883}, "tcp": {"mqtt", 1883},
	"mqtts": {"mqtts", 8883}, "ssl": {"mqtts", 8883}, "tls": {"mqtts", 8883}, "tcps": {"mqtts", 8883}, "mqtt+ssl": {"mqtts", 8883},
	"ws": {"ws", 80}, "wss": {"wss", 443},
}

// Parse reads mqtt://HOST[:1883], mqtts://HOST[:8883],
// ws://HOST[:80][/PATH] or wss://HOST[:443][/PATH], and what Spell makes one of
// these. The path of a WebSocket is /mqtt unless it is given, be it / alone.
func Parse(s string) (Endpoint, error) {
	if s == "" {
		return Endpoint{}, wrong(Unreadable, "no endpoint is given: write one like mqtts://HOST or mqtt://127.0.0.1:1883")
	}
	if len(s) > 4096 {
		return Endpoint{}, wrong(Unreadable, "the endpoint has %d characters: write one like mqtts://HOST", len(s))
	}
	if !strings.Contains(s, "://") {
		return Endpoint{}, wrong(Scheme, "endpoint %q has no scheme: write mqtts://%s (encrypted) or mqtt://%s", quietlog.Short(s), quietlog.Short(s), quietlog.Short(s))
	}
	if s = Spell(s); unclearPort(s) {
		return Endpoint{}, wrong(Brackets, "the endpoint cannot be read: an IPv6 address with a port needs brackets: write one like mqtt://[::1]:1883")
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
		return Endpoint{}, wrong(Unreadable, "the endpoint cannot be read (%s): write one like mqtts://HOST:8883", why)
	}
	kind, ok := schemes[strings.ToLower(u.Scheme)]
	switch {
	case !ok:
		return Endpoint{}, wrong(Scheme, "endpoint scheme %q is not known: use mqtt, mqtts, ws or wss", quietlog.Short(u.Scheme))
	case u.User != nil:
		return Endpoint{}, wrong(User, "the endpoint holds a user name: give username and password by their own settings, where they are not printed")
	case u.Hostname() == "":
		return Endpoint{}, wrong(Host, "endpoint %s:// names no host: write %s://HOST", kind.name, kind.name)
	case u.Fragment != "":
		return Endpoint{}, wrong(Rest, "the endpoint holds a #: leave it and what follows out")
	}
	e := Endpoint{Scheme: kind.name, Host: u.Hostname(), Port: kind.port}
	if err := checkHost(e.Host); err != nil {
		return Endpoint{}, err
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return Endpoint{}, wrong(Port, "endpoint port %q is not a port: use 1 to 65535", quietlog.Short(p))
		}
		e.Port = uint16(n)
	}
	if !e.WebSocket() {
		if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
			return Endpoint{}, wrong(Rest, "endpoint %s has a path, which only ws:// and wss:// know: leave it out", e)
		}
		return e, nil
	}
	e.Path, e.Query = u.EscapedPath(), u.RawQuery
	if e.Path == "" {
		e.Path = "/mqtt"
	}
	return e, nil
}

// Spell writes an endpoint's URL as it has to be: the scheme by our own name, of which
// Telegraf and the paho libraries have others (tcp, ssl, tls, tcps, mqtt+ssl); an IPv6
// address in brackets; a zone escaped (RFC 6874: [fe80::1%25eth0]). All else, and what is
// no URL, is returned as it is.
func Spell(endpoint string) string {
	scheme, rest, ok := strings.Cut(endpoint, "://")
	if !ok {
		return endpoint
	}
	if kind, known := schemes[strings.ToLower(scheme)]; known {
		scheme = kind.name
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return scheme + "://" + spellHost(rest[:end]) + rest[end:]
}

// spellHost does it for host and port.
func spellHost(host string) string {
	escape := func(address string) string {
		if before, zone, ok := strings.Cut(address, "%"); ok && !strings.HasPrefix(zone, "25") {
			return before + "%25" + zone
		}
		return address
	}
	if end := strings.LastIndexByte(host, ']'); end > 0 && host[0] == '[' {
		return "[" + escape(host[1:end]) + host[end:]
	}
	address := strings.Replace(host, "%25", "%", 1)
	if a, err := netip.ParseAddr(address); err == nil && a.Is6() && !withPort(address) {
		return "[" + escape(address) + "]"
	}
	return host
}

// withPort reports whether an IPv6 address without brackets was probably meant to end in a
// port: ::1:1883.
func withPort(address string) bool {
	i := strings.LastIndexByte(address, ':')
	port := address[i+1:]
	_, err := netip.ParseAddr(address[:max(i, 0)])
	return err == nil && len(port) >= 4 && strings.Trim(port, "0123456789") == ""
}

// unclearPort reports whether an endpoint has an IPv6 address without brackets, and
// probably a port behind it.
func unclearPort(endpoint string) bool {
	_, rest, _ := strings.Cut(endpoint, "://")
	host, _, _ := strings.Cut(rest, "/")
	return !strings.ContainsAny(host, "[@") && strings.Count(host, ":") > 1
}

// checkHost refuses what no resolver could make sense of, so that a typing error
// is reported at once and not as a failing lookup.
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
		return wrong(Host, "endpoint host %q is neither a name nor an address", quietlog.Short(host))
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
// alone shows.
func (e Endpoint) Loopback() bool {
	if strings.EqualFold(e.Host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(e.Host)
	return err == nil && a.IsLoopback()
}

// String returns the endpoint as a URL with its port and without its query.
func (e Endpoint) String() string { return e.Scheme + "://" + e.Addr() + e.Path }

// OtherScheme returns the same endpoint with encryption, or without it.
func (e Endpoint) OtherScheme() Endpoint {
	e.Scheme = map[string]string{"mqtt": "mqtts", "mqtts": "mqtt", "ws": "wss", "wss": "ws"}[e.Scheme]
	return e
}

// OtherPort is OtherScheme on the port that is usual for it.
func (e Endpoint) OtherPort() Endpoint {
	usual := e.Port == schemes[e.Scheme].port
	e = e.OtherScheme()
	if usual {
		e.Port = schemes[e.Scheme].port
	}
	return e
}

// URL returns what a WebSocket client dials.
func (e Endpoint) URL() string {
	s := e.Scheme + "://" + strings.Replace(e.Addr(), "%", "%25", 1) + e.Path // a zone is escaped (RFC 6874)
	if e.Query != "" {
		s += "?" + e.Query
	}
	return s
}
