package tdm

import "strings"

// The entities that say what devices and services look like: states, properties,
// events, actions, capabilities and device models.

// facets restrict a property's values. The service's console made forms of them;
// nothing is checked against them here.
var facets = []string{"minValue", "maxValue", "minLength", "maxLength", "uom", "default", "unit", "regex", "pattern"}

func (l *library) state(r *reader, n *node, d directive) {
	a := r.attrs("@stateType", d.pos, d.args, "id", "description", "name")
	s := &state{id: a.urn("id"), fields: r.fields(n, "state")}
	put(r, l.states, s.id, n.pos, s)
}

// fields are lines of the form name: Type @property(id: "…"). Those of a state are
// looked up when a device uses it, and the types of a workflow's variables are not
// enforced: they may be missing.
func (r *reader) fields(n *node, what string) []field {
	var fs []field
	seen := map[string]bool{}
	for _, c := range n.children {
		if c.filler() {
			continue
		}
		r.leaf(c)
		r.attrs(c.name, c.pos, c.args)
		d, ok := r.directives(c.name, c.directives, "property", "state")["property"]
		if !ok {
			r.problems.add(c.pos, `write name: Type @property(id: "…")`, "%s %s: %s has no property", what, n.name, c.name)
			continue
		}
		if key := strings.ToLower(c.name); seen[key] {
			r.problems.add(c.pos, "keep one of them", "%s %s has %s twice", what, n.name, c.name)
		} else {
			seen[key] = true
		}
		a := r.attrs("@property", d.pos, d.args, append([]string{"id", "name", "description"}, facets...)...)
		f := field{pos: c.pos, name: c.name, property: a.urn("id")}
		r.refer(a.at("id"), what+" "+n.name+", "+c.name, f.property, what == "action", "property")
		fs = append(fs, f)
	}
	return fs
}

func (l *library) property(r *reader, n *node, d directive) {
	a := r.attrs("@propertyType", d.pos, d.args, append([]string{"id", "instanceOf", "dataType", "name", "description"}, facets...)...)
	p := &property{id: a.urn("id"), pos: n.pos}
	switch {
	case a.has("instanceOf"):
		p.instance = a.urn("instanceOf")
	case a.has("dataType"):
		v := a.named["datatype"].value
		p.plain = strings.ToLower(v.text)
		_, known := jsonTypes[p.plain]
		_, isEnum := parseURN(v.text)
		if v.kind != nameValue && v.kind != textValue || !known && !isEnum {
			r.problems.add(v.pos, "write a data type such as string, boolean, int32 or float64, or an enum's URN", "unknown data type %q", shorten(v.text))
		}
	default:
		r.problems.add(d.pos, `write instanceOf: "…" or dataType: …`, "property %s is of nothing", n.name)
	}
	r.onlyFiller(n)
	put(r, l.properties, p.id, n.pos, p)
}

// onlyFiller notes what stands in a block that should be empty.
func (r *reader) onlyFiller(n *node) {
	for _, c := range n.children {
		if !c.filler() {
			r.problems.add(c.pos, "write {ignore: void}", "%s has an empty block, not %q", n.name, c.name)
		}
	}
}

func (l *library) event(r *reader, n *node, d directive) {
	a := r.attrs("@eventType", d.pos, d.args, "id", "payload", "name", "description")
	e := &event{id: a.urn("id"), pos: n.pos}
	if a.has("payload") {
		e.payload = a.urn("payload")
	}
	r.onlyFiller(n)
	put(r, l.events, e.id, n.pos, e)
}

func (l *library) action(r *reader, n *node, d directive) {
	a := r.attrs("@actionType", d.pos, d.args, "id", "name", "description")
	act := &action{id: a.urn("id"), pos: n.pos}
	for _, f := range r.fields(n, "action") {
		if strings.EqualFold(f.name, "return") {
			act.returns = f.property
			continue
		}
		act.params = append(act.params, f)
	}
	put(r, l.actions, act.id, n.pos, act)
}

