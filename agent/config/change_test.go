package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/things"
)

// everyKey lists all keys that a configuration can have. Those of a thing have the name of
// its type in their path: things[motion].pin.
func everyKey() map[string]conf.Field {
	keys := map[string]conf.Field{}
	for _, f := range conf.Leaves(new(Config)) {
		if !strings.HasPrefix(f.Path, "things[]") {
			keys[f.Path] = f.Field
		}
	}
	for _, name := range things.KindNames() {
		t := newThing(name)
		for _, f := range conf.Leaves(&t) {
			keys["things["+name+"]."+f.Path] = f.Field
		}
	}
	return keys
}

// Each key says from where it may be changed. Which ones only on the machine is in
// testdata/local-keys.txt, so that a change of that is seen: -update writes it.
func TestEveryKeySaysFromWhereItMayBeChanged(t *testing.T) {
	var local []string
	keys := everyKey()
	if len(keys) < 250 {
		t.Errorf("only %d keys", len(keys))
	}
	for path, f := range keys {
		switch f.Change() {
		case conf.Local:
			if !strings.Contains(path, "].mqtt.") { // as mqtt.
				local = append(local, path)
			}
		case conf.WithSecret:
			if f.Tag.Get("secret") == "" {
				t.Errorf("%s does not name its secret", path)
			}
			if !strings.Contains(path, "].mqtt.") {
				local = append(local, path+" (with secret)")
			}
		case conf.Afar:
		default:
			t.Errorf("%s has change:%q in its tags; write change:\"afar\" or change:\"local\"", path, f.Change())
		}
	}
	slices.Sort(local)
	got := strings.Join(local, "\n") + "\n"
	golden := filepath.Join("testdata", "local-keys.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the local keys are\n%s\nand not those of %s", got, golden)
	}
}

// Whoever could change these from afar could take the machine over, or cut it off.
func TestWhatOpensTheMachineIsLocal(t *testing.T) {
	for path, f := range everyKey() {
		last := path[strings.LastIndex(path, ".")+1:]
		inGateway := strings.HasPrefix(path, "gateway.") // whose devices are names of things
		dangerous := f.Secret() || f.Tag.Get("form") != "" || f.Tag.Get("file") != "" || f.Tag.Get("expand") == "path" ||
			slices.Contains([]string{"listen", "endpoint", "client_id", "bus", "device", "allow_hosts", "allow_anonymous", "secrets", "state"}, last) && !(inGateway && last == "device")
		switch f.Change() {
		case conf.Afar:
			if dangerous {
				t.Errorf("%s may be changed from afar", path)
			}
		case conf.WithSecret: // a broker with its password, and nothing else
			if !strings.HasPrefix(path, "mqtt.") && !strings.Contains(path, "].mqtt.") || !slices.Contains([]string{"endpoint", "username", "password", "server_name"}, last) {
				t.Errorf("%s may be changed from afar with a secret", path)
			}
		}
	}
}

// The example marks the local keys, or the section that has no others.
func TestExampleMarksLocalKeys(t *testing.T) {
	c, _ := parse(t, string(fullExample()))
	lines := strings.Split(string(fullExample()), "\n")
	marked := func(path, mark string) bool {
		for ; path != "" && !strings.HasSuffix(path, "]"); path = path[:max(0, strings.LastIndex(path, "."))] {
			if at := c.places.Problem(path, "", ""); at.Line > 0 && c.places.Given(path) && strings.Contains(lines[at.Line-1], "# ["+mark+"]") {
				return true
			}
		}
		return false
	}
	check := func(path string, f conf.Field) {
		path, _, _ = strings.Cut(path, "[]")
		for change, mark := range map[conf.Change]string{conf.Local: "local", conf.WithSecret: "with secret"} {
			if is := f.Change() == change; is != marked(path, mark) {
				t.Errorf("%s: %s %v, marked in the example %v", path, mark, is, marked(path, mark))
			}
		}
	}
	for _, f := range conf.Leaves(new(Config)) {
		inGateway := strings.HasPrefix(f.Path, "gateway.") && strings.Contains(f.Path, "[]") // comments
		if !strings.HasPrefix(f.Path, "things[]") && !strings.HasPrefix(f.Path, "flows[]") && !inGateway {
			check(f.Path, f.Field)
		}
	}
	for i, name := range things.KindNames() {
		thing := newThing(name)
		for _, f := range conf.Leaves(&thing) {
			if !strings.HasPrefix(f.Path, "mqtt.") {
				check("things["+string(rune('0'+i))+"]."+f.Path, f.Field)
			}
		}
	}
	for _, f := range conf.Leaves(new(Flow)) {
		check("flows[0]."+f.Path, f.Field)
	}
}

// The schema and the effective values have the marks, too.
func TestSchemaAndValuesSayFromWhereAKeyMayBeChanged(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Change     conf.Change        `json:"x-change"`
		Properties map[string]*object `json:"properties"`
		Defs       map[string]*object `json:"$defs"`
	}
	var root object
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	for path, s := range map[string]*object{
		"mqtt.key":     root.Properties["mqtt"].Properties["key"],
		"log.level":    root.Properties["log"].Properties["level"],
		"motion.type":  root.Defs["motion"].Properties["type"],
		"motion.pin":   root.Defs["motion"].Properties["pin"],
		"motion.hold":  root.Defs["motion"].Properties["hold"],
		"screen.topic": root.Defs["screen"].Properties["topics"],
	} {
		want := conf.Local
		if slices.Contains([]string{"log.level", "motion.hold", "screen.topic"}, path) {
			want = conf.Afar
		}
		if s.Change != want {
			t.Errorf("schema of %s: %q, want %q", path, s.Change, want)
		}
	}
	if s := root.Properties["mqtt"]; s.Change != "" {
		t.Errorf("a section has %q", s.Change)
	}
	seen := map[string]conf.Change{}
	for _, v := range Mock().Values() {
		seen[v.Path] = v.Change
	}
	if seen["mqtt.key"] != conf.Local || seen["things[0].pin"] != conf.Local || seen["things[1].interval"] != conf.Afar {
		t.Errorf("values have %v", seen)
	}
}
