package supervisor_test

import (
	"strings"
	"testing"

	"pithings/gateway/supervisor"
)

// A variable without a name is exported under that of its value, and one that is every quantity
// of its device is left out, with a note: a file with it could not be imported.
func TestVariablesWithoutAName(t *testing.T) {
	s := decode(t, "gateway: {variables: [{device: env, value: temperature}, {device: lamp}]}")
	csv, notes, err := supervisor.ExportCSV(s)
	if err != nil {
		t.Fatal(err)
	}
	second, more, err := supervisor.ExportJSON(s)
	if err != nil {
		t.Fatal(err)
	}
	first, most, err := supervisor.ExportFirst(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range [][]string{notes, more, most} {
		if !strings.Contains(strings.Join(all, "\n"), "are not exported: give each a name (lamp)") {
			t.Errorf("notes %q", all)
		}
	}
	for _, files := range [][]supervisor.File{csv, {{Name: "second.json", Data: second}}, {{Name: "first.json", Data: first}}} {
		again, err := supervisor.Import(files)
		if err != nil {
			t.Errorf("%s: %v", files[0].Name, err)
			continue
		}
		if v := again.Settings.Variables; len(v) != 1 || v[0].Name != "temperature" || v[0].Device != "env" {
			t.Errorf("%s: %+v", files[0].Name, v)
		}
	}
}
