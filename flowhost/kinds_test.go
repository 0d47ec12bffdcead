package flowhost

import (
	"testing"

	"pithings/flow"
	"pithings/things"
)

// Every kind of thing can be used in flows: its model holds to the rules for those that
// documents have.
func TestEachKindHasAModel(t *testing.T) {
	for _, k := range things.Kinds() {
		d := usual(k)
		if err := flow.ValidateModel(d.model); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
		for name, a := range d.model.Actions {
			input := map[string]any{}
			for param := range a.Params {
				input[param] = "x"
			}
			if _, err := d.wire.Actions[name].Request(input); err != nil {
				t.Errorf("%s: action %s takes no params: %v", k.Name, name, err)
			}
		}
	}
}
