package playground

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestPayloads(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	for _, tc := range []struct {
		text string
		says string // "": it is taken
	}{
		{`{}`, ""}, {` {"temp": 31} `, ""}, {`{"a":[1,"x",null,{"b":true}]}`, ""}, {deep(MaxDepth), ""},
		{deep(MaxDepth + 1), "in each other"},
		{`[1]`, "no JSON object"}, {`31`, "no JSON object"}, {``, "no JSON object"}, {`{"a":`, "no JSON object"}, {`{"a" 1}`, "no JSON object"}, {`{} {}`, "behind"}, {`{}x`, "behind"},
		{`{"a":"` + strings.Repeat("x", MaxPayload) + `"}`, "at most 8192"},
		{strings.Repeat(`{"a":`, MaxPayload/5), "in each other"},
	} {
		err := CheckPayload([]byte(tc.text))
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%.50s: %v, want %q", tc.text, err, tc.says)
		}
	}
}

// FuzzPayload: what is taken is JSON that another reader takes, too.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,{}]}`, `{"a"`, "[]", "{}{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if CheckPayload(text) == nil && !isObject(text) {
			t.Errorf("%q is taken", text)
		}
	})
}

func isObject(text []byte) bool {
	var v map[string]any
	return len(text) <= MaxPayload && json.Unmarshal(bytes.TrimSpace(text), &v) == nil && v != nil
}
