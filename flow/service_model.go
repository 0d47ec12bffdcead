package flow

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// ServiceModel describes a web service: what its actions send and get.
type ServiceModel struct {
	// ID is the service's name: a URN of Things Graph, or any other.
	ID      string                   `yaml:"id,omitempty" json:"id,omitempty"`
	Actions map[string]ServiceAction `yaml:"actions,omitempty" json:"actions,omitempty"`
}

// ServiceAction is one request. Its texts hold ${name} for params.
type ServiceAction struct {
	Params map[string]ValueType `yaml:"params,omitempty" json:"params,omitempty"`
	Method string               `yaml:"method" json:"method"`
	URL    string               `yaml:"url,omitempty" json:"url,omitempty"`
	Header map[string]any       `yaml:"header,omitempty" json:"header,omitempty"`
	Query  map[string]any       `yaml:"query,omitempty" json:"query,omitempty"`
	// Body is a JSON object: its keys hold what an [ActionModel]'s request does.
	Body map[string]any `yaml:"body,omitempty" json:"body,omitempty"`
	// Text is the body instead, as it is sent.
	Text   string  `yaml:"text,omitempty" json:"text,omitempty"`
	Result Payload `yaml:"result,omitempty" json:"result,omitzero"`
	// Cloud says why the request cannot be sent as it is: "a Lambda function",
	// "signed by AWS". It needs a URL of one's own, which takes the same request.
	Cloud string `yaml:"cloud,omitempty" json:"cloud,omitempty"`
}

// Validate says what is wrong with a model.
func (m ServiceModel) Validate() error {
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	for _, name := range slices.Sorted(maps.Keys(m.Actions)) {
		a := m.Actions[name]
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
		if err := a.Result.check(); err != nil {
			return fmt.Errorf("service %s, action %s: %w", m.ID, name, err)
		}
	}
	if len(m.Actions) == 0 {
		return fmt.Errorf("service %s has no actions", m.ID)
	}
	return nil
}
