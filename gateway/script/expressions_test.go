package script

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Each expression gives what CPython 3.11 printed for testdata/expressions.json: the repr
// of the value, or "!Type: text" of the exception.
func TestExpressions(t *testing.T) {
	data, err := os.ReadFile("testdata/expressions.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][2]string
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 150 {
		t.Fatalf("only %d expressions", len(rows))
	}
	for _, row := range rows {
		if got := evaluate(t, row[0]); got != row[1] {
			t.Errorf("%s\n got %s\nwant %s", row[0], got, row[1])
		}
	}
}

const prelude = `import json, time, math, copy
from datetime import datetime, timedelta
from collections import OrderedDict
try:
    result = EXPRESSION
    result = repr(result)
except Exception as e:
    result = "!" + type(e).__name__ + ": " + str(e)
`

func evaluate(t *testing.T, expression string) string {
	t.Helper()
	p, err := Compile("expression", strings.Replace(prelude, "EXPRESSION", expression, 1))
	if err != nil {
		return "!" + err.Error()
	}
	s, err := New(context.Background(), p, Options{})
	if err != nil {
		return "!" + err.Error()
	}
	return string(s.Global("result").(Str))
}
