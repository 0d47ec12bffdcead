package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// roles are the things that each built-in flow needs, by role.
var roles = map[string]map[string]string{
	SecurityFlow: {"motionSensor": MotionType, "camera": CameraType, "screen": ScreenType},
}

// validate checks what no single value shows, and fills in what depends on
// other values.
func (d *decoder) validate(c *Config) {
	// What is missing may just have been misspelt or misplaced.
	complete := d.problems.count() == 0
	d.servers(c)
	c.connections(func(m *MQTT, path string) {
		d.mqtt(m, path)
		if complete && m.Endpoint == "" && c.Broker.Listen == "" && (path != "mqtt" || needsShared(c)) {
			d.bad(path, "mqtt.endpoint is missing; name the broker (mqtts://HOST:8883), or set broker.listen to run the embedded one")
		}
	})
	d.clientIDs(c)
	if complete && len(c.Things) == 0 && len(c.Flows) == 0 {
		d.bad("things", "there is nothing to do: give things, flows or both")
	}
	d.names(c)
	for i := range c.Things {
		if t := &c.Things[i]; t.Type != "" {
			d.device(c, i)
			if t.Screen != nil {
				d.fetch(&t.Screen.Fetch, fmt.Sprintf("things[%d].fetch", i))
			}
		}
	}
	d.topics(c)
	for i := range c.Flows {
		d.flow(c, &c.Flows[i], fmt.Sprintf("flows[%d]", i))
	}
}

func (d *decoder) bad(path, format string, args ...any) {
	d.problems.add(d.problem(path, format, args...))
}

