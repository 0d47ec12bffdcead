package scenario

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"
)

// short is a scenario to which faults are added.
const short = `name: short
interval: 10s
phases:
  - {name: night, for: 1m, connected: 20%, interval: 30s}
  - {name: morning, for: 2m, ramp: 500/s}
`

func TestParse(t *testing.T) {
	s, err := Parse("s.yaml", []byte(short+`types: {generic: 3, bulb: 1}
faults:
  - {at: morning+30s, do: break, share: 50%}
  - {at: 10s, do: reconnect, every: 5s, for: 20s, devices: 3}
  - {do: flood, rate: 50/s, for: 1m, group: bad}
  - {at: morning, do: oversize, size: 2KiB}
`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Devices != 100 || s.Ramp != 100 || s.Phases[0].Connected != 0.2 || s.Phases[1].Connected != 1 || s.Phases[1].Ramp != 500 {
		t.Errorf("%+v", s)
	}
	if f := s.Faults; f[0].At != (At{"morning", 30 * time.Second}) || f[0].Share != 0.5 || f[1].At != (At{"", 10 * time.Second}) || f[1].Devices != 3 ||
		f[2].At != (At{}) || f[2].Rate != 50 || f[2].Group != "bad" || f[3].Size != 2048 || f[3].At.Phase != "morning" {
		t.Errorf("%+v", f)
	}
	if got, want := s.TypeList(), []string{"generic", "bulb", "generic", "generic"}; !reflect.DeepEqual(got, want) {
		t.Errorf("types %q, want %q", got, want)
	}
}

// What is wrong is reported with its line.
func TestMistakes(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "s.yaml: the file is empty"},
		{"name: x", "s.yaml: the scenario has no phases; write at least one"},
		{"phases: [{name: a}]", "s.yaml: the scenario has no name; write what it is called"},
		{short + "fault: []", `s.yaml:6:1: scenario: unknown key "fault"; did you mean "faults"?`},
		{short + "devices: 0", `s.yaml:6:10: devices: "0" is out of range; from 1 to 100000`},
		{short + "ramp: 30000/s", `s.yaml:6:7: ramp: 30000/s is out of range; from 1/h to 20000/s`},
		{short + "ramp: unlimited", `ramp: unlimited is out of range`},
		{short + "types: {generic: many}", `s.yaml:6:18: generic: "many" are no parts; write a number from 0 to 1000`},
		{short + "types: {generic: 0}", `types: they have 0 parts together`},
		{"name: x\nphases:\n- {name: a}\n- {name: b}\n", "s.yaml:3:3: phase 1 has no for; only the last phase may last until Ctrl-C"},
		{"name: x\nphases:\n- {name: a, for: 1m}\n- {name: a}\n", `s.yaml:4:10: name: another phase is called "a", too`},
		{"name: x\nphases:\n- {name: 1st}\n", `s.yaml:3:10: name: "1st"; a phase is called by letters`},
		{"name: x\nphases:\n- {for: 1m}\n", "phase 1 has no name; write what it is called"},
		{"name: x\nphases:\n- {name: a, for: 10ms}\n", `s.yaml:3:18: for: "10ms" is out of range; from 1s to 24h`},
		{"name: x\nphases:\n- {name: a, connected: 20}\n", `s.yaml:3:24: connected: "20" is not a share; write 20%, or 0.5%`},
		{"name: x\nphases:\n- {name: a, connected: 101%}\n", `"101%" is out of range; a share is from 0% to 100%`},
		{"name: x\nphases: [" + strings.Repeat("{name: a, for: 1s}, ", 51) + "]", "phases: there are 51, and at most 50 are taken"},
		{"name: x\nphases: [" + strings.Repeat("{name: a, for: 24h}, ", 9) + "]", "the scenario is longer than 168h"},
		{short + "faults: [" + strings.Repeat("{do: break}, ", 101) + "]", "faults: there are 101, and at most 100 are taken"},
		{short + "faults: [{at: noon, do: break}]", `s.yaml:6:15: at: there is no phase "noon"; known: night, morning`},
		{short + "faults: [{at: mornin+3s, do: break}]", `did you mean "morning"?`},
		{short + "faults: [{at: morning+3, do: break}]", `"3" has no unit; write 3s or 3ms; a time is 90s, or morning+30s`},
		{short + "faults: [{at: morning+, do: break}]", `is not a duration`},
		{short + "faults: [{at: 3m, do: break}]", `s.yaml:6:15: at: 3m is behind the end of the scenario, which is at 3m`},
		{short + "faults: [{do: brake}]", `s.yaml:6:15: do: there is no fault "brake"; did you mean "break"?`},
		{short + "faults: [{at: 1s}]", "s.yaml:6:10: a fault has no do; write what goes wrong"},
		{short + "faults: [{do: break, for: 3s}]", "s.yaml:6:27: for: break is of a moment; write how often with every, or remove it"},
		{short + "faults: [{do: silent, every: 3s}]", "s.yaml:6:30: every: it is not of silent; remove it"},
		{short + "faults: [{do: break, rate: 3/s}]", "rate: it is not of break; remove it"},
		{short + "faults: [{do: break, size: 3KiB}]", "size: it is not of break; remove it"},
		{short + "faults: [{do: flood, rate: 30/min}]", "rate: 1800/h is out of range; from 1/s to 1000/s"},
		{short + "faults: [{do: oversize, size: 1}]", "out of range"},
		{short + "faults: [{do: break, share: 1%, devices: 3}]", "devices: share says how many, too; give one of them"},
		{"name: x\nphases: [{name: a}]\nfaults: [{do: break, every: 1s}]", "every: write with for how long, because the scenario has no end"},
		{"name: x\nphases: [{name: a}]\nfaults: [{do: break, every: 1s, for: 1h}]", "every: with this one more than 2000 things are done; do it less often"},
	} {
		_, err := Parse("s.yaml", []byte(tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
		if strings.Contains(tc.want, "brake") && strings.Contains(err.Error(), "\n") {
			t.Errorf("two mistakes are reported where there is one: %v", err)
		}
	}
}

// Those that are built in are right, and name themselves.
func TestReady(t *testing.T) {
	if n := len(Ready()); n < 3 {
		t.Fatalf("%d are built in", n)
	}
	for _, name := range Ready() {
		text, ok := Text(name)
		s, err := Parse(name, text)
		if !ok || err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p, err := NewPlan(s, s.Devices, 1)
		if err != nil || p.End == Never || s.About == "" {
			t.Errorf("%s: %v; it ends at %v", name, err, p.End)
		}
	}
	if _, ok := Text("../parse"); ok {
		t.Error("a name leads elsewhere")
	}
}

// The schema takes what Parse takes, and refuses keys and values that it refuses.
func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	good := []string{short}
	for _, name := range Ready() {
		text, _ := Text(name)
		good = append(good, string(text))
	}
	for _, text := range good {
		if err := r.Validate(document(t, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"name: x", short + "fault: []", short + "devices: 0", short + "faults: [{do: brake}]", short + "faults: [{at: 1s}]", short + "faults: [{do: break, share: 3}]"} {
		if r.Validate(document(t, text)) == nil {
			t.Errorf("accepted:\n%s", text)
		}
	}
}

func document(t *testing.T, text string) (v any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	text2, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text2, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzParse: whatever the file, there is a plan within bounds, or problems.
func FuzzParse(f *testing.F) {
	f.Add([]byte(short + "faults: [{at: morning+30s, do: break, share: 50%, every: 3s, for: 10s}, {do: flood}]"))
	for _, name := range Ready() {
		text, _ := Text(name)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("f.yaml", text)
		if err != nil {
			return
		}
		p, err := NewPlan(s, 50, 7)
		if err != nil {
			return
		}
		if len(p.Steps) == 0 || len(p.Steps) > 2*maxSteps || len(s.TypeList()) > maxParts {
			t.Fatalf("%d steps, %d types", len(p.Steps), len(s.TypeList()))
		}
		track, last := p.Track(17), time.Duration(0)
		for range 200 {
			item := track.Next()
			if item.At == Never {
				break
			}
			if item.At < last || item.At >= p.End {
				t.Fatalf("%v behind %v; the end is %v", item.At, last, p.End)
			}
			last = item.At
		}
	})
}
