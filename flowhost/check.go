package flowhost

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/conf/suggest"
	"pithings/flow"
	"pithings/things"
)

// want is an event or an action that a flow wants of a role, where it says so.
type want struct {
	pos         flow.Position
	where, kind string
	name        string
}

// wants lists what a deployment wants of a role.
func wants(d *flow.Deployment, role string) (all []want) {
	for _, t := range d.Triggers {
		if t.Event != nil && t.Event.Role == role {
			all = append(all, want{t.Pos, "trigger " + t.Name, "event", t.Event.Name})
		}
	}
	for _, f := range d.Flows {
		for _, s := range f.Definition.Steps {
			if a, ok := s.Activity.(*flow.DeviceAction); ok && a.Role == role {
				all = append(all, want{s.Pos, "step " + s.Name, "action", a.Action})
			}
		}
	}
	return all
}

// check looks whether each thing of a deployment has what its flows want of it, as
// far as that is known without reaching for it. It is the same for those who only
// validate and those who deploy.
func (d *document) check(c *carriers, l library, problems *flow.Problems) {
	for _, m := range d.models {
		if err := flow.ValidateModel(m); err != nil {
			problems.Add(d.deployment.Pos, "%v", err)
		}
	}
	for _, s := range d.services {
		if err := s.Validate(); err != nil {
			problems.Add(d.deployment.Pos, "%v", err)
		}
	}
	for _, b := range d.deployment.Things {
		_, err := c.describe(d.deployment, b, l)
		if err == nil || b.Model == "" && c.unknown(d.deployment, b, problems) {
			continue
		}
		at := b.Pos
		if at.Line == 0 {
			at = d.deployment.Pos
		}
		problems.Add(at, "role %s: %v", b.Role, err)
	}
}

// unknown notes the events and actions that no thing without a model has.
func (c *carriers) unknown(d *flow.Deployment, b flow.Binding, problems *flow.Problems) (found bool) {
	var looks []description
	what := "no thing of pithings"
	if t, here := c.things[b.Thing]; here {
		looks, what = []description{own(t.Looks)}, fmt.Sprintf("thing %s is of type %s and", b.Thing, t.Looks.Model.ID)
	} else {
		for _, k := range things.Kinds() {
			looks = append(looks, usual(k))
		}
	}
	known := map[string][]string{}
	for _, of := range looks {
		known["event"] = append(known["event"], slices.Sorted(maps.Keys(of.model.Events))...)
		known["action"] = append(known["action"], slices.Sorted(maps.Keys(of.model.Actions))...)
	}
	for _, w := range wants(d, b.Role) {
		if slices.ContainsFunc(known[w.kind], func(name string) bool { return strings.EqualFold(name, w.name) }) {
			continue
		}
		found = true
		at := w.pos
		if at.Line == 0 {
			at = d.Pos
		}
		has := "has"
		if len(looks) == 1 {
			has = "has not"
		}
		problems.Add(at, "%s: %s %s the %s %q%s; for a thing of another kind name its model: things: {%s: {thing: %s, model: …}}",
			w.where, what, has, w.kind, w.name, suggest.From(w.name, known[w.kind]), b.Role, b.Thing)
	}
	return found
}

// twice returns which other flows do on the same event what a deployment does: the
// built-in SecurityFlow and a deployed one take every picture twice. one is held.
func (f *Flows) twice(d *flow.Deployment) (notes []string) {
	mine := reactions(d)
	if len(mine) == 0 {
		return nil
	}
	note := func(other *flow.Deployment, source, how string) {
		for _, r := range reactions(other) {
			if slices.ContainsFunc(mine, r.same) {
				notes = append(notes, fmt.Sprintf("%s %s does %s of %s on %s of %s, too, so it is done twice; take one of them away (%s)",
					source, other.Name, r.action, r.on, r.event, r.of, how))
				return
			}
		}
	}
	for _, other := range f.fixed {
		note(other.deployment, "the configuration's flow", "remove it from flows in the configuration")
	}
	f.mu.Lock()
	others := make([]*flow.Deployment, 0, len(f.inForce))
	for name, other := range f.inForce {
		if name != d.Name && !f.isFixed(name) {
			others = append(others, other.deployment)
		}
	}
	f.mu.Unlock()
	slices.SortFunc(others, func(a, b *flow.Deployment) int { return strings.Compare(a.Name, b.Name) })
	for _, other := range others {
		note(other, "the flow", "pithings flow undeploy "+other.Name)
	}
	const most = 5
	if len(notes) > most {
		notes = append(notes[:most], fmt.Sprintf("… and %d more", len(notes)-most))
	}
	return notes
}

// reaction is that an event of a thing leads to an action on a thing.
type reaction struct{ event, of, action, on string }

// same compares names as flows do: those of events and actions whatever their case.
func (r reaction) same(other reaction) bool {
	return r.of == other.of && r.on == other.on && strings.EqualFold(r.event, other.event) && strings.EqualFold(r.action, other.action)
}

// reactions lists those of a deployment.
func reactions(d *flow.Deployment) (all []reaction) {
	for _, t := range d.Triggers {
		if t.Event == nil {
			continue
		}
		from, _ := d.Binding(t.Event.Role)
		for _, s := range t.Start {
			fl := d.Flow(s.Flow)
			if fl == nil {
				continue
			}
			for _, step := range fl.Definition.Steps {
				if a, ok := step.Activity.(*flow.DeviceAction); ok && a.Role != "" {
					to, _ := d.Binding(a.Role)
					all = append(all, reaction{t.Event.Name, from.Thing, a.Action, to.Thing})
				}
			}
		}
	}
	return all
}
