package device

import (
	"errors"
	"strings"
	"testing"
)

// An input is checked by the description of the action alone.
func TestInputs(t *testing.T) {
	a := ActionModel{
		Params: map[string]ValueType{"state": StringType, "level": IntegerType, "share": NumberType, "now": BooleanType, "more": ObjectType, "any": AnyType},
		Inputs: map[string]Input{"state": {Required: true, Values: []string{"on", "off"}}, "now": {Doc: "at once"}},
	}
	for name, tc := range map[string]struct {
		input map[string]any
		want  string
	}{
		"all":         {map[string]any{"state": "on", "level": 3.0, "share": 0.5, "now": true, "more": map[string]any{}, "any": nil}, ""},
		"least":       {map[string]any{"state": "off"}, ""},
		"missing":     {map[string]any{"level": 3.0}, `"state" is missing`},
		"nothing":     {nil, `"state" is missing`},
		"no such":     {map[string]any{"state": "on", "speed": 1.0}, `takes no "speed"`},
		"none of":     {map[string]any{"state": "ON"}, `one of ["on" "off"]`},
		"text":        {map[string]any{"state": 1.0}, "of type string"},
		"fraction":    {map[string]any{"state": "on", "level": 1.5}, "of type integer"},
		"number":      {map[string]any{"state": "on", "share": "0.5"}, "of type number"},
		"null":        {map[string]any{"state": "on", "share": nil}, "of type number"},
		"truth":       {map[string]any{"state": "on", "now": "yes"}, "of type boolean"},
		"object":      {map[string]any{"state": "on", "more": []any{}}, "of type object"},
		"list of any": {map[string]any{"state": "on", "any": []any{1.0}}, ""},
	} {
		err := a.Check(tc.input)
		_, wrong := errors.AsType[InputError](err)
		if (err == nil) != (tc.want == "") || err != nil && (!wrong || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	if err := (ActionModel{}).Check(map[string]any{"x": 1.0}); err == nil || !strings.Contains(err.Error(), "it takes nothing") {
		t.Errorf("an action without params: %v", err)
	}
}
