package tdm

import (
	"slices"
	"strings"
)

// kinds are the directives that say what a definition is.
var kinds = []string{"stateType", "propertyType", "eventType", "actionType", "capabilityType", "deviceModel", "enumType",
	"mapping", "mappingType", "device", "service", "workflowType", "systemType", "deployment"}

// add reads definitions into the library.
func (l *library) add(r *reader, nodes []*node) {
	for _, n := range nodes {
		before := r.problems.count()
		ds := r.directives(n.keyword+" "+n.name, n.directives, append(slices.Clone(kinds), "triggers")...)
		var is []string
		for key := range ds {
			if key != "triggers" {
				is = append(is, key)
			}
		}
		if len(is) != 1 {
			if r.problems.count() > before {
				continue
			}
			r.problems.add(n.pos, "write one of @"+strings.Join(kinds, ", @"), "%s %s does not say what it is", n.keyword, n.name)
			continue
		}
		if !l.known(n, is[0], ds[is[0]]) {
			l.define(r, n, is[0], ds)
		}
	}
}

// known reports whether a definition is there already, word for word: files that
// belong to different devices often bring the same states and actions.
func (l *library) known(n *node, kind string, d directive) bool {
	for _, a := range d.args {
		u, ok := parseURN(a.value.text)
		if !strings.EqualFold(a.name, "id") || !ok {
			continue
		}
		key, text := kind+" "+u.key(), write(n)
		if l.texts[key] == text {
			return true
		}
		l.texts[key] = text
	}
	return false
}

func (l *library) define(r *reader, n *node, kind string, ds map[string]directive) {
	d := ds[kind]
	if t, ok := ds["triggers"]; ok && kind != "workflowtype" {
		r.problems.add(t.pos, "move it to the workflow", "@triggers is not a workflow's here")
	}
	keyword := "type"
	switch kind {
	case "device", "service", "workflowtype", "deployment", "mapping", "mappingtype":
		keyword = "query"
	case "enumtype":
		keyword = "enum"
	}
	if n.keyword != keyword {
		r.problems.add(n.pos, "write "+keyword+" "+n.name, "@%s belongs to a %s, not to a %s", d.name, keyword, n.keyword)
		return
	}
	if len(n.variables) > 0 && kind != "workflowtype" {
		r.problems.add(n.variables[0].pos, "remove them", "only workflows have parameters")
	}
	switch kind {
	case "statetype":
		l.state(r, n, d)
	case "propertytype":
		l.property(r, n, d)
	case "eventtype":
		l.event(r, n, d)
	case "actiontype":
		l.action(r, n, d)
	case "capabilitytype":
		l.capability(r, n, d)
	case "devicemodel":
		l.model(r, n, d)
	case "enumtype":
		l.enum(r, n, d)
	case "mapping", "mappingtype":
		l.mapping(r, n, d)
	case "device":
		l.device(r, n, d)
	case "service":
		l.service(r, n, d)
	case "workflowtype":
		l.workflow(r, n, ds, d)
	case "systemtype":
		l.system(r, n, d)
	case "deployment":
		l.deployment(r, n, d)
	}
}
