package flowyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"pithings/device"
	"pithings/flow"
)

// Print writes a file. What it writes reads back as the same, with two
// exceptions that mean the same: a literal text with "${" in it becomes the
// expression ${'…'}, and so does a small unsigned number (${10UL}).
func Print(f *File) ([]byte, error) {
	d := f.Deployment
	var m mapping
	single := len(d.Flows) == 1 && d.Flows[0].Definition.Name == d.Name && d.Description == "" && d.URN == ""
	m.text("name", d.Name)
	if !single {
		m.text("description", d.Description)
		m.text("urn", d.URN)
	} else {
		m.text("description", d.Flows[0].Definition.Description)
		m.text("urn", d.Flows[0].Definition.URN)
	}
	m.text("system", d.System)
	if !slices.EqualFunc(d.Things, implied(d), sameBinding) {
		m.add("things", things(d))
	}
	if len(d.Triggers) == 1 {
		m.add("trigger", trigger(d, &d.Triggers[0]))
	} else if len(d.Triggers) > 1 {
		var list []any
		for i := range d.Triggers {
			list = append(list, trigger(d, &d.Triggers[i]))
		}
		m.add("triggers", list)
	}
	if len(d.Vars) > 0 {
		var vars mapping
		for _, v := range d.Vars {
			vars.add(v.Name, v.Initial)
		}
		m.add("vars", vars)
	}
	m.duration("timeout", d.Timeout)
	m.text("shared", d.Shared)
	if single {
		flowKeysOf(&m, &d.Flows[0])
	} else {
		var list []any
		for i := range d.Flows {
			var one mapping
			def := d.Flows[i].Definition
			one.text("name", def.Name)
			one.text("description", def.Description)
			one.text("urn", def.URN)
			flowKeysOf(&one, &d.Flows[i])
			list = append(list, one)
		}
		m.add("flows", list)
	}
	var b strings.Builder
	m.write(&b, 0)
	for _, section := range []struct {
		key    string
		models map[string]any
	}{{"models", modelsOf(f.Models, func(m *device.Model) *string { return &m.ID })},
		{"services", modelsOf(f.Services, func(m *flow.ServiceModel) *string { return &m.ID })}} {
		if len(section.models) == 0 {
			continue
		}
		out, err := yaml.Marshal(map[string]any{section.key: section.models})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", section.key, err)
		}
		b.Write(out)
	}
	return []byte(b.String()), nil
}

// modelsOf are models by their ids, which they then need not repeat.
func modelsOf[T any](list []T, id func(*T) *string) map[string]any {
	m := map[string]any{}
	for _, one := range list {
		key := *id(&one)
		*id(&one) = ""
		m[key] = one
	}
	return m
}

func sameBinding(a, b flow.Binding) bool {
	a.Pos, b.Pos = flow.Position{}, flow.Position{}
	return a == b
}

func things(d *flow.Deployment) mapping {
	var m mapping
	for _, b := range d.Things {
		if b.Model == "" && b.Carrier == flow.Auto && !b.AtMostOnce {
			m.add(b.Role, b.Thing)
			continue
		}
		var one mapping
		one.text("thing", b.Thing)
		one.text("model", b.Model)
		one.text("carrier", string(b.Carrier))
		if b.AtMostOnce {
			one.add("qos", bare("0"))
		}
		m.add(b.Role, one)
	}
	return m
}

func trigger(d *flow.Deployment, t *flow.Trigger) mapping {
	var m mapping
	m.text("name", t.Name)
	m.text("description", t.Description)
	switch {
	case t.Event != nil:
		m.text("thing", t.Event.Role)
		m.text("event", t.Event.Name)
		m.expr("when", t.Event.When)
		m.duration("for", t.Event.For)
		if t.Event.MaxAge < 0 {
			m.add("max_age", int64(0))
		}
		m.duration("max_age", t.Event.MaxAge)
	case !t.Every.IsZero():
		m.add("every", bare(strings.TrimPrefix(t.Every.String(), "every ")))
	case t.At != nil:
		printAt(&m, t.At)
	default:
		m.add("hand", true)
	}
	if len(t.Start) == 1 && len(d.Flows) == 1 && t.Start[0].Flow == d.Flows[0].Definition.Name && len(t.Start[0].Args) == 0 {
		return m
	}
	var list []any
	for _, s := range t.Start {
		if len(s.Args) == 0 {
			list = append(list, s.Flow)
			continue
		}
		var one, named mapping
		var placed []any
		one.text("flow", s.Flow)
		for _, a := range s.Args {
			if a.Name == "" {
				placed = append(placed, value(a.Value))
			} else {
				named.add(a.Name, value(a.Value))
			}
		}
		if len(placed) > 0 {
			one.add("with", placed)
		} else {
			one.add("with", named)
		}
		list = append(list, one)
	}
	m.add("start", list)
	return m
}

func flowKeysOf(m *mapping, f *flow.Flow) {
	def := f.Definition
	switch {
	case f.Limit != 0:
		var o mapping
		o.add("policy", overlapName(f.Overlap))
		o.add("limit", int64(f.Limit))
		m.add("overlap", o)
	case f.Overlap != flow.Queue:
		m.add("overlap", overlapName(f.Overlap))
	}
	if len(def.Parameters) > 0 {
		var ps mapping
		for _, p := range def.Parameters {
			if p.Required && p.Default.IsZero() {
				if p.Type == "" {
					ps.add(p.Name, nil)
				} else {
					ps.add(p.Name, p.Type)
				}
				continue
			}
			var one mapping
			one.text("type", p.Type)
			one.add("required", p.Required)
			if !p.Default.IsZero() {
				one.add("default", value(p.Default))
			}
			ps.add(p.Name, one)
		}
		m.add("parameters", ps)
	}
	names := outputs(def)
	if len(names) != len(def.Variables) || slices.ContainsFunc(def.Variables, func(v flow.Variable) bool { return v.Type != "" }) ||
		!slices.EqualFunc(def.Variables, names, func(v flow.Variable, n string) bool { return v.Name == n }) {
		var vs mapping
		for _, v := range def.Variables {
			if v.Type == "" {
				vs.add(v.Name, nil)
			} else {
				vs.add(v.Name, v.Type)
			}
		}
		m.add("variables", vs)
	}
	m.add("steps", stepsOf(def))
}

func overlapName(o flow.Overlap) string {
	if o == flow.Queue {
		return "queue"
	}
	return string(o)
}
