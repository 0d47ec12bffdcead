package tdm

import (
	"strings"
	"testing"

	"pithings/flow"
	"pithings/flow/flowyaml"
)

// TestExportRefusesTime: what Things Graph's language cannot say of time, vars and flows
// in steps is refused with words, at its place.
func TestExportRefusesTime(t *testing.T) {
	const text = `name: X
vars: {n: 0}
triggers:
  - {name: Daily, at: "07:00", start: A}
  - {name: Held, thing: lamp, event: State, when: value && vars.n < 3, for: 5m, start: A}
flows:
  - name: A
    steps:
      - {name: W, wait: 5m}
      - {name: S, set: {n: "${vars.n + 1}"}}
      - {name: F, flow: B}
  - name: B
    steps:
      - {name: D, thing: lamp, action: on, when: now.hour > 6}
`
	f, err := flowyaml.Parse("x.yaml", []byte(text), flow.Known{})
	if err != nil {
		t.Fatal(err)
	}
	f.Deployment.Things[0].Model = "urn:tdm:aws:DeviceModel:Lamp"
	_, err = Export(f.Deployment, Models{})
	if err == nil {
		t.Fatal("it was exported")
	}
	for _, says := range []string{"cannot say vars", "cannot say at: 07:00, of the trigger Daily", "cannot say for: 5m0s, of the trigger Held", "the variable vars, of the trigger Held",
		"x.yaml:9:9: Things Graph's language cannot say wait: 5m0s, of the step W", "cannot say set, of the step S", "cannot say flow: B, of the step F"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("no %q in\n%v", says, err)
		}
	}
}
