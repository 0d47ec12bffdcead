package tdm

import (
	"strings"

	"pithings/flow"
)

func (l *library) workflow(r *reader, n *node, ds map[string]directive, d directive) {
	w := &workflow{pos: n.pos, name: n.name, params: n.variables}
	a := r.attrs("@workflowType", d.pos, d.args, "id", "name", "description")
	w.id, w.description = a.urn("id"), a.text("description")
	if t, ok := ds["triggers"]; ok {
		a := r.attrs("@triggers", t.pos, t.args, "definition")
		if definition := a.text("definition"); strings.TrimSpace(definition) != "" {
			w.triggers = r.defaultTriggers(definition, a.at("definition"))
		}
	}
	seen := map[string]bool{}
	for _, p := range n.variables {
		if key := strings.ToLower(p.name); seen[key] {
			r.problems.add(p.pos, "keep one of them", "workflow %s has the parameter $%s twice", n.name, p.name)
		} else {
			seen[key] = true
		}
	}
	steps := false
	for _, c := range n.children {
		switch {
		case c.is("variables"):
			r.bare(c)
			w.variables = append(w.variables, r.fields(c, "variables of")...)
		case c.is("steps"):
			steps = true
			r.bare(c)
			for _, s := range c.children {
				if !s.is("step") {
					if !s.filler() {
						r.unknown(s, "steps", "step")
					}
					continue
				}
				w.steps = append(w.steps, r.step(s))
			}
		case !c.filler():
			r.unknown(c, "a workflow", "variables", "steps")
		}
	}
	if !steps {
		r.problems.add(n.pos, "write steps { step(name: …) { … } }", "workflow %s has no steps", n.name)
	}
	w.declared = map[string]string{}
	declare := func(name string) { w.declared[name], w.declared[strings.ToLower(name)] = name, name }
	for _, v := range w.variables {
		declare(v.name)
	}
	for _, p := range w.params {
		declare(p.name)
	}
	for _, v := range w.variables { // those that differ in case only
		w.declared[v.name] = v.name
	}
	put(r, l.workflows, w.id, n.pos, w)
	l.order = append(l.order, w)
}

func (r *reader) step(n *node) *step {
	a := r.attrs("step", n.pos, n.args, "name", "description", "condition", "inEvent", "outEvent")
	r.untyped(n)
	s := &step{pos: n.pos, name: a.need("name"), description: a.text("description"), out: a.texts("outEvent")}
	if a.has("condition") {
		s.condition, s.conditionAt = a.text("condition"), a.at("condition")
	}
	if a.has("inEvent") {
		s.inAt = a.at("inEvent")
		if v := a.named["inevent"].value; v.kind == textValue && strings.Contains(v.text, "$") {
			s.inExpr = v.text
		} else {
			s.in = a.texts("inEvent")
		}
	}
	before := r.problems.count()
	for _, c := range n.children {
		switch {
		case c.is("DeviceActivity"), c.is("WebserviceActivity"), c.is("ChoiceActivity"):
			if s.activity.kind != noActivity {
				r.problems.add(c.pos, "write one step for each", "step %s has two activities", s.name)
			}
			s.activity = r.activity(c)
		case c.is("OnError"):
			r.bare(c)
			r.onError(s, c)
		case c.is("OnSuccess"):
			r.bare(c)
			r.onSuccess(s, c)
		case !c.filler():
			r.unknown(c, "step "+s.name, "DeviceActivity", "WebserviceActivity", "ChoiceActivity", "OnError", "OnSuccess")
		}
	}
	if s.activity.kind == noActivity && r.problems.count() == before {
		r.problems.add(n.pos, "write DeviceActivity(…) { … }, WebserviceActivity(…) { … } or ChoiceActivity { … }", "step %s does nothing", s.name)
	}
	return s
}

func (r *reader) activity(n *node) activity {
	act := activity{pos: n.pos}
	if n.typ != "" {
		r.problems.add(n.pos, "remove the type", "%s has no type", n.name)
	}
	var a attrs
	switch {
	case n.is("ChoiceActivity"):
		act.kind = choiceActivity
		r.bare(n)
		r.choice(&act, n)
		return act
	case n.is("DeviceActivity"):
		act.kind = deviceActivity
		a = r.attrs(n.name, n.pos, n.args, "deviceModel", "deviceId", "out")
		act.model, act.deviceID, act.deviceAt = a.urn("deviceModel"), a.need("deviceId"), a.at("deviceId")
	default:
		act.kind = serviceActivity
		a = r.attrs(n.name, n.pos, n.args, "webservice", "out")
		act.model = a.urn("webservice")
	}
	if d, ok := r.directives(n.name, n.directives, "device")["device"]; ok {
		a := r.attrs("@device", d.pos, d.args, "id")
		act.device = a.urn("id")
		r.refer(a.at("id"), n.name+", @device", act.device, false, "device")
	}
	act.out, act.outAt = a.text("out"), a.at("out")
	if len(n.children) != 1 {
		r.problems.add(n.pos, "write { action(argument: …) }", "%s has %d actions instead of one", n.name, len(n.children))
		return act
	}
	c := n.children[0]
	r.untyped(c)
	r.leaf(c)
	act.action, act.actionAt, act.args = c.name, c.pos, c.args
	seen := map[string]bool{}
	for _, arg := range c.args {
		key := strings.ToLower(arg.name)
		if seen[key] {
			r.problems.add(arg.pos, "keep one of them", "%s has the argument %s twice", c.name, arg.name)
		}
		seen[key] = true
	}
	return act
}

