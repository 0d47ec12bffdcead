package tdm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/flow"
)

// serviceCall converts a step that calls a web service.
func (im *importer) serviceCall(w *workflow, a activity) *flow.ServiceCall {
	out := &flow.ServiceCall{Service: a.model.text, Action: a.action, Output: im.output(w, a)}
	s, ok := find(a.model, im.services, im.builtin.services)
	_, own := im.options.ownURL(a.model.text)
	if !ok {
		if !own {
			im.need(a.pos, fmt.Sprintf("add its document, or give a URL of your own for it: --service %s=URL", a.model.name), "web service %s is not defined here", a.model.text)
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
		im.need(a.pos, fmt.Sprintf("give a URL of your own, which takes the same request: --service %s=URL", a.model.name), "web service %s is %s and runs nowhere but at AWS", a.model.text, m.Cloud)
	}
	sig := signature{name: act.name}
	for _, p := range act.params {
		sig.params = append(sig.params, field{p.pos, p.name, p.property})
	}
	out.Action = act.name
	out.Args = im.args(w, a, sig, true)
	return out
}

// ownURL is the URL that the options have for a service.
func (o Options) ownURL(service string) (string, bool) {
	u, ok := parseURN(service)
	for _, key := range slices.Sorted(maps.Keys(o.Services)) {
		given, isURN := parseURN(key)
		if strings.EqualFold(key, service) || ok && (isURN && given.key() == u.key() || strings.EqualFold(key, u.name)) {
			return o.Services[key], true
		}
	}
	return "", false
}

// serve describes the documents' services, each at the URL that the options have for
// it, and those that are known by such a URL only.
func (im *importer) serve() {
	for _, s := range sorted(im.library.services, func(s *service) Pos { return s.pos }) {
		m := im.describeService(im.reader, s)
		if own, ok := im.options.ownURL(m.ID); ok {
			at, err := m.At(own)
			if err != nil {
				im.problems.add(s.pos, "", "%v", err)
			}
			m = at
		}
		im.out.Services = append(im.out.Services, m)
	}
	made, err := flow.Undescribed(im.out.Definitions, im.out.Services, im.options.ownURL)
	if err != nil {
		im.problems.add(top(""), "", "%v", err)
	}
	im.out.Services = append(im.out.Services, made...)
}
