package things

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	mqttcommand "pithings/awsiot/command"
	"pithings/conf"
	"pithings/device"
)

// The tables of docs/command.md are made of the descriptions.
func TestCommandDocs(t *testing.T) {
	file := filepath.Join("..", "docs", "command.md")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := within(t, string(b), "types", ownTypesTable())
	text = within(t, text, "actions", actionsTable(t))
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != string(b) {
		t.Errorf("the tables of %s are out of date: go test ./things -update", file)
	}
}

func ownTypesTable() string {
	var b strings.Builder
	b.WriteString("| type | what it does | parameters | result |\n|---|---|---|---|\n")
	for _, o := range mqttcommand.Own() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", o.Name, o.Doc, typedKeys(o.Params), o.Result)
	}
	return b.String()
}

// actionsTable has every action of every kind.
func actionsTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| kind | type | parameters | result |\n|---|---|---|---|\n")
	for _, k := range Kinds() {
		s := k.New()
		conf.Fill(s)
		s.Simulate()
		actions := k.Describe(s, nil).Model.Actions
		kind := "`" + k.Name + "`"
		for _, name := range slices.Sorted(maps.Keys(actions)) {
			a := actions[name]
			fmt.Fprintf(&b, "| %s | `{thing}/%s` | %s | %s |\n", kind, name, typedKeys(a.Params), typedKeys(a.Result.Keys))
			kind = ""
		}
		if commands := slices.ContainsFunc(k.Topics, func(t Topic) bool { return t.In }); commands && len(actions) == 0 {
			t.Errorf("%s takes commands, and has no action in the table", k.Name)
		}
	}
	return b.String()
}

func typedKeys(keys map[string]device.ValueType) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		all = append(all, fmt.Sprintf("`%s` (%s)", name, keys[name]))
	}
	return strings.Join(all, ", ")
}
