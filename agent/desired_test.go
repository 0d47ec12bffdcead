package agent

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pithings/agent/config"
	"pithings/awsiot/shadow"
	"pithings/conf"
	"pithings/spool/accepted"
	"pithings/things"
)

// everyKind is a configuration with a thing of every kind, each under the kind's name.
func everyKind(t *testing.T) (load func(config.Over) (*config.Config, []conf.Warning, error)) {
	t.Helper()
	text := "mqtt: {endpoint: \"mqtt://localhost:1883\"}\nthings:\n"
	for _, k := range things.Kinds() {
		simulated := k.New()
		simulated.Simulate()
		keys := map[string]any{"name": k.Name, "type": k.Name}
		for _, f := range conf.Fields(simulated) {
			if f.Required() {
				keys[f.Key] = f.JSON()
			}
		}
		line, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		text += "  - " + string(line) + "\n"
	}
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(over config.Over) (*config.Config, []conf.Warning, error) {
		return config.LoadWith(file, nil, config.With{Over: over})
	}
}

// For every key of the schema: what may be changed on the machine only is rejected by its name,
// or that of the list or section that it is in, and changes nothing.
func TestShadowsChangeNoLocalKey(t *testing.T) {
	load := everyKind(t)
	c, _, err := load(func(*config.Config, []byte) (*config.Layer, []conf.Warning) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	locals, afar := 0, 0
	try := func(d desire, keys config.Keys, leaf conf.Leaf) {
		t.Helper()
		parts := strings.Split(leaf.Path, ".")
		var value any = "x"
		for i, part := range slices.Backward(parts) {
			name, list := strings.CutSuffix(part, "[]")
			if list {
				value = []any{value}
			}
			if value = map[string]any{name: value}; i == 0 {
				d.state = value.(map[string]any)
			}
		}
		l := &laying{desire: &d, load: load, folder: t.TempDir(), keys: keys}
		rejected, next := l.lay()
		path := strings.ReplaceAll(leaf.Path, "[]", "")
		if leaf.Change() == conf.Afar {
			afar++
			for key, why := range rejected {
				if strings.Contains(why, "machine only") && key == path {
					t.Errorf("%s %s is rejected as a local key", d.from(), path)
				}
			}
			return
		}
		locals++
		if next != nil || len(rejected) != 1 {
			t.Errorf("%s: %s: rejected %v, next %v", d.from(), path, rejected, next)
		}
		for key, why := range rejected {
			if why != shadow.ErrLocal.Error() || path != key && !strings.HasPrefix(path, key+".") {
				t.Errorf("%s: %s is rejected as %s: %s", d.from(), path, key, why)
			}
		}
	}
	for _, leaf := range conf.Leaves(new(config.Config)) {
		try(desire{}, c.OwnKeys(), leaf)
	}
	for i := range c.Things {
		of := &c.Things[i]
		for _, leaf := range conf.Leaves(of) {
			try(desire{shadow: of.Name, within: []string{"things", of.Name}}, of.Keys(), leaf)
		}
	}
	if locals < 100 || afar < 100 {
		t.Errorf("%d local keys and %d others were tried", locals, afar)
	}
}

// All that may be changed from afar has room in the shadows, as it is by default, and is no deeper
// than they may be; no local key is among it.
func TestReportedFits(t *testing.T) {
	c, _, err := everyKind(t)(func(*config.Config, []byte) (*config.Layer, []conf.Warning) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]config.Keys{"": c.OwnKeys()}
	for i := range c.Things {
		all[c.Things[i].Name] = c.Things[i].Keys()
	}
	for name, keys := range all {
		reported := keys.Afar()
		m := shadow.NewMachine(shadow.Config{})
		if err := m.Applied(shadow.Outcome{Reported: reported}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		o := shadow.Outcome{Reported: reported}
		if left := o.Fit(nil); len(left) > 0 {
			t.Errorf("%s: %v have no room", name, left)
		}
		var walk func(tree map[string]any, path string)
		walk = func(tree map[string]any, path string) {
			for key, v := range tree {
				at := conf.Join(path, key)
				change, ok := keys.Key(at)
				if inner, isObject := v.(map[string]any); isObject && !ok {
					walk(inner, at)
				} else if change != conf.Afar {
					t.Errorf("%s reports %s, which is %q", name, at, change)
				}
			}
		}
		walk(reported, "")
	}
}

// One wrong value keeps no other from taking effect, and the old value
// stays where one is wrong.
func TestLaying(t *testing.T) {
	load := everyKind(t)
	c, _, err := load(func(*config.Config, []byte) (*config.Layer, []conf.Warning) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, laid, desired, want string
		rejected                  []string
		same                      bool
	}{
		{name: "nothing", laid: `{}`, desired: `{}`, want: `{}`, same: true},
		{name: "as before", laid: `{"log": {"level": "warn"}}`, desired: `{"log": {"level": "warn"}}`, same: true},
		{name: "one", laid: `{}`, desired: `{"log": {"level": "warn"}}`, want: `{"log": {"level": "warn"}}`},
		{name: "one is wrong", laid: `{"log": {"level": "warn"}, "mqtt": {"window": 9}}`, desired: `{"log": {"level": "loud"}, "mqtt": {"window": 8, "queue": {"drop": "none", "max": 5}}}`,
			want: `{"log": {"level": "warn"}, "mqtt": {"queue": {"max": 5}, "window": 8}}`, rejected: []string{"log.level", "mqtt.queue.drop"}},
		{name: "not desired any more", laid: `{"log": {"level": "warn"}, "mqtt": {"window": 9}}`, desired: `{"mqtt": {"window": 9}}`, want: `{"mqtt": {"window": 9}}`},
		{name: "a group", laid: `{}`, desired: `{"log": "debug"}`, rejected: []string{"log"}, same: true},
		{name: "an object", laid: `{}`, desired: `{"log": {"level": {"a": 1}}}`, rejected: []string{"log.level"}, same: true},
		{name: "things", laid: `{}`, desired: `{"things": {"motion": {"hold": "3s"}}}`, rejected: []string{"things"}, same: true},
		{name: "a dot", laid: `{}`, desired: `{"log.level": "warn"}`, rejected: []string{"log.level"}, same: true},
	} {
		l := &laying{desire: &desire{}, load: load, folder: t.TempDir(), keys: c.OwnKeys()}
		l.desire.state = object(t, x.desired)
		l.before.Settings = object(t, x.laid)
		l.before.Shadows = map[string]accepted.Shadow{"": {Laid: object(t, x.laid)}}
		rejected, next := l.lay()
		if got := slices.Sorted(maps.Keys(rejected)); !slices.Equal(got, x.rejected) {
			t.Errorf("%s: rejected %v", x.name, rejected)
		}
		if next == nil {
			if !x.same {
				t.Errorf("%s: nothing has changed", x.name)
			}
			continue
		}
		if want := object(t, x.want); x.same || !reflect.DeepEqual(next.Shadows[""].Laid, want) {
			t.Errorf("%s: %v is laid", x.name, next.Shadows[""].Laid)
		}
	}
}

// Few values are tried one by one; the others wait for a document with fewer.
func TestLayingTriesFewValues(t *testing.T) {
	load, loads := everyKind(t), 0
	c, _, err := load(func(*config.Config, []byte) (*config.Layer, []conf.Warning) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	extra := map[string]any{}
	for _, f := range c.OwnKeys() {
		extra[f.Key] = tooBig(f)
	}
	counted := func(over config.Over) (*config.Config, []conf.Warning, error) {
		loads++
		return load(over)
	}
	l := &laying{desire: &desire{state: extra}, load: counted, folder: t.TempDir(), keys: c.OwnKeys()}
	rejected, next := l.lay()
	if next != nil || loads < 10 || loads > maxTries+3 || !slices.Contains(slices.Collect(maps.Values(rejected)), errTooMany.Error()) {
		t.Errorf("%d configurations were read, rejected %v", loads, rejected)
	}
}

// tooBig is a value for a key, and all below it, that none of them can have.
func tooBig(f conf.Field) any {
	inner := f.Section()
	if inner == nil {
		return "\x00"
	}
	all := map[string]any{}
	for _, f := range inner {
		all[f.Key] = tooBig(f)
	}
	return all
}

func object(t *testing.T, text string) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil && text != "" {
		t.Fatal(err)
	}
	return v
}
