package tdm

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pithings/flow"
)

// everything is a deployment as our own format makes it, with all that Things
// Graph's language can say too: no URNs, roles in the steps.
func everything() *flow.Deployment {
	value := func(source string) flow.Value { return flow.Value{Expr: mustExpr(source)} }
	return &flow.Deployment{
		Name: "Home", Description: `who "comes"`,
		Things: []flow.Binding{
			{Role: "entry", Thing: "TG_MS", Model: "urn:tdm:aws/examples:device:HCSR501MotionSensor"},
			{Role: "camera", Thing: "TG_Camera", Model: "urn:tdm:aws/examples:deviceModel:Camera"},
			{Role: "screen", Thing: "a:b-c_D9", Model: "urn:tdm:aws/examples:deviceModel:Screen"},
		},
		Flows: []flow.Flow{
			{Definition: &flow.Definition{
				Name: "Look", Description: "a picture\nof who comes",
				Parameters: []flow.Parameter{
					{Name: "seen", Required: true},
					{Name: "note", Type: "String", Default: flow.Value{Literal: `a "note"`}},
					{Name: "limits", Type: "[Number]", Default: flow.Value{Literal: []any{int64(1), -2.5, true, nil, "x", map[string]any{"a": "b"}}}},
				},
				Variables: []flow.Variable{{Name: "picture"}, {Name: "faces", Type: "urn:tdm:aws:property:Int32"}},
				Steps: []flow.Step{
					{Name: "Take a picture", Description: "with the camera", Out: []string{"taken", "done"}, Condition: mustExpr("seen.isMotionDetected || note == 'it\\'s'"),
						Activity: &flow.DeviceAction{Role: "camera", Action: "capture", Output: "picture"},
						Retries: []flow.Retry{
							{Name: "again", Errors: []string{"Timeout"}, Interval: 5 * time.Second, BackoffRate: 2, MaxAttempts: 4},
							{Condition: mustExpr("Error != 'Runtime'"), Interval: 1500 * time.Millisecond},
							{},
						},
						Catches: []flow.Catch{
							{Name: "late", Errors: []string{"Timeout", "ALL"}, Do: []flow.Statement{{Event: "failed"}, {Event: "and that"}}},
							{Condition: mustExpr("ErrorMessage.length() > 3"), Do: []flow.Statement{{Event: "failed"}}},
						},
						Checks: []flow.Check{{Name: "there is one", Condition: mustExpr("picture.lastClickedImage"),
							Pass: []flow.Statement{{Event: "good"}}, Fail: []flow.Statement{{Error: "NoPicture"}}}, {Condition: mustExpr("True"), Fail: []flow.Statement{{}}}}},
					{Name: "Count", In: flow.In{Events: []string{"taken", "good"}}, Out: []string{"counted"},
						Activity: &flow.ServiceCall{Service: "urn:tdm:pithings:service:Faces", Action: "count", Output: "faces",
							Args: []flow.Arg{{Name: "image", Value: value("picture.lastClickedImage")}, {Name: "most", Value: flow.Value{Literal: int64(3)}}}}},
					{Name: "How many", In: flow.In{Events: []string{"counted"}},
						Activity: &flow.Choice{Rules: []flow.Rule{
							{Name: "some", When: mustExpr("faces > 0 ? True : (note ?? 'x').startsWith('a')"), Events: []string{"somebody", "show"}},
							{When: mustExpr("faces == 0")}}, Default: []string{"nobody"}}},
					{Name: "Show", In: flow.In{When: mustExpr("show && (good || failed)")},
						Activity: &flow.DeviceAction{Role: "screen", Action: "display", Args: []flow.Arg{{Name: "imageUrl", Value: value("macro(${picture.lastClickedImage}?n=${faces})")}}}},
					{Name: "Elsewhere", In: flow.In{Events: []string{"failed"}},
						Activity: &flow.DeviceAction{Device: mustExpr("note"), Model: "urn:tdm:aws/examples:deviceModel:Screen", Action: "display", Args: []flow.Arg{{Name: "imageUrl", Value: flow.Value{Literal: "http://host"}}}}},
				},
			}},
			{Definition: &flow.Definition{Name: "Night", Steps: []flow.Step{
				{Name: "a", Activity: &flow.DeviceAction{Role: "screen", Action: "display", Args: []flow.Arg{{Name: "imageUrl", Value: flow.Value{Literal: ""}}}}}}}},
		},
		Triggers: []flow.Trigger{
			{Name: "Somebody", Description: "at the door",
				Event: &flow.DeviceEvent{Role: "entry", Name: "StateChanged", When: mustExpr("event.isMotionDetected && value")},
				Start: []flow.Start{
					{Flow: "Look", Args: []flow.Arg{{Value: value("event")}, {Value: flow.Value{Literal: "x"}}}},
					{Flow: "Look", Args: []flow.Arg{{Value: value("bindings[name == 'entry'].deviceId + value")}}},
					{Flow: "Night"}}},
			{Name: "Every", Event: &flow.DeviceEvent{Role: "entry", Name: "StateChanged"}, Start: []flow.Start{{Flow: "Night"}}},
			{Name: "Clock", Every: flow.Every{Count: 2, Unit: flow.Weeks}, Start: []flow.Start{{Flow: "Look", Args: []flow.Arg{{Value: flow.Value{Literal: -1.5}}}}}},
		},
	}
}

