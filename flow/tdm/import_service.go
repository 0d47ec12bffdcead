package tdm

import (
	"fmt"
	"strings"

	"pithings/flow"
)

// serviceCall converts a step that calls a web service.
func (im *importer) serviceCall(w *workflow, a activity) *flow.ServiceCall {
	out := &flow.ServiceCall{Service: a.model.text, Action: a.action, Output: im.output(w, a)}
	s, ok := find(a.model, im.services, im.builtin.services)
	own := im.options.ownURL(a.model.text)
	if !ok {
		if !own {
			im.need(a.pos, fmt.Sprintf("add its document, or a URL of your own for the service %s", a.model.name), "web service %s is not defined here", a.model.text)
		}
		out.Args = im.args(w, a, signature{}, false)
		return out
	}
	act := s.actions[strings.ToLower(a.action)]
	if act == nil {
		names := map[string]bool{}
		for _, x := range s.actions {
			names[x.name] = true
		}
		im.problems.add(a.actionAt, "it has "+join(names), "%s has no action %s", a.model.text, a.action)
		return out
	}
	if m := im.describeServiceAction(&reader{}, s, act); m.Cloud != "" && !own {
		im.need(a.pos, fmt.Sprintf("give a URL of your own for the service %s, which takes the same request", a.model.name), "web service %s is %s and runs nowhere but at AWS", a.model.text, m.Cloud)
	}
	sig := signature{name: act.name}
	for _, p := range act.params {
		sig.params = append(sig.params, field{p.pos, p.name, p.property})
	}
	out.Action = act.name
	out.Args = im.args(w, a, sig, true)
	return out
}

// ownURL tells whether the options have a URL for a service.
func (o Options) ownURL(service string) bool {
	u, ok := parseURN(service)
	for key := range o.Services {
		given, isURN := parseURN(key)
		if strings.EqualFold(key, service) || ok && (isURN && given.key() == u.key() || strings.EqualFold(key, u.name)) {
			return true
		}
	}
	return false
}
