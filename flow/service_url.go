package flow

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pithings/device"
)

// Called reports whether a name means the service: its ID, or the last part of an ID
// that is a URN, without regard to case.
func (m ServiceModel) Called(name string) bool {
	return strings.EqualFold(m.ID, name) || strings.EqualFold(m.ID[strings.LastIndexByte(m.ID, ':')+1:], name)
}

// ActionPlace stands for an action's name in a URL of one's own.
const ActionPlace = "{action}"

// At is the service at a URL of one's own, which takes the same requests: it
// replaces scheme and host of each action's URL, and a Lambda function, which has
// none, is called at the URL itself.
func (m ServiceModel) At(own string) (ServiceModel, error) {
	actions := make(map[string]ServiceAction, len(m.Actions))
	for _, name := range slices.Sorted(maps.Keys(m.Actions)) {
		a := m.Actions[name]
		base := strings.ReplaceAll(own, ActionPlace, url.PathEscape(name))
		if err := checkOwnURL(base); err != nil {
			return m, fmt.Errorf("the URL of the service %s: %w", m.ID, err)
		}
		path := pathOf(a.URL)
		switch {
		case path == "" || path == "/":
			a.URL = base
		case strings.ContainsAny(base, "?#"):
			return m, fmt.Errorf("the URL of the service %s has a query, and its action %s has a path of its own, %s; write the URL without one", m.ID, name, path)
		default:
			a.URL = strings.TrimSuffix(base, "/") + path
		}
		a.Cloud = ""
		actions[name] = a
	}
	m.Actions = actions
	return m, nil
}

// pathOf is what follows scheme and host, with ${…} in it; "" if nothing does.
func pathOf(text string) string {
	_, rest, ok := strings.Cut(text, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return rest[i:]
	}
	return ""
}

func checkOwnURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("write http://HOST/PATH or https://HOST/PATH")
	case u.User != nil:
		return fmt.Errorf("a user does not belong into it; send a header")
	case strings.Contains(text, "${") || strings.Contains(text, "$macro("):
		return fmt.Errorf("values have no place in it; only %s is filled in", ActionPlace)
	}
	return nil
}

// Undescribed describes the services that definitions call, that no model describes and
// of which there is a URL of one's own: a step's arguments are sent there as one JSON
// object. at returns the URL of a service, if there is one.
func Undescribed(defs []*Definition, described []ServiceModel, at func(id string) (string, bool)) ([]ServiceModel, error) {
	var made []ServiceModel
	for _, def := range defs {
		for _, s := range def.Steps {
			call, ok := s.Activity.(*ServiceCall)
			if !ok {
				continue
			}
			if _, ok := FindService(described, call.Service); ok {
				continue
			}
			if _, ok := at(call.Service); !ok {
				continue
			}
			i := slices.IndexFunc(made, func(m ServiceModel) bool { return strings.EqualFold(m.ID, call.Service) })
			if i < 0 {
				i = len(made)
				made = append(made, ServiceModel{ID: call.Service, Actions: map[string]ServiceAction{}})
			}
			a, ok := made[i].Actions[call.Action]
			if !ok {
				a = ServiceAction{Method: http.MethodPost, Params: map[string]device.ValueType{}, Body: map[string]any{}}
			}
			for _, arg := range call.Args {
				a.Params[arg.Name], a.Body[arg.Name] = device.AnyType, "${"+arg.Name+"}"
			}
			made[i].Actions[call.Action] = a
		}
	}
	for i, m := range made {
		own, _ := at(m.ID)
		var err error
		if made[i], err = m.At(own); err != nil {
			return nil, err
		}
	}
	return made, nil
}
