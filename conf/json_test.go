package conf

import (
	"reflect"
	"testing"
)

// Means finds other spellings of a value, and no others.
func TestMeans(t *testing.T) {
	var s struct {
		Time   Duration          `json:"time" default:"90s" min:"1s" max:"1h"`
		Count  int               `json:"count" default:"3"`
		Rate   float64           `json:"rate" default:"2.5"`
		On     bool              `json:"on" default:"true"`
		Text   string            `json:"text" default:"3"`
		List   []string          `json:"list"`
		Labels map[string]string `json:"labels"`
		Secret Secret            `json:"secret" default:"hidden"`
	}
	Fill(&s)
	s.List, s.Labels = []string{"a", "b"}, map[string]string{"a": "1"}
	fields := map[string]Field{}
	for _, f := range Fields(&s) {
		fields[f.Key] = f
	}
	for _, x := range []struct {
		key   string
		value any
		json  any
		means bool
	}{
		{"time", "1m30s", "1m30s", true},
		{"time", "90s", "1m30s", true},
		{"time", "91s", "1m30s", false},
		{"time", "2h", "1m30s", false}, // out of range
		{"time", 90.0, "1m30s", false},
		{"count", 3.0, 3.0, true},
		{"count", 3.5, 3.0, false},
		{"count", nil, 3.0, false},
		{"rate", 2.5, 2.5, true},
		{"on", true, true, true},
		{"on", false, true, false},
		{"text", "3", "3", true},
		{"list", []any{"a", "b"}, []any{"a", "b"}, true},
		{"list", []any{"b", "a"}, []any{"a", "b"}, false},
		{"list", "a", []any{"a", "b"}, false},
		{"labels", map[string]any{"a": "1"}, map[string]any{"a": "1"}, true},
		{"secret", "guess", "[set]", false},
	} {
		f := fields[x.key]
		if got := f.JSON(); !reflect.DeepEqual(got, x.json) {
			t.Errorf("%s is %v", x.key, got)
		}
		if got := f.Means(x.value); got != x.means {
			t.Errorf("%s as %v: %v", x.key, x.value, got)
		}
	}
	if s.Time.String() != "1m30s" || s.Count != 3 {
		t.Errorf("the values have changed: %+v", s)
	}
}
