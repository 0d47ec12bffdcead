package tdm

import (
	"fmt"
	"slices"
	"strings"

	"pithings/flow"
	"pithings/flow/expr"
)

// deployment converts a flow configuration with its system and workflows.
func (im *importer) deployment(dep *deployment) *flow.Deployment {
	sys, ok := find(dep.system, im.systems, im.builtin.systems)
	if !ok {
		im.problems.add(dep.systemAt, "add its document", "system %s is not defined here", dep.system.text)
		return nil
	}
	out := im.configure(sys, dep.name, dep.pos)
	out.URN = ownURN(dep.id, dep.name)
	for _, b := range sys.things {
		i := slices.IndexFunc(dep.things, func(t thing) bool { return strings.EqualFold(t.role, b.name) })
		switch {
		case i >= 0:
			out.Things = append(out.Things, flow.Binding{Role: b.name, Thing: dep.things[i].deviceID, Model: im.kindOf(b), Pos: dep.things[i].pos})
		case im.options.Things[b.name] != "":
			out.Things = append(out.Things, flow.Binding{Role: b.name, Thing: im.options.Things[b.name], Model: im.kindOf(b), Pos: b.pos})
		default:
			im.problems.add(dep.pos, fmt.Sprintf(`write %s(deviceId: "…")`, b.name), "deployment %s has no thing for %s", dep.name, b.name)
		}
	}
	for _, t := range dep.things {
		if !slices.ContainsFunc(sys.things, func(b binding) bool { return strings.EqualFold(b.name, t.role) }) {
			im.problems.add(t.pos, "add it to the system", "system %s has no thing %s", sys.name, t.role)
		}
	}
	flows := im.flows(sys)
	for _, t := range dep.triggers {
		im.trigger(out, sys, flows, t, true)
	}
	im.finish(out, flows)
	return out
}

// kindOf is the URN of a role's model; "" if it cannot be reached, which matters to
// those who use it only.
func (im *importer) kindOf(b binding) string {
	if im.unspoken(b.of, b.of) != nil {
		return ""
	}
	_, model := find(b.of, im.library.models, im.builtin.models)
	if b.of.text != "" && !model && len(im.devicesOf(b.of, b.of)) == 0 {
		im.need(b.pos, "add its document, or describe the thing's topics in the deployment", "device model %s is not defined here", b.of.text)
	}
	return b.of.text
}

// configure begins a deployment of a system.
func (im *importer) configure(sys *system, name string, pos Pos) *flow.Deployment {
	return &flow.Deployment{Name: name, Description: sys.description, System: ownURN(sys.id, name), Pos: pos}
}

// namedFlow is a workflow under the name that a system gives it.
type namedFlow struct {
	name string
	of   *workflow
	def  *flow.Definition
}

// flows are the system's workflows.
func (im *importer) flows(sys *system) []namedFlow {
	var out []namedFlow
	for _, b := range sys.workflows {
		w, ok := find(b.of, im.workflows, im.builtin.workflows)
		if !ok {
			im.problems.add(b.pos, "add its document", "workflow %s is not defined here", b.of.text)
			continue
		}
		if slices.ContainsFunc(out, func(f namedFlow) bool { return f.def.Name == w.name }) {
			im.problems.add(b.pos, "give one of them another name", "system %s has two workflows called %s", sys.name, w.name)
		}
		quiet := &importer{Documents: im.Documents, reader: &reader{}, options: im.options, out: &Import{}, needed: map[string]bool{}, held: im.held}
		def := quiet.definition(w) // its problems are reported where it stands alone
		out = append(out, namedFlow{b.name, w, def})
	}
	return out
}

// trigger converts a trigger; strict ones must start something.
func (im *importer) trigger(out *flow.Deployment, sys *system, flows []namedFlow, t *trigger, strict bool) {
	c, ok := im.condition(t)
	if !ok {
		return
	}
	got := flow.Trigger{Name: t.name, Description: t.description, Pos: t.pos}
	if c.every.Count > 0 {
		got.Every = c.every
	} else {
		got.Event = im.watched(sys, t, c)
		if got.Event == nil {
			return
		}
	}
	for _, st := range t.actions {
		if strings.TrimSpace(st.expr) == "" {
			if strict {
				im.problems.add(st.pos, "write ThingsGraph.startFlow('flow')", "trigger %s has an empty action", t.name)
			}
			continue
		}
		s, ok := im.reader.start(t, st)
		if !ok {
			continue
		}
		if start, ok := im.start(sys, flows, t, c, s); ok {
			got.Start = append(got.Start, start)
		}
	}
	if len(t.actions) == 0 && strict {
		im.problems.add(t.pos, `write action(expr: "ThingsGraph.startFlow('flow')")`, "trigger %s starts nothing", t.name)
	}
	out.Triggers = append(out.Triggers, got)
}

