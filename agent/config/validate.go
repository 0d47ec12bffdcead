package config

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"pithings/flow"
	"pithings/things"
)

// roles are the things that each built-in flow needs, by role.
var roles = map[string]map[string]string{
	SecurityFlow: {"motionSensor": MotionType, "camera": CameraType, "screen": ScreenType},
}

// validate checks what no single value shows, and fills in what depends on
// other values.
func (d *decoder) validate(c *Config) {
	// What is missing may just have been misspelt or misplaced.
	complete := d.problems.count() == 0 && !d.partial
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
			if err := things.Extra(t.Extra).Validate(); err != nil {
				d.bad(fmt.Sprintf("things[%d].extra", i), "%v", err)
			}
			if t.Motion != nil && t.Motion.TimeKey != "" {
				key := t.Motion.TimeKey
				if _, twice := t.Extra[key]; twice || (things.Extra{key: ""}).Validate() != nil {
					d.bad(fmt.Sprintf("things[%d].time_key", i), "time_key: the payload has the key %s already; choose another", quote(key))
				}
			}
			if t.Screen != nil {
				d.fetch(&t.Screen.Fetch, fmt.Sprintf("things[%d].fetch", i))
			}
		}
	}
	d.topics(c)
	d.nets(c.Services.AllowNets, "services", "allow_nets")
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
	d.nets(f.AllowNets, path, "allow_nets")
	d.nets(f.DenyNets, path, "deny_nets")
}

func (d *decoder) nets(list []string, path, key string) {
	for i, n := range list {
		if _, err := netip.ParsePrefix(n); err != nil {
			d.bad(fmt.Sprintf("%s.%s[%d]", path, key, i), "%s: %s is not a network; write 192.168.0.0/16 or fd00::/8, one address with /32 or /128", key, quote(n))
		}
	}
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
	if strings.ContainsAny(f.Shared, "/+#") {
		d.bad(join(path, "shared"), "shared: %s has a slash or a wildcard; write a name without / + #", quote(f.Shared))
	}
	if f.Shared != "" && f.Carrier == CarrierLocal {
		d.bad(join(path, "carrier"), "carrier local: the events of a shared flow come from the broker; write broker, or leave it out")
	}
	_, tried := d.places[join(path, "builtin")]
	if f.File != "" {
		d.flowFile(f, path, tried && f.Builtin != "")
		return
	}
	if f.Builtin == "" {
		if !tried {
			d.bad(path, "flow has neither builtin nor file; the built-in flow is %s", SecurityFlow)
		}
		return
	}
	if f.Carrier == "" {
		f.Carrier = CarrierBroker
	}
	if f.Name == "" {
		f.Name = f.Builtin
	}
	needed := roles[f.Builtin]
	for _, role := range slices.Sorted(maps.Keys(f.Things)) {
		at := join(path, "things."+role)
		kind, ok := needed[role]
		if !ok {
			d.bad(at, "%s has no role %s%s", f.Builtin, quote(role), flow.Suggest(role, slices.Sorted(maps.Keys(needed))))
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

// flowFile checks what is said about a flow in a file of its own, which is read
// when the agent starts.
func (d *decoder) flowFile(f *Flow, path string, builtin bool) {
	if builtin {
		d.bad(join(path, "file"), "flow has both builtin and file; leave one of them out")
	}
	if _, given := d.places[join(path, "when")]; given {
		d.bad(join(path, "when"), "when is for the built-in flow; a file has its own triggers")
	}
	if _, given := d.places[join(path, "timeout")]; !given {
		f.Timeout = Duration{}
	}
	for _, role := range slices.Sorted(maps.Keys(f.Things)) {
		if err := checkThingName(f.Things[role]); err != nil {
			d.bad(join(path, "things."+role), "role %s: %v", role, err)
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
		d.bad(path, "role %s needs a thing of type %s, and %s is of type %s", role, kind, quote(name), t.Type)
	case t != nil:
	case checkThingName(name) != nil:
		d.bad(path, "role %s: %v", role, checkThingName(name))
	default:
		var known []string
		for _, t := range c.Things {
			known = append(known, t.Name)
		}
		hint := ""
		if near := flow.Nearest(name, known); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		if f.Carrier == CarrierLocal {
			d.bad(path, "role %s: there is no thing %s here, and carrier local needs one%s", role, quote(name), hint)
		} else if len(known) > 0 {
			d.warn(path, "role %s: thing %s is not in this file, so another process has to serve it%s", role, quote(name), hint)
		}
	}
}
