package flow

import (
	"strings"
	"testing"
	"time"

	"pithings/device"
	"pithings/flow/expr"
)

func parsed(t *testing.T, source string) *expr.Expr {
	t.Helper()
	e, err := expr.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestValidate: mistakes are reported with what to write instead.
func TestValidate(t *testing.T) {
	steps := func(d *Deployment) []Step { return d.Flows[0].Definition.Steps }
	camera := func(d *Deployment) *DeviceAction { return steps(d)[0].Activity.(*DeviceAction) }
	for name, tc := range map[string]struct {
		change func(*Deployment)
		want   string // "" is no problem
	}{
		"as it is":                 {func(*Deployment) {}, ""},
		"no name":                  {func(d *Deployment) { d.Name = "" }, "a deployment has no name"},
		"a name with blanks":       {func(d *Deployment) { d.Name = "Room 215" }, `write "Room_215"`},
		"no flow":                  {func(d *Deployment) { d.Flows = nil }, "has no flow"},
		"a role twice":             {func(d *Deployment) { d.Things[1].Role = "screen" }, `a second role is named "screen"`},
		"a role without a thing":   {func(d *Deployment) { d.Things[1].Thing = "" }, `no thing plays the role "camera"; name one`},
		"an unknown role":          {func(d *Deployment) { camera(d).Role = "camra" }, `no thing plays the role "camra"; did you mean "camera"?`},
		"an unknown carrier":       {func(d *Deployment) { d.Things[0].Carrier = "pigeon" }, "write auto, local or broker"},
		"two flows of a name":      {func(d *Deployment) { d.Flows = append(d.Flows, d.Flows[0]) }, `a second flow is named "SecurityFlow"`},
		"two steps of a name":      {func(d *Deployment) { steps(d)[1].Name = "Camera" }, `a second step is named "Camera"`},
		"a step without a name":    {func(d *Deployment) { steps(d)[1].Name = "" }, "a step has no name"},
		"a name that rings":        {func(d *Deployment) { steps(d)[1].Name = "a\x07" }, "cannot be printed"},
		"no steps":                 {func(d *Deployment) { d.Flows[0].Definition.Steps = nil }, "has no steps"},
		"a step that does nothing": {func(d *Deployment) { steps(d)[0].Activity = nil }, "does nothing"},
		"no action":                {func(d *Deployment) { camera(d).Action = "" }, "names no action"},
		"no thing":                 {func(d *Deployment) { camera(d).Role = "" }, "names no thing"},
		"a step's unknown output":  {func(d *Deployment) { camera(d).Output = "camResult" }, `the output "camResult" is not among the flow's variables; did you mean "cameraResult"?`},
		"nobody sets the variable": {func(d *Deployment) { camera(d).Output = "" }, `uses the variable "cameraResult", but no step has it as its output`},
		"read before it is set":    {func(d *Deployment) { steps(d)[1].In = In{} }, "let it wait for step Camera"},
		"a check reads its own":    {func(d *Deployment) { steps(d)[0].Checks = []Check{{Condition: parsed(t, "cameraResult.x")}} }, ""},
		"a condition does not":     {func(d *Deployment) { steps(d)[0].Condition = parsed(t, "cameraResult.x") }, "no step before it has it"},
		"an unknown variable":      {func(d *Deployment) { steps(d)[1].Condition = parsed(t, "camResult.x") }, `unknown variable "camResult"; did you mean "cameraResult"?`},
		"the trigger's value":      {func(d *Deployment) { steps(d)[1].Condition = parsed(t, "value") }, `unknown variable "value"`},
		"Error outside a catch":    {func(d *Deployment) { steps(d)[1].Condition = parsed(t, "Error == 'x'") }, `unknown variable "Error"`},
		"Error in a catch":         {func(d *Deployment) { steps(d)[1].Catches = []Catch{{Condition: parsed(t, "Error == 'x'")}} }, ""},
		"a catch that fails":       {func(d *Deployment) { steps(d)[1].Catches = []Catch{{Do: []Statement{{Error: "x"}}}} }, "a catch cannot fail the step again"},
		"an event nobody sets":     {func(d *Deployment) { steps(d)[1].In.Events[0] = "cameraStepDon" }, `waits for the event "cameraStepDon", which no step sets; did you mean "cameraStepDone"?`},
		"an event of a catch": {func(d *Deployment) {
			steps(d)[0].Catches = []Catch{{Do: []Statement{{Event: "broken"}}}}
			steps(d)[1].In = In{When: parsed(t, "broken || cameraStepDone")}
		}, ""},
		"no expression over events": {func(d *Deployment) { steps(d)[1].In = In{When: parsed(t, "cameraStepDone > 1")} }, "no expression over events"},
		"an expression without any": {func(d *Deployment) { steps(d)[1].In = In{When: parsed(t, "1 == 1")} }, "an expression without any event"},
		"no start":                  {func(d *Deployment) { steps(d)[0].In.Events = []string{"cameraStepDone"} }, "every step waits for another"},
		"a loop": {func(d *Deployment) {
			steps(d)[1].Out = []string{"again"}
			steps(d)[0].In.When = parsed(t, "again || started")
			d.Flows[0].Definition.Steps = append(steps(d), Step{Name: "First", Out: []string{"started"}, Activity: &DeviceAction{Role: "screen", Action: "end"}})
		}, "steps wait for each other in a loop (Camera → Screen → Camera)"},
		"a time-out of a week":     {func(d *Deployment) { steps(d)[0].Timeout = 7 * 24 * time.Hour }, "write one from 1ms to 24h"},
		"a retry that shrinks":     {func(d *Deployment) { steps(d)[0].Retries = []Retry{{BackoffRate: 0.5}} }, "write 1 to 100"},
		"a retry of a day":         {func(d *Deployment) { steps(d)[0].Retries = []Retry{{Interval: 24 * time.Hour}} }, "write one from 1ms to 1h"},
		"a retry without end":      {func(d *Deployment) { steps(d)[0].Retries = []Retry{{MaxAttempts: 5000}} }, "write at most 1000"},
		"an argument twice":        {func(d *Deployment) { camera(d).Args = []Arg{{Name: "a"}, {Name: "a"}} }, `a second argument is named "a"`},
		"an empty choice":          {func(d *Deployment) { steps(d)[0].Activity = &Choice{} }, "neither rules nor a default"},
		"a rule without condition": {func(d *Deployment) { steps(d)[0].Activity = &Choice{Rules: []Rule{{}}} }, "rule 1 has no condition"},
		"an unknown service": {func(d *Deployment) {
			steps(d)[0].Activity = &ServiceCall{Service: "x", Action: "y", Output: "cameraResult"}
		}, `the web service "x" is not known`},
		"its unknown action": {func(d *Deployment) {
			steps(d)[0].Activity = &ServiceCall{Service: "faces", Action: "y", Output: "cameraResult"}
		}, `has no action "y"`},
		"an unknown event": {func(d *Deployment) {
			d.Things[0].Model = "Motion"
			d.Triggers[0].Event.Name = "StateChange"
		}, `has no event "StateChange"; did you mean "StateChanged"?`},
		"an unknown action":        {func(d *Deployment) { d.Things[1].Model = "Motion"; camera(d).Action = "caputre" }, `Motion has no action "caputre"; did you mean "capture"?`},
		"an action in other case":  {func(d *Deployment) { d.Things[1].Model = "Motion"; camera(d).Action = "Capture" }, ""},
		"an unknown argument":      {func(d *Deployment) { d.Things[1].Model = "Motion"; camera(d).Args = []Arg{{Name: "zom"}} }, `capture takes no "zom"; did you mean "zoom"?`},
		"a trigger of two kinds":   {func(d *Deployment) { d.Triggers[0].Every = Every{1, Hours} }, "make two triggers of it"},
		"a trigger without event":  {func(d *Deployment) { d.Triggers[0].Event.Name = "" }, "names no event"},
		"a trigger's variable":     {func(d *Deployment) { d.Triggers[0].Event.When = parsed(t, "evnt.x") }, `unknown variable "evnt"; did you mean "event"?`},
		"a trigger for nothing":    {func(d *Deployment) { d.Triggers[0].Start = nil }, "starts no flow"},
		"a trigger for another":    {func(d *Deployment) { d.Triggers[0].Start[0].Flow = "SecurtyFlow" }, `starts the unknown flow "SecurtyFlow"; did you mean "SecurityFlow"?`},
		"an argument too many":     {func(d *Deployment) { d.Triggers[0].Start[0].Args = []Arg{{}} }, "has 0 parameters, not 1"},
		"a parameter without it":   {func(d *Deployment) { d.Flows[0].Definition.Parameters = []Parameter{{Name: "p", Required: true}} }, `needs the parameter "p"`},
		"a parameter and variable": {func(d *Deployment) { d.Flows[0].Definition.Parameters = []Parameter{{Name: "cameraResult"}} }, `a second variable is named "cameraResult"`},
		"an overlap of its own":    {func(d *Deployment) { d.Flows[0].Overlap = "maybe" }, "write queue, drop, restart or parallel"},
		"a long queue":             {func(d *Deployment) { d.Flows[0].Limit = 5000 }, "it is 0 to 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			d := SecurityFlow()
			d.Pos = Position{File: "x.yaml", Line: 1}
			tc.change(d)
			err := d.Validate(Known{
				Model: func(name string) (device.Model, bool) {
					return device.Model{ID: "Motion", Events: map[string]device.EventModel{"StateChanged": {Topic: "a"}},
						Actions: map[string]device.ActionModel{"capture": {Topic: "b", Params: map[string]device.ValueType{"zoom": device.NumberType}}}}, name == "Motion"
				},
				Service: func(service, action string) (bool, bool) { return action == "count", service == "faces" },
			})
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "x.yaml:1: ")):
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

// TestProblems: the first ones are reported, in the order of the file, and no
// character of a file plays with the terminal.
func TestProblems(t *testing.T) {
	var p Problems
	for line := int32(30); line > 0; line-- {
		p.Add(Position{File: "f", Line: line}, "bad\x1b[31m %d", line)
		p.Add(Position{File: "f", Line: line}, "bad\x1b[31m %d", line)
	}
	lines := strings.Split(p.Err().Error(), "\n")
	if len(lines) != 11 || lines[0] != "f:1: bad [31m 1" || lines[10] != "… and 20 more" {
		t.Errorf("%q", lines)
	}
	if (&Problems{}).Err() != nil {
		t.Error("no problem is an error")
	}
}
