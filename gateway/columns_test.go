package gateway_test

import (
	"encoding/json"
	"testing"

	"pithings/gateway"
)

// A column is a text or JSON, and says which by itself.
func TestColumns(t *testing.T) {
	for raw, want := range map[string]struct{ column, text string }{
		`"DB1"`:            {"DB1", "DB1"},
		`"40001"`:          {`"40001"`, "40001"},
		`40001`:            {"40001", "40001"},
		`""`:               {`""`, ""},
		`" 5"`:             {" 5", " 5"},
		`true`:             {"true", "true"},
		`null`:             {"null", "null"},
		`{"a": [1, 2]}`:    {`{"a":[1,2]}`, `{"a":[1,2]}`},
		`"{\"a\": 1}"`:     {`"{\"a\": 1}"`, `{"a": 1}`},
		`"\"quoted\""`:     {`"\"quoted\""`, `"quoted"`},
		`"\u00b0C \u003c"`: {"°C <", "°C <"},
	} {
		if got := gateway.Column(json.RawMessage(raw)); got != want.column || gateway.Text(got) != want.text {
			t.Errorf("%s: column %s, text %s; want %s, %s", raw, got, gateway.Text(got), want.column, want.text)
		}
	}
	got := gateway.Columns(map[string]string{"json": `{"addr":"40001","args":{"slaveAddr":1},"unit":"x"}`, "Future": "7"})
	if len(got) != 4 || got["addr"] != `"40001"` || got["args"] != `{"slaveAddr":1}` || got["unit"] != "x" || got["Future"] != "7" {
		t.Errorf("%v", got)
	}
	if kept := map[string]string{"json": "no object"}; gateway.Columns(kept)["json"] != "no object" {
		t.Error("a column named json is lost")
	}
}