// watched finds the event of a condition; nil is a problem that was reported.
func (im *importer) watched(sys *system, t *trigger, c condition) *flow.DeviceEvent {
	i := slices.IndexFunc(sys.things, func(b binding) bool { return strings.EqualFold(b.name, c.role) })
	if i < 0 {
		im.problems.add(t.conditionAt, "add it to the system", "trigger %s: system %s has no thing %s", t.name, sys.name, c.role)
		return nil
	}
	b := sys.things[i]
	if p := im.unspoken(b.of, b.of); p != nil {
		im.problems.add(t.conditionAt, p.fix, "trigger %s: %s", t.name, p.what)
		return nil
	}
	event := &flow.DeviceEvent{Role: b.name, Name: c.event, When: c.when}
	names, known := im.eventsOf(b.of)
	if known {
		j := slices.IndexFunc(names, func(s string) bool { return strings.EqualFold(s, c.event) })
		if j < 0 {
			fix := "it has no events"
			if len(names) > 0 {
				fix = "it has " + strings.Join(names, ", ")
			}
			im.problems.add(t.conditionAt, fix, "trigger %s: %s has no event %s", t.name, b.name, c.event)
			return nil
		}
		event.Name = names[j]
	} else if b.of.text != "" {
		im.need(b.pos, "add its document, or describe the thing's topics in the deployment", "device model %s is not defined here", b.of.text)
	}
	return event
}

// start converts one startFlow.
func (im *importer) start(sys *system, flows []namedFlow, t *trigger, c condition, s start) (flow.Start, bool) {
	i := slices.IndexFunc(flows, func(f namedFlow) bool { return strings.EqualFold(f.name, s.flow) })
	if i < 0 {
		i = slices.IndexFunc(flows, func(f namedFlow) bool {
			return strings.EqualFold(f.of.name, s.flow) || strings.EqualFold(f.of.id.text, s.flow)
		})
	}
	if i < 0 {
		names := map[string]bool{}
		for _, f := range flows {
			names[f.name] = true
		}
		im.problems.add(s.pos, "it has "+join(names), "trigger %s: system %s has no workflow %s", t.name, sys.name, s.flow)
		return flow.Start{}, false
	}
	f := flows[i]
	out := flow.Start{Flow: f.def.Name, Pos: s.pos}
	if len(s.args) > len(f.def.Parameters) {
		im.problems.add(s.pos, "remove the others", "trigger %s gives %d values to %s, which has %d parameters", t.name, len(s.args), s.flow, len(f.def.Parameters))
		return out, false
	}
	for _, p := range f.def.Parameters[len(s.args):] {
		if p.Required {
			im.problems.add(s.pos, "add it; values are given in the order of the workflow's parameters", "trigger %s gives no value for $%s of %s", t.name, p.Name, s.flow)
			return out, false
		}
	}
	for _, arg := range s.args {
		value, ok := im.startArg(sys, t, c, s, arg)
		if !ok {
			return out, false
		}
		out.Args = append(out.Args, flow.Arg{Value: value, Pos: s.pos})
	}
	return out, true
}

// startArg converts a value that a flow is started with.
func (im *importer) startArg(sys *system, t *trigger, c condition, s start, arg expr.Node) (flow.Value, bool) {
	if l, ok := literal(arg); ok {
		return flow.Value{Literal: l}, true
	}
	if c.every.Count == 0 {
		got, same := eventArg(arg, c)
		if !same {
			im.problems.add(s.pos, fmt.Sprintf("only %s of %s is known when it starts the flow", c.event, c.role), "trigger %s: a value of another event", t.name)
			return flow.Value{}, false
		}
		arg = got
	}
	unknown := ""
	arg = rewrite(arg, func(n expr.Node) expr.Node {
		role, ok := bound(n)
		if !ok {
			return n
		}
		i := slices.IndexFunc(sys.things, func(b binding) bool { return strings.EqualFold(b.name, role) })
		if i < 0 {
			unknown = role
			return n
		}
		return deviceID(sys.things[i].name)
	})
	if unknown != "" {
		im.problems.add(s.pos, "add it to the system", "trigger %s: system %s has no thing %s", t.name, sys.name, unknown)
		return flow.Value{}, false
	}
	e := expr.New(arg)
	for _, name := range e.Variables() {
		switch name {
		case eventVariable, valueVariable:
			if c.every.Count == 0 {
				continue
			}
		case "bindings":
			continue
		}
		im.problems.add(s.pos, "write bindings[name == 'role'].deviceId, a literal, or devices[name == 'role'].events[name == 'Event'].lastEvent with a key", "trigger %s: a value uses %s", t.name, name)
		return flow.Value{}, false
	}
	return flow.Value{Expr: e}, true
}

