package tdm

import "strings"

func (l *library) system(r *reader, n *node, d directive) {
	a := r.attrs("@systemType", d.pos, d.args, "id", "description", "name")
	s := &system{id: a.urn("id"), pos: n.pos, name: n.name, description: a.text("description")}
	seen := map[string]bool{}
	for _, c := range n.children {
		if c.filler() {
			continue
		}
		r.leaf(c)
		r.attrs(c.name, c.pos, c.args)
		ds := r.directives(c.name, c.directives, "thing", "workflow", "service")
		if len(ds) != 1 {
			r.problems.add(c.pos, `write name: Type @thing(id: "…"), @workflow(id: "…") or @service(id: "…")`, "system %s: %s is neither thing nor workflow nor service", n.name, c.name)
		}
		for kind, d := range ds {
			a := r.attrs("@"+kind, d.pos, d.args, "id", "description")
			b := binding{c.pos, c.name, a.urn("id")}
			what := "system " + n.name + ", " + c.name
			switch {
			case kind == "service", kind == "thing" && strings.EqualFold(b.of.kind, "service"):
				// The console listed a flow's services, too. Steps name them by their
				// URNs, and they play no role.
				r.refer(a.at("id"), what, b.of, false, "service")
				continue
			case kind == "thing":
				r.refer(a.at("id"), what, b.of, false, "device", "devicemodel")
			default:
				r.refer(a.at("id"), what, b.of, false, "workflow")
			}
			key := kind + strings.ToLower(c.name)
			if seen[key] {
				r.problems.add(c.pos, "keep one of them", "system %s has %s twice", n.name, c.name)
			}
			seen[key] = true
			if kind == "thing" {
				s.things = append(s.things, b)
			} else {
				s.workflows = append(s.workflows, b)
			}
		}
	}
	put(r, l.systems, s.id, n.pos, s)
}

func (l *library) deployment(r *reader, n *node, d directive) {
	a := r.attrs("@deployment", d.pos, d.args, "id", "systemId", "description", "name")
	dep := &deployment{id: a.urn("id"), pos: n.pos, name: n.name, system: a.urn("systemId"), systemAt: a.at("systemId")}
	seen := map[string]bool{}
	for _, c := range n.children {
		if c.is("triggers") && len(c.args) == 0 {
			r.bare(c)
			dep.triggers = append(dep.triggers, r.triggers(c.children)...)
			continue
		}
		if c.filler() {
			continue
		}
		r.untyped(c)
		r.leaf(c)
		key := strings.ToLower(c.name)
		if seen[key] {
			r.problems.add(c.pos, "keep one of them", "deployment %s has %s twice", n.name, c.name)
		}
		seen[key] = true
		a := r.attrs(c.name, c.pos, c.args, "deviceId")
		id := a.need("deviceId")
		if !validThing(id) && strings.TrimSpace(id) != "" {
			r.problems.add(a.at("deviceId"), "write the thing's name: letters, digits, : _ and -, at most 128", "%q is no name of a thing", shorten(id))
		}
		dep.things = append(dep.things, thing{c.pos, c.name, id})
	}
	put(r, l.deployments, dep.id, n.pos, dep)
	if len(l.configured) == maxDeployments {
		r.problems.add(n.pos, "read the others apart", "more than %d deployments at once", maxDeployments)
		return
	}
	l.configured = append(l.configured, dep)
}

// validThing is the registry's rule for names.
func validThing(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(":_-", c)) {
			return false
		}
	}
	return true
}

func (r *reader) triggers(nodes []*node) []*trigger {
	var ts []*trigger
	seen := map[string]bool{}
	for _, n := range nodes {
		if n.filler() {
			continue
		}
		r.untyped(n)
		t := &trigger{pos: n.pos, name: n.name, description: r.attrs("trigger "+n.name, n.pos, n.args, "description", "name").text("description")}
		key := strings.ToLower(n.name)
		if seen[key] {
			r.problems.add(n.pos, "give one of them another name", "two triggers are called %s", n.name)
		}
		seen[key] = true
		for _, c := range n.children {
			switch {
			case c.is("condition"):
				if t.condition != "" {
					r.problems.add(c.pos, "join them with &&", "trigger %s has two conditions", n.name)
				}
				r.untyped(c)
				r.leaf(c)
				a := r.attrs("condition", c.pos, c.args, "expr")
				t.condition, t.conditionAt = a.need("expr"), a.at("expr")
			case c.is("action"):
				r.untyped(c)
				r.leaf(c)
				a := r.attrs("action", c.pos, c.args, "expr")
				t.actions = append(t.actions, statement{a.at("expr"), a.text("expr")})
			case !c.filler():
				r.unknown(c, "trigger "+n.name, "condition", "action")
			}
		}
		if t.condition == "" {
			r.problems.add(n.pos, `write condition(expr: "…")`, "trigger %s has no condition", n.name)
		}
		ts = append(ts, t)
	}
	return ts
}

// defaultTriggers reads what the console kept in a workflow's @triggers: the
// triggers block of a deployment, as text. Its problems are reported at the place of
// the directive.
func (r *reader) defaultTriggers(definition string, at Pos) []*trigger {
	inner := reader{}
	text := "query defaults " + definition
	nodes, err := tree(source{name: at.File, text: text, original: text})
	switch p, isProblem := err.(*problem); {
	case isProblem:
		r.problems.add(at, p.fix, "@triggers: %s", p.what)
		return nil
	case err != nil || len(nodes) != 1:
		r.problems.add(at, `write definition: "{name(description: …) {condition(expr: …) action(expr: …)}}"`, "@triggers: more than one block")
		return nil
	}
	ts := inner.triggers(nodes[0].children)
	for _, p := range inner.problems.List {
		r.problems.add(at, "", "@triggers: %s", p.Message)
	}
	for _, t := range ts {
		t.pos, t.conditionAt = at, at
		for i := range t.actions {
			t.actions[i].pos = at
		}
	}
	return ts
}
