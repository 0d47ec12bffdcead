package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/conf"
	"pithings/conf/suggest"
)

// role is a part in a flow, and the type of the things that can play it.
type role struct{ name, kind string }

// rolesIn returns the roles of a built-in flow, sorted.
func rolesIn(builtin string) []role {
	if builtin == SecurityFlow {
		return []role{{"camera", "camera"}, {"motionSensor", "motion"}, {"screen", "screen"}}
	}
	return nil
}

func (d *checker) flow(c *Config, f *Flow, path string) {
	if strings.ContainsAny(f.Shared, "/+#") {
		d.Bad(conf.Join(path, "shared"), "shared: %s has a slash or a wildcard; write a name without / + #", conf.Quote(f.Shared))
	}
	if f.Shared != "" && f.Carrier == CarrierLocal {
		d.Bad(conf.Join(path, "carrier"), "carrier local: the events of a shared flow come from the broker; write broker, or leave it out")
	}
	tried := d.Given(conf.Join(path, "builtin"))
	if f.File != "" {
		d.flowFile(f, path, tried && f.Builtin != "")
		return
	}
	if f.Builtin == "" {
		if !tried {
			d.Bad(path, "flow has neither builtin nor file; the built-in flow is %s", SecurityFlow)
		}
		return
	}
	if f.Carrier == "" {
		f.Carrier = CarrierBroker
	}
	if f.Name == "" {
		f.Name = f.Builtin
	}
	needed := rolesIn(f.Builtin)
	var names []string
	for _, r := range needed {
		names = append(names, r.name)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Things)) {
		at := conf.Join(path, "things."+name)
		if i := slices.Index(names, name); i >= 0 {
			d.player(c, f, name, needed[i].kind, at)
		} else {
			d.Bad(at, "%s has no role %s%s", f.Builtin, conf.Quote(name), suggest.From(name, names))
		}
	}
	for _, name := range names {
		if _, ok := f.Things[name]; !ok {
			d.Bad(conf.Join(path, "things"), "%s needs a thing for its role %s", f.Builtin, name)
		}
	}
}

// flowFile checks what is said about a flow in a file of its own, which is read
// when the agent starts.
func (d *checker) flowFile(f *Flow, path string, builtin bool) {
	if builtin {
		d.Bad(conf.Join(path, "file"), "flow has both builtin and file; leave one of them out")
	}
	if given := d.Given(conf.Join(path, "when")); given {
		d.Bad(conf.Join(path, "when"), "when is for the built-in flow; a file has its own triggers")
	}
	if given := d.Given(conf.Join(path, "timeout")); !given {
		f.Timeout = conf.Duration{}
	}
	for _, role := range slices.Sorted(maps.Keys(f.Things)) {
		if err := checkThingName(f.Things[role]); err != nil {
			d.Bad(conf.Join(path, "things."+role), "role %s: %v", role, err)
		}
	}
}

// player checks the thing that plays a role. It may live in another process,
// unless the carrier is local.
func (d *checker) player(c *Config, f *Flow, role, kind, path string) {
	name := f.Things[role]
	t := c.Thing(name)
	switch {
	case t != nil && t.Type == "": // reported already
	case t != nil && t.Type != kind:
		d.Bad(path, "role %s needs a thing of type %s, and %s is of type %s", role, kind, conf.Quote(name), t.Type)
	case t != nil:
	case checkThingName(name) != nil:
		d.Bad(path, "role %s: %v", role, checkThingName(name))
	default:
		var known []string
		for _, t := range c.Things {
			known = append(known, t.Name)
		}
		hint := ""
		if near := suggest.Nearest(name, known); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		if f.Carrier == CarrierLocal {
			d.Bad(path, "role %s: there is no thing %s here, and carrier local needs one%s", role, conf.Quote(name), hint)
		} else if len(known) > 0 {
			d.Warn(path, "role %s: thing %s is not in this file, so another process has to serve it%s", role, conf.Quote(name), hint)
		}
	}
}