// literal is the value of a literal, also of a negative number.
func literal(n expr.Node) (any, bool) {
	switch n := n.(type) {
	case *expr.Literal:
		return n.Value, true
	case *expr.Unary:
		l, ok := n.X.(*expr.Literal)
		if !ok || n.Op != "-" {
			return nil, false
		}
		switch v := l.Value.(type) {
		case int64:
			return -v, true
		case float64:
			return -v, true
		}
	}
	return nil, false
}

// deviceID is bindings[name == 'role'].deviceId.
func deviceID(role string) expr.Node {
	return &expr.Member{Key: "deviceId", Of: &expr.Filter{Of: &expr.Name{Name: "bindings"},
		Condition: &expr.Binary{Op: "==", X: &expr.Name{Name: "name"}, Y: &expr.Literal{Value: role}}}}
}

// finish takes the flows into the deployment.
func (im *importer) finish(out *flow.Deployment, flows []namedFlow) {
	for _, f := range flows {
		fold(out, f.def)
		out.Flows = append(out.Flows, flow.Flow{Definition: f.def})
	}
}

// drafts make deployments of systems and workflows that have none, from what the
// console kept beside a workflow.
func (im *importer) drafts() {
	systems := sorted(im.systems, func(s *system) Pos { return s.pos })
	for _, w := range im.order {
		if !slices.ContainsFunc(systems, func(s *system) bool {
			return slices.ContainsFunc(s.workflows, func(b binding) bool { return b.of.key() == w.id.key() })
		}) && len(w.triggers) > 0 {
			systems = append(systems, im.invented(w))
		}
	}
	for _, sys := range systems {
		if slices.ContainsFunc(im.configured, func(d *deployment) bool { return d.system.key() == sys.id.key() }) {
			continue
		}
		out := im.configure(sys, sys.name, sys.pos)
		for _, b := range sys.things {
			thing := im.options.Things[b.name]
			if thing == "" {
				thing = b.name
				im.need(b.pos, fmt.Sprintf(`add a deployment document with %s(deviceId: "…"), or name the thing: --thing %[1]s=THING`, b.name), "no deployment says which thing plays %s; its own name stands for it", b.name)
			}
			out.Things = append(out.Things, flow.Binding{Role: b.name, Thing: thing, Model: im.kindOf(b), Pos: b.pos})
		}
		flows := im.flows(sys)
		for _, f := range flows {
			for _, t := range f.of.triggers {
				im.trigger(out, sys, flows, f.filled(sys, t), false)
			}
		}
		im.finish(out, flows)
		im.out.Deployments = append(im.out.Deployments, out)
	}
}

// invented is a system for a workflow that came without one, as the operation
// GetFlowTemplate gives it: its parameters are the roles, and those whose events
// its triggers watch.
func (im *importer) invented(w *workflow) *system {
	sys := &system{id: urn{namespace: ownNamespace, kind: "System", name: w.name}, pos: w.pos, name: w.name, workflows: []binding{{w.pos, w.name, w.id}}}
	add := func(pos Pos, name string, of urn) {
		if !slices.ContainsFunc(sys.things, func(b binding) bool { return strings.EqualFold(b.name, name) }) {
			sys.things = append(sys.things, binding{pos, name, of})
		}
	}
	for _, t := range w.triggers {
		quiet := &reader{}
		if c, ok := quiet.condition(t); ok && c.role != "" {
			add(t.pos, c.role, urn{})
		}
	}
	for _, p := range w.params {
		for _, s := range w.steps {
			if strings.EqualFold(strings.Trim(s.activity.deviceID, "${} "), p.name) {
				add(p.pos, p.name, s.activity.model)
			}
		}
	}
	return sys
}

// filled is a default trigger whose empty action, as the console left it, starts
// the workflow with the things that have its parameters' names.
func (f namedFlow) filled(sys *system, t *trigger) *trigger {
	if slices.ContainsFunc(t.actions, func(s statement) bool { return strings.TrimSpace(s.expr) != "" }) {
		return t
	}
	call := &expr.Call{Of: &expr.Name{Name: "ThingsGraph"}, Name: "startFlow", Args: []expr.Node{&expr.Literal{Value: f.name}}}
	for _, p := range f.of.params {
		i := slices.IndexFunc(sys.things, func(b binding) bool { return strings.EqualFold(b.name, p.name) })
		if i < 0 {
			break
		}
		call.Args = append(call.Args, deviceID(sys.things[i].name))
	}
	out := *t
	out.actions = []statement{{t.pos, expr.New(call).String()}}
	return &out
}