// TestRoundTripFromOurOwn: what was never a document of Things Graph becomes one,
// and is the same when it is read.
func TestRoundTripFromOurOwn(t *testing.T) {
	for name, d := range map[string]*flow.Deployment{"everything": everything(), "the flow of the guide": security()} {
		t.Run(name, func(t *testing.T) {
			files, err := Export(d, Models{})
			if err != nil {
				t.Fatal(err)
			}
			im := mustImport(t, Options{}, files...)
			if len(im.Deployments) != 1 {
				t.Fatalf("%d deployments", len(im.Deployments))
			}
			if got := placeless(im.Deployments[0]); !reflect.DeepEqual(got, d) {
				t.Errorf("documents\n%s\nread as\n%s", exported(t, d), exported(t, got))
				difference(t, "", reflect.ValueOf(got), reflect.ValueOf(d))
			}
		})
	}
}

// security is the built-in SecurityFlow, with the kinds of its devices and the
// name that Things Graph has for what the screen shows.
func security() *flow.Deployment {
	d := placeless(flow.SecurityFlow())
	for i, model := range []string{"MotionSensor", "Camera", "Screen"} {
		d.Things[i].Model = "urn:tdm:aws/examples:deviceModel:" + model
	}
	return d
}

// difference returns the first places in which two values differ.
func difference(t *testing.T, at string, got, want reflect.Value) {
	t.Helper()
	if got.Kind() != want.Kind() || got.Type() != want.Type() {
		t.Logf("%s: %v and %v", at, got, want)
		return
	}
	switch got.Kind() {
	case reflect.Pointer, reflect.Interface:
		if got.IsNil() || want.IsNil() {
			if got.IsNil() != want.IsNil() {
				t.Logf("%s: %v and %v", at, got, want)
			}
			return
		}
		difference(t, at, got.Elem(), want.Elem())
	case reflect.Struct:
		for i := range got.NumField() {
			difference(t, at+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i))
		}
	case reflect.Slice:
		if got.Len() != want.Len() || got.IsNil() != want.IsNil() {
			t.Logf("%s: %d and %d elements, nil %v and %v", at, got.Len(), want.Len(), got.IsNil(), want.IsNil())
			return
		}
		for i := range got.Len() {
			difference(t, at+"[]", got.Index(i), want.Index(i))
		}
	default:
		if !got.Equal(want) {
			t.Logf("%s: %v and %v", at, got, want)
		}
	}
}

