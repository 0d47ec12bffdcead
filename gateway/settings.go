package gateway

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"pithings/conf"
	"pithings/gateway/collect"
	"pithings/gateway/field"
	"pithings/gateway/rule"
	"pithings/mqttlink/topic"
)

// Settings are what a configuration says of the gateway.
type Settings struct {
	Params    map[string]string   `json:"params,omitempty" change:"afar" jsonschema:"global parameters: ${NAME} in topics, and for scripts"`
	Devices   []field.Device      `json:"devices" jsonschema:"names of things, as files and scripts of Device Supervisor have them; a thing is a device under its own name, too"`
	Variables []collect.Variable  `json:"variables" jsonschema:"the values that are collected"`
	Groups    []collect.Group     `json:"groups" jsonschema:"collection groups and alarm groups; the group default is polled every 10s unless it is here, and an alarm group need not be here"`
	Alarms    []collect.AlarmRule `json:"alarms" jsonschema:"when a value is an alarm"`
	Publish   []rule.Publish      `json:"publish" jsonschema:"publish rules: what is published of the groups"`
	Subscribe []rule.Subscribe    `json:"subscribe" jsonschema:"subscribe rules: what is done with messages"`
	Functions []rule.Function     `json:"functions" jsonschema:"scripts that run at an interval, for messages, or at the start"`
	Eventbus  bool                `json:"eventbus" default:"false" change:"afar" jsonschema:"whether rounds and alarms are also published on ds2/eventbus/…, as Device Supervisor 2 does on its local bus"`
	Limits    rule.Limits         `json:"limits" jsonschema:"what one call of a script may take"`
	Columns   map[string]string   `json:"columns,omitempty" change:"afar" jsonschema:"what a file of Device Supervisor says beyond all this; kept for its export"`
}

// Used reports whether there is anything for a gateway to do.
func (s *Settings) Used() bool {
	return len(s.Variables)+len(s.Alarms)+len(s.Publish)+len(s.Subscribe)+len(s.Functions) > 0
}

// defaultGroup is a group that there always is, as in Device Supervisor.
const defaultGroup = "default"

// groups are those of the settings, and the default one.
func (s *Settings) groups() []collect.Group {
	if slices.ContainsFunc(s.Groups, func(g collect.Group) bool { return g.Name == defaultGroup }) {
		return s.Groups
	}
	return append(slices.Clip(s.Groups), collect.Group{Name: defaultGroup, Polling: conf.Duration{Duration: 10 * time.Second}})
}

// Equal reports whether two settings are the same.
func (s *Settings) Equal(other *Settings) bool { return reflect.DeepEqual(s, other) }

// Report reports what is wrong with the value at a path such as publish[0].topic.
type Report func(path, format string, args ...any)

// Check reports what no single key shows. params are the global parameters that the gateway
// has beside its own.
func (s *Settings) Check(report Report, params *rule.Params) {
	names := checkNames(report)
	for i := range s.Devices {
		required(report, "devices", i, &s.Devices[i])
		names("devices", i, s.Devices[i].Name)
	}
	for i := range s.Groups {
		required(report, "groups", i, &s.Groups[i])
		names("groups", i, s.Groups[i].Name)
	}
	for i := range s.Alarms {
		s.checkAlarm(report, names, i)
	}
	s.checkVariables(report)
	topics := checker{report, params}
	for i := range s.Publish {
		p := &s.Publish[i]
		at := fmt.Sprintf("publish[%d]", i)
		required(report, "publish", i, p)
		names("publish", i, p.Name)
		topics.publish(at+".topic", p.Topic)
		topics.script(at, &p.Script)
		for j, g := range p.Groups {
			if !s.hasGroup(g) {
				report(fmt.Sprintf("%s.groups[%d]", at, j), "there is no group %s; add it to groups, or to an alarm", conf.Quote(g))
			}
		}
		if len(p.Groups) == 0 {
			report(at, "publish rule %s has no groups, so that it never gets anything; give groups: [default]", conf.Quote(p.Name))
		}
	}
	for i := range s.Subscribe {
		r := &s.Subscribe[i]
		at := fmt.Sprintf("subscribe[%d]", i)
		required(report, "subscribe", i, r)
		names("subscribe", i, r.Name)
		topics.filter(at+".topic", r.Topic)
		topics.script(at, &r.Script)
		if r.None() {
			report(at, "subscribe rule %s has no script; give script: FILE or code", conf.Quote(r.Name))
		}
	}
	for i := range s.Functions {
		f := &s.Functions[i]
		at := fmt.Sprintf("functions[%d]", i)
		required(report, "functions", i, f)
		names("functions", i, f.Name)
		topics.script(at, &f.Script)
		switch {
		case f.None():
			report(at, "function %s has no script; give script: FILE or code", conf.Quote(f.Name))
		case f.Every.Duration == 0 && f.Topic == "" && !f.Startup:
			report(at, "function %s never runs; give every, topic or startup: true", conf.Quote(f.Name))
		case f.Every.Duration != 0 && f.Every.Duration < minEvery:
			report(at+".every", "every: %v is too often; at least %v", f.Every, minEvery)
		case f.Topic != "":
			topics.filter(at+".topic", f.Topic)
		}
	}
}

// required reports the keys that every item of a list has to have.
func required(report Report, list string, i int, item any) {
	for _, f := range conf.Fields(item) {
		if f.Required() && f.Value.IsZero() {
			report(fmt.Sprintf("%s[%d]", list, i), "%s: item %d has no %s", list, i+1, f.Key)
		}
	}
}