func (l *library) capability(r *reader, n *node, d directive) {
	a := r.attrs("@capabilityType", d.pos, d.args, "id", "name", "description")
	c := &capability{id: a.urn("id"), pos: n.pos, events: map[string]member{}, actions: map[string]member{}}
	for _, line := range n.children {
		if line.filler() {
			continue
		}
		r.leaf(line)
		r.attrs(line.name, line.pos, line.args)
		ds := r.directives(line.name, line.directives, "state", "event", "action")
		if len(ds) != 1 {
			r.problems.add(line.pos, `write name: Type @event(id: "…"), @action(id: "…") or @state(id: "…")`, "capability %s: %s is neither state nor event nor action", n.name, line.name)
		}
		for kind, d := range ds {
			a := r.attrs("@"+kind, d.pos, d.args, "id", "name", "description")
			m := member{line.pos, line.name, a.urn("id")}
			r.refer(a.at("id"), "capability "+n.name+", "+line.name, m.of, kind == "action", kind)
			key := strings.ToLower(line.name)
			switch kind {
			case "event":
				c.events[key] = m
				c.order = append(c.order, m)
			case "action":
				c.actions[key] = m
				c.order = append(c.order, m)
			}
		}
	}
	put(r, l.capabilities, c.id, n.pos, c)
}

func (l *library) model(r *reader, n *node, d directive) {
	a := r.attrs("@deviceModel", d.pos, d.args, "id", "capability", "capabilities", "name", "description")
	m := &model{id: a.urn("id"), pos: n.pos, name: n.name}
	key := "capability"
	if a.has("capabilities") {
		key = "capabilities"
	}
	texts := a.texts(key)
	if len(texts) == 0 {
		r.problems.add(d.pos, `write capability: "…"`, "device model %s without a capability", n.name)
	}
	for _, s := range texts {
		u, ok := parseURN(s)
		if !ok {
			r.problems.add(a.at(key), "write urn:tdm:REGION/ACCOUNT/default:capability:NAME", "@deviceModel: %q is not a URN of Things Graph", shorten(s))
		}
		r.refer(a.at(key), "device model "+n.name, u, false, "capability")
		m.capabilities = append(m.capabilities, u)
	}
	r.onlyFiller(n)
	put(r, l.models, m.id, n.pos, m)
}

// enum is parsed so that its errors are reported; its values are sent as they are
// written.
func (l *library) enum(r *reader, n *node, d directive) {
	a := r.attrs("@enumType", d.pos, d.args, "id", "name", "description", "dataType")
	id := a.urn("id")
	for _, c := range n.children {
		r.attrs(c.name, c.pos, c.args)
		r.leaf(c)
		if d, ok := r.directives(c.name, c.directives, "enumValue")["enumvalue"]; ok {
			r.attrs("@enumValue", d.pos, d.args, "value", "name", "description")
		}
	}
	if len(n.children) == 0 {
		r.problems.add(n.pos, "write its values in a block", "enum %s has no values", n.name)
	}
	put(r, l.enums, id, n.pos, n.pos)
}

// mapping is passed over: nothing here refers to one, and nothing converts values by
// it.
func (l *library) mapping(r *reader, n *node, d directive) {
	r.attrs("@"+d.name, d.pos, d.args, "id", "name", "from", "to", "description").urn("id")
	for _, c := range n.children {
		if !c.is("forward") && !c.is("reverse") && !c.is("symmetric") {
			r.unknown(c, "a mapping", "forward", "reverse", "symmetric")
			continue
		}
		for _, m := range c.children {
			if !m.is("map") {
				r.unknown(m, c.name, "map")
				continue
			}
			r.attrs("map", m.pos, m.args, "expr", "name", "description").need("expr")
		}
	}
	l.pass(n.pos, "convert the value in the step's argument, as in ${on ? 1 : 0}", "mapping %s is passed over: mappings are not carried out", n.name)
}
