package flow

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"pithings/device"
)

// ServiceModel describes a web service: what its actions send and get.
type ServiceModel struct {
	// ID is the service's name: a URN of Things Graph, or any other.
	ID      string                   `yaml:"id,omitempty" json:"id,omitempty"`
	Actions map[string]ServiceAction `yaml:"actions,omitempty" json:"actions,omitempty"`
	// Secrets are names for what files hold, by the files' names in a folder that
	// only who runs the flows chooses: {token: ntfy}. The texts of the actions
	// use them as they use params, and no step can give them.
	Secrets map[string]string `yaml:"secrets,omitempty" json:"secrets,omitempty"`
}

// ServiceAction is one request. Its texts hold ${name} for params.
type ServiceAction struct {
	Params map[string]device.ValueType `yaml:"params,omitempty" json:"params,omitempty"`
	Method string                      `yaml:"method" json:"method"`
	URL    string                      `yaml:"url,omitempty" json:"url,omitempty"`
	Header map[string]any              `yaml:"header,omitempty" json:"header,omitempty"`
	Query  map[string]any              `yaml:"query,omitempty" json:"query,omitempty"`
	// Body is a JSON object: its keys hold what an [device.ActionModel]'s request does.
	Body map[string]any `yaml:"body,omitempty" json:"body,omitempty"`
	// Text is the body instead, as it is sent.
	Text   string         `yaml:"text,omitempty" json:"text,omitempty"`
	Result device.Payload `yaml:"result,omitempty" json:"result,omitzero"`
	// Cloud says why the request cannot be sent as it is: "a Lambda function",
	// "signed by AWS". It needs a URL of one's own, which takes the same request.
	Cloud string `yaml:"cloud,omitempty" json:"cloud,omitempty"`
}

// FindService finds a service by its ID, whatever its case.
func FindService(services []ServiceModel, id string) (ServiceModel, bool) {
	i := slices.IndexFunc(services, func(m ServiceModel) bool { return strings.EqualFold(m.ID, id) })
	if i < 0 {
		return ServiceModel{}, false
	}
	return services[i], true
}

// Action returns the action of that name, whatever its case.
func (m ServiceModel) Action(name string) (ServiceAction, bool) { return device.Named(m.Actions, name) }

// Validate says what is wrong with a model.
func (m ServiceModel) Validate() error {
	for _, name := range slices.Sorted(maps.Keys(m.Actions)) {
		if err := m.checkAction(name); err != nil {
			return err
		}
	}
	if len(m.Actions) == 0 {
		return fmt.Errorf("service %s has no actions", m.ID)
	}
	return m.checkSecrets()
}

// checkAction checks one action.
func (m ServiceModel) checkAction(name string) error {
	a := m.Actions[name]
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	if !slices.Contains(methods, a.Method) {
		return fmt.Errorf("service %s, action %s: method %q is none of %v", m.ID, name, a.Method, methods)
	}
	if a.URL == "" && a.Cloud == "" {
		return fmt.Errorf("service %s, action %s has no url", m.ID, name)
	}
	if a.Text != "" && len(a.Body) > 0 {
		return fmt.Errorf("service %s, action %s has a body and a text; write one of them", m.ID, name)
	}
	if err := checkTypes(a.Params); err != nil {
		return fmt.Errorf("service %s, action %s: %w", m.ID, name, err)
	}
	for i, part := range []map[string]any{a.Header, a.Query, a.Body} {
		if err := checkRequest([]string{"header", "query", "body"}[i], part); err != nil {
			return fmt.Errorf("service %s, action %s: %w", m.ID, name, err)
		}
	}
	if err := checkPayload(a.Result); err != nil {
		return fmt.Errorf("service %s, action %s: %w", m.ID, name, err)
	}
	return nil
}

// checkSecrets checks the files of the secrets, and that no param has the name of one.
func (m ServiceModel) checkSecrets() error {
	for _, name := range slices.Sorted(maps.Keys(m.Secrets)) {
		file := m.Secrets[name]
		if name == "" || file == "" || file == "." || file == ".." || strings.ContainsAny(file, "/\\\x00") {
			return fmt.Errorf("service %s: the secret %q is the file %q; write the name of a file, without its folder", m.ID, name, file)
		}
		for _, action := range slices.Sorted(maps.Keys(m.Actions)) {
			if spelling(m.Actions[action].Params, name) != "" {
				return fmt.Errorf("service %s, action %s: the param %s has the name of a secret; give one of them another name", m.ID, action, name)
			}
		}
	}
	return nil
}