func (r *reader) choice(act *activity, n *node) {
	fallback := false
	for _, c := range n.children {
		switch {
		case c.is("rule"):
			a := r.attrs("rule", c.pos, c.args, "name", "expr", "description")
			r.untyped(c)
			act.rules = append(act.rules, rule{pos: c.pos, name: a.text("name"), expr: a.need("expr"), exprAt: a.at("expr"), events: r.setEvents(c)})
		case c.is("default"):
			if fallback {
				r.problems.add(c.pos, "keep one of them", "a choice has two defaults")
			}
			fallback = true
			r.bare(c)
			act.fallback = r.setEvents(c)
		case !c.filler():
			r.unknown(c, "a choice", "rule", "default")
		}
	}
	if len(act.rules) == 0 {
		r.problems.add(n.pos, `write rule(expr: "${…}") { setEvent(name: "…") }`, "a choice without rules")
	}
}

func (r *reader) setEvents(n *node) []string {
	var events []string
	for _, c := range n.children {
		switch {
		case c.is("setEvent"):
			r.untyped(c)
			r.leaf(c)
			if name := r.attrs("setEvent", c.pos, c.args, "name").need("name"); name != "" {
				events = append(events, name)
			}
		case !c.filler():
			r.unknown(c, n.name, "setEvent")
		}
	}
	return events
}

// stepFunctionsBackoff is a Retry's backoffRate without one: OnError has the
// semantics of AWS Step Functions.
const stepFunctionsBackoff = 2

func (r *reader) onError(s *step, n *node) {
	for _, c := range n.children {
		switch {
		case c.is("retries"):
			r.bare(c)
			for _, x := range c.children {
				if !x.is("retry") {
					r.unknown(x, "Retries", "Retry")
					continue
				}
				r.untyped(x)
				r.leaf(x)
				a := r.attrs("Retry", x.pos, x.args, "name", "errorEquals", "condition", "interval", "backoffRate", "maxAttempts")
				k := retry{pos: x.pos, name: a.text("name"), errors: a.texts("errorEquals"),
					condition: a.text("condition"), conditionAt: a.at("condition"), intervalAt: a.at("interval"),
					backoff: a.number("backoffRate", 1, 100, stepFunctionsBackoff), attempts: int(a.number("maxAttempts", 1, flow.MaxRetryAttempts, 0))}
				if v := a.named["interval"].value; v.kind == intValue || v.kind == floatValue {
					k.interval = v.text
				} else {
					k.interval = a.text("interval")
				}
				s.retries = append(s.retries, k)
			}
		case c.is("catches"):
			r.bare(c)
			for _, x := range c.children {
				if !x.is("catch") {
					r.unknown(x, "Catches", "Catch")
					continue
				}
				r.untyped(x)
				a := r.attrs("Catch", x.pos, x.args, "name", "errorEquals", "condition", "expr", "raiseEvent", "setEvent")
				k := catch{pos: x.pos, name: a.text("name"), errors: a.texts("errorEquals"),
					condition: a.text("condition"), conditionAt: a.at("condition"),
					events: append(a.texts("raiseEvent"), a.texts("setEvent")...)}
				if a.has("expr") {
					k.do = append(k.do, statement{a.at("expr"), a.need("expr")})
				}
				k.do = append(k.do, r.statements(x)...)
				if len(k.do)+len(k.events) == 0 {
					r.problems.add(x.pos, `write expr: "setEvent('name')"`, "Catch does nothing")
				}
				s.catches = append(s.catches, k)
			}
		case !c.filler():
			r.unknown(c, "OnError", "Retries", "Catches")
		}
	}
}

func (r *reader) onSuccess(s *step, n *node) {
	for _, c := range n.children {
		if c.filler() {
			continue
		}
		if !c.is("check") {
			r.unknown(c, "OnSuccess", "Check")
			continue
		}
		r.untyped(c)
		a := r.attrs("Check", c.pos, c.args, "name", "condition")
		k := check{pos: c.pos, name: a.text("name"), condition: a.need("condition"), conditionAt: a.at("condition")}
		for _, x := range c.children {
			switch {
			case x.is("OnPass"):
				r.bare(x)
				k.pass = r.statements(x)
			case x.is("OnFail"):
				r.bare(x)
				k.fail = r.statements(x)
			case !x.filler():
				r.unknown(x, "Check", "OnPass", "OnFail")
			}
		}
		s.checks = append(s.checks, k)
	}
}

func (r *reader) statements(n *node) []statement {
	var ss []statement
	for _, c := range n.children {
		switch {
		case c.is("stmt"):
			a := r.attrs("stmt", c.pos, c.args, "expr")
			ss = append(ss, statement{a.at("expr"), a.need("expr")})
		case c.is("setEvent"):
			name := r.attrs("setEvent", c.pos, c.args, "name").need("name")
			ss = append(ss, statement{c.pos, flow.Statement{Event: name}.String()})
		case !c.filler():
			r.unknown(c, n.name, "stmt", "setEvent")
		}
	}
	return ss
}