func (d *decoder) warn(path, format string, args ...any) {
	d.warnings = append(d.warnings, d.problem(path, format, args...))
}

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
	if c.Broker.Listen == c.HTTP.Listen {
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
	if check("reconnect") {
		at := join(path, "reconnect")
		if m.Reconnect.Min.Duration > m.Reconnect.Max.Duration {
			d.bad(join(at, "min"), "reconnect: min (%s) is longer than max (%s)", m.Reconnect.Min, m.Reconnect.Max)
		}
		if m.Reconnect.Stable.Duration <= m.Reconnect.Min.Duration {
			d.bad(join(at, "stable"), "reconnect: stable (%s) must be longer than min (%s)", m.Reconnect.Stable, m.Reconnect.Min)
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

func (d *decoder) names(c *Config) {
	seen := map[string]bool{}
	for i, t := range c.Things {
		path := fmt.Sprintf("things[%d].name", i)
		if t.Type == "" { // told already
			continue
		}
		if err := checkThingName(t.Name); err != nil {
			d.bad(path, "%v", err)
		} else if seen[t.Name] {
			d.bad(path, "there are two things named %s; names must differ", quote(t.Name))
		}
		seen[t.Name] = true
	}
}

// simulated is the name of a part that is to be simulated.
const simulated = "mock"

// device checks where thing i is wired, and that no other thing is there.
func (d *decoder) device(c *Config, i int) {
	t := &c.Things[i]
	key, where := wired(t)
	path := fmt.Sprintf("things[%d].%s", i, key)
	switch {
	case where == "" && key == "pin":
		d.bad(path, "thing %s has no pin; write the line's name, for example pin: GPIO17", quote(t.Name))
	case where == "":
		d.bad(path, "%s is empty", key)
	case key == "pin" && strings.Trim(where, "0123456789") == "":
		d.bad(path, "pin: %s is a number; write the line's name, GPIO%s for BCM line %s", quote(where), where, where)
	}
	if where == "" || where == simulated {
		return
	}
	for j := range i {
		if o := &c.Things[j]; sameDevice(o, t) {
			d.bad(path, "%s %s is already that of thing %s", key, where, quote(o.Name))
			return
		}
	}
}

// wired returns the key that says where a thing is, and its value.
func wired(t *Thing) (key, where string) {
	switch {
	case t.Motion != nil:
		return "pin", t.Motion.Pin
	case t.Environment != nil:
		return "bus", t.Environment.Bus
	case t.Camera != nil:
		return "device", t.Camera.Device
	case t.Screen != nil:
		return "device", t.Screen.Device
	}
	return "", ""
}

func sameDevice(a, b *Thing) bool {
	_, at := wired(a)
	_, bt := wired(b)
	if a.Type != b.Type || at != bt {
		return false
	}
	if a.Environment == nil { // a bus serves several sensors
		return true
	}
	x, y := a.Environment.Address, b.Environment.Address
	return x == y || x == 0 || y == 0
}

func (d *decoder) fetch(f *Fetch, path string) {
	for i, dir := range f.AllowFiles {
		if !filepath.IsAbs(dir) && !strings.HasPrefix(dir, "/") {
			d.bad(fmt.Sprintf("%s.allow_files[%d]", path, i), "allow_files: %s is not a full path; begin with /", quote(dir))
		}
	}
	nets := func(list []string, key string) {
		for i, n := range list {
			if _, err := netip.ParsePrefix(n); err != nil {
				d.bad(fmt.Sprintf("%s.%s[%d]", path, key, i), "%s: %s is not a network; write 192.168.0.0/16 or fd00::/8, one address with /32 or /128", key, quote(n))
			}
		}
	}
	nets(f.AllowNets, "allow_nets")
	nets(f.DenyNets, "deny_nets")
}

// topics checks what becomes of the templates; two things on one topic would
// answer for each other.
func (d *decoder) topics(c *Config) {
	type user struct{ thing, role string }
	seen := map[string]user{}
	for i := range c.Things {
		t := &c.Things[i]
		if t.Type == "" || checkThingName(t.Name) != nil {
			continue
		}
		for _, role := range rolesOf(t.Type) {
			path := fmt.Sprintf("things[%d].topics.%s", i, role)
			if err := checkTemplate(t.Topics[role], t.Name); err != nil {
				d.bad(path, "%s: %v", role, err)
				continue
			}
			topic := t.Topic(role)
			if other, again := seen[topic]; again && (other.thing != t.Name || other.role != role) {
				d.bad(path, "topic %s of thing %s is also the topic %s of thing %s; topics must differ", quote(topic), quote(t.Name), other.role, quote(other.thing))
				continue
			}
			seen[topic] = user{t.Name, role}
		}
	}
}

func (d *decoder) flow(c *Config, f *Flow, path string) {
	if f.Builtin == "" {
		if _, tried := d.places[join(path, "builtin")]; !tried {
			d.bad(path, "flow has no builtin; the built-in flow is %s", SecurityFlow)
		}
		return
	}
	if f.Name == "" {
		f.Name = f.Builtin
	}
	needed := roles[f.Builtin]
	for _, role := range slices.Sorted(maps.Keys(f.Things)) {
		at := join(path, "things."+role)
		kind, ok := needed[role]
		if !ok {
			d.bad(at, "%s has no role %s%s", f.Builtin, quote(role), suggest(role, slices.Sorted(maps.Keys(needed))))
			continue
		}
		d.player(c, f, role, kind, at)
	}
	for _, role := range slices.Sorted(maps.Keys(needed)) {
		if _, ok := f.Things[role]; !ok {
			d.bad(join(path, "things"), "%s needs a thing for its role %s", f.Builtin, role)
		}
	}
}

// player checks the thing that plays a role. It may live in another process,
// unless the carrier is local.
func (d *decoder) player(c *Config, f *Flow, role, kind, path string) {
	name := f.Things[role]
	t := c.Thing(name)
	switch {
	case t != nil && t.Type == "": // told already
	case t != nil && t.Type != kind:
		d.bad(path, "role %s needs a %s, and thing %s is a %s", role, kind, quote(name), t.Type)
	case t != nil:
	case checkThingName(name) != nil:
		d.bad(path, "role %s: %v", role, checkThingName(name))
	default:
		var known []string
		for _, t := range c.Things {
			known = append(known, t.Name)
		}
		hint := ""
		if near := nearest(name, known); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		if f.Carrier == CarrierLocal {
			d.bad(path, "role %s: there is no thing %s here, and carrier local needs one%s", role, quote(name), hint)
		} else if len(known) > 0 {
			d.warn(path, "role %s: thing %s is not in this file, so another process has to serve it%s", role, quote(name), hint)
		}
	}
}