// TestExportRefuses: what Things Graph's language cannot say, with its place.
func TestExportRefuses(t *testing.T) {
	at := flow.Position{File: "home.yaml", Line: 7, Column: 3}
	for name, tc := range map[string]struct {
		change func(*flow.Deployment)
		want   string
	}{
		"the deployment's time-out": {func(d *flow.Deployment) { d.Timeout = time.Minute }, "home.yaml:1:1: Things Graph's language cannot say timeout: 1m0s; leave it out to export the flow"},
		"a step's time-out":         {func(d *flow.Deployment) { d.Flows[0].Definition.Steps[0].Timeout = time.Second }, "home.yaml:7:3: Things Graph's language cannot say timeout: 1s, of the step Take a picture; leave it out to export the flow"},
		"shared":                    {func(d *flow.Deployment) { d.Shared = "house" }, "home.yaml:1:1: Things Graph's language cannot say shared: house; leave it out to export the flow"},
		"qos":                       {func(d *flow.Deployment) { d.Things[1].AtMostOnce = true; d.Things[1].Pos = at }, "home.yaml:7:3: Things Graph's language cannot say qos: 0, of camera; leave it out to export the flow"},
		"a carrier":                 {func(d *flow.Deployment) { d.Things[1].Carrier = flow.Broker; d.Things[1].Pos = at }, "home.yaml:7:3: Things Graph's language cannot say carrier: broker, of camera; leave it out to export the flow"},
		"overlap":                   {func(d *flow.Deployment) { d.Flows[1].Overlap = flow.Drop; d.Flows[1].Definition.Pos = at }, "home.yaml:7:3: Things Graph's language cannot say overlap: drop, of Night; leave it out to export the flow"},
		"limit":                     {func(d *flow.Deployment) { d.Flows[1].Limit = 5; d.Flows[1].Definition.Pos = at }, "home.yaml:7:3: Things Graph's language cannot say limit: 5, of Night; leave it out to export the flow"},
		"max_age":                   {func(d *flow.Deployment) { d.Triggers[0].Event.MaxAge = time.Hour; d.Triggers[0].Pos = at }, "home.yaml:7:3: Things Graph's language cannot say max_age: 1h0m0s, of the trigger Somebody; leave it out to export the flow"},
		"no trigger at all":         {func(d *flow.Deployment) { d.Triggers[2].Every = flow.Every{}; d.Triggers[2].Pos = at }, "home.yaml:7:3: Things Graph's language cannot say a trigger without event and clock; leave it out to export the flow"},
		"a role's name": {func(d *flow.Deployment) {
			d.Things[0].Role = "the-entry"
			d.Triggers[0].Event.Role = "the-entry"
			d.Triggers[1].Event.Role = "the-entry"
		}, `home.yaml:1:1: Things Graph's language cannot say the role "the-entry"; use letters, digits and _`},
		"a thing's name":  {func(d *flow.Deployment) { d.Things[0].Thing = "my sensor"; d.Things[0].Pos = at }, `home.yaml:7:3: Things Graph's language cannot say the thing's name "my sensor"; use letters, digits, : _ and -, at most 128`},
		"an unknown kind": {func(d *flow.Deployment) { d.Things[0].Model = ""; d.Things[0].Pos = at }, "home.yaml:7:3: Things Graph's language cannot say what kind of device entry is; write model: urn:tdm:… with a device model's or device's URN"},
		"a service by name": {func(d *flow.Deployment) {
			d.Flows[0].Definition.Steps[1].Activity.(*flow.ServiceCall).Service = "faces"
			d.Flows[0].Definition.Steps[1].Pos = at
		}, `home.yaml:7:3: Things Graph's language cannot say the service "faces" of the step Count; write the service's URN`},
		"a flow's name": {func(d *flow.Deployment) {
			d.Flows[1].Definition.Name = "At night"
			d.Triggers[1].Start[0].Flow, d.Triggers[0].Start[2].Flow = "At night", "At night"
		}, `home.yaml:1:1: Things Graph's language cannot say the name "At night" of a flow; use letters, digits and _`},
		"a variable's type":      {func(d *flow.Deployment) { d.Flows[0].Definition.Variables[0].Type = "picture" }, `home.yaml:1:1: Things Graph's language cannot say the type "picture" of the variable picture; write a property's URN, or leave the type out`},
		"the trigger's name":     {func(d *flow.Deployment) { d.Triggers[0].Start[1].Args[0].Value.Expr = mustExpr("trigger") }, "home.yaml:1:1: Things Graph's language cannot say the variable trigger, in Somebody; write the trigger's name"},
		"the key value alone":    {func(d *flow.Deployment) { d.Triggers[0].Event.When = mustExpr("event.value > 3") }, "home.yaml:1:1: Things Graph's language cannot say event.value, in the trigger Somebody: its lastEvent.value may be another key's; write value"},
		"a later parameter only": {func(d *flow.Deployment) { d.Triggers[2].Start[0].Args[0].Name = "note" }, "home.yaml:1:1: Things Graph's language cannot say values of later parameters only, in the start of Look; give the parameters before them too"},
		"text like an expression": {func(d *flow.Deployment) {
			d.Flows[1].Definition.Steps[0].Activity.(*flow.DeviceAction).Args[0].Value.Literal = "$camera"
		}, `home.yaml:1:1: Things Graph's language cannot say text that reads as an expression: "$camera"; write it as an expression: ${'$camera'}`},
		"a list at the start": {func(d *flow.Deployment) { d.Triggers[2].Start[0].Args[0].Value.Literal = []any{int64(1)} }, "home.yaml:1:1: Things Graph's language cannot say the value [1] in the start of Look; write it as an expression"},
		"starts nothing":      {func(d *flow.Deployment) { d.Triggers[1].Start = nil }, "home.yaml:1:1: Things Graph's language cannot say the trigger Every, which starts nothing; write which flow it starts"},
	} {
		t.Run(name, func(t *testing.T) {
			d := everything()
			d.Pos = flow.Position{File: "home.yaml", Line: 1, Column: 1}
			d.Flows[0].Definition.Steps[0].Pos = at
			tc.change(d)
			_, err := Export(d, Models{})
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestExportNames(t *testing.T) {
	files, err := Export(everything(), Models{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if got, want := strings.Join(names, " "), "Look.workflow.graphql Night.workflow.graphql Home.system.graphql Home.deployment.graphql"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
}