// minEvery is the shortest interval of a function.
const minEvery = 100 * time.Millisecond

// checkNames returns a function that reports a name that a list has twice.
func checkNames(report Report) func(list string, i int, name string) {
	seen := map[string]bool{}
	return func(list string, i int, name string) {
		key := list + "\x00" + name
		if name != "" && seen[key] {
			report(fmt.Sprintf("%s[%d].name", list, i), "there are two %s named %s; names must differ", list, conf.Quote(name))
		}
		seen[key] = true
	}
}

func (s *Settings) hasGroup(name string) bool {
	return slices.ContainsFunc(s.groups(), func(g collect.Group) bool { return g.Name == name }) ||
		slices.ContainsFunc(s.Alarms, func(a collect.AlarmRule) bool { return a.Group == name })
}

// collects reports whether a name is that of a collection group.
func (s *Settings) collects(name string) bool {
	return slices.ContainsFunc(s.groups(), func(g collect.Group) bool { return g.Name == name && g.Type != collect.Alarms })
}

func (s *Settings) checkVariables(report Report) {
	seen := map[[2]string]bool{}
	for i := range s.Variables {
		v := &s.Variables[i]
		required(report, "variables", i, v)
		at := fmt.Sprintf("variables[%d]", i)
		name := cmp.Or(v.Name, v.Value)
		switch key := [2]string{v.Device, name}; {
		case v.Expression != "" && v.Name == "":
			report(at, "a variable with an expression needs a name")
		case v.Expression != "" && v.Value != "":
			report(at+".expression", "variable %s has both value and expression; leave one of them out", conf.Quote(name))
		case name != "" && seen[key]:
			report(at+".name", "device %s has two variables %s; names must differ", conf.Quote(v.Device), conf.Quote(name))
		default:
			seen[key] = true
		}
		if (v.Mode != collect.Never || v.Expression != "") && !s.collects(v.Group) {
			what := "variable " + conf.Quote(name)
			if name == "" {
				what = "variables of device " + conf.Quote(v.Device)
			}
			report(at+".group", "%s: there is no group %s of variables; add it to groups", what, conf.Quote(v.Group))
		}
	}
}

func (s *Settings) checkAlarm(report Report, names func(string, int, string), i int) {
	a := &s.Alarms[i]
	at := fmt.Sprintf("alarms[%d]", i)
	required(report, "alarms", i, a)
	names("alarms", i, a.Name)
	if second := a.Combine == collect.And || a.Combine == collect.Or; second && a.Condition2 == "" {
		report(at+".combine", "alarm %s: combine: %s needs condition2 and operand2", conf.Quote(a.Name), a.Combine)
	}
	if s.collects(a.Group) {
		report(at+".group", "alarm %s: the group %s is one of variables; give alarms a group of their own", conf.Quote(a.Name), conf.Quote(a.Group))
	}
}

// checker checks topics and scripts.
type checker struct {
	report Report
	params *rule.Params
}

func (c *checker) expand(path, name string) (string, bool) {
	expanded, err := c.params.Expand(name)
	if err != nil {
		c.report(path, "%v", err)
	}
	return expanded, err == nil
}

func (c *checker) publish(path, name string) {
	if expanded, ok := c.expand(path, name); ok && name != "" {
		if err := topic.Check(expanded); err != nil {
			c.report(path, "%v", err)
		}
	}
}

func (c *checker) filter(path, name string) {
	if expanded, ok := c.expand(path, name); ok && name != "" {
		if err := topic.CheckFilter(expanded); err != nil {
			c.report(path, "%v", err)
		}
	}
}

func (c *checker) script(path string, s *rule.Script) {
	if s.File != "" && s.Code != "" {
		c.report(path+".code", "it has both script and code; leave one of them out")
	}
}

// scripts calls each for every script, with its path.
func (s *Settings) scripts(each func(path, rule, kind string, s *rule.Script)) {
	for i := range s.Publish {
		each(fmt.Sprintf("publish[%d]", i), s.Publish[i].Name, "publish", &s.Publish[i].Script)
	}
	for i := range s.Subscribe {
		each(fmt.Sprintf("subscribe[%d]", i), s.Subscribe[i].Name, "subscribe", &s.Subscribe[i].Script)
	}
	for i := range s.Functions {
		each(fmt.Sprintf("functions[%d]", i), s.Functions[i].Name, "function", &s.Functions[i].Script)
	}
}

// Scripts returns the texts of the scripts in files, by their paths; one that cannot be read
// has its error.
func (s *Settings) Scripts() map[string]string {
	all := map[string]string{}
	s.scripts(func(_, _, _ string, script *rule.Script) {
		if script.File != "" {
			text, err := script.Text()
			if err != nil {
				text = err.Error()
			}
			all[script.File] = text
		}
	})
	return all
}

// CheckScripts reports scripts that cannot be loaded, and expressions.
func (s *Settings) CheckScripts(report Report) {
	s.scripts(func(path, name, kind string, script *rule.Script) {
		if script.None() {
			return
		}
		if err := script.Check(name); err != nil {
			at := path + ".code"
			if script.File != "" {
				at = path + ".script"
			}
			report(at, "rule %s: %v", conf.Quote(name), err)
		}
	})
	for i := range s.Variables {
		if v := &s.Variables[i]; v.Expression != "" {
			if _, err := (&rule.Env{Limits: s.Limits}).Compute(v); err != nil {
				report(fmt.Sprintf("variables[%d].expression", i), "variable %s: %v", conf.Quote(v.Name), err)
			}
		}
	}
}
