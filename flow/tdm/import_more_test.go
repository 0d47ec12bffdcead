package tdm

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pithings/device"
	"pithings/flow"
)

// flowOf is a workflow of one device step, a system and a deployment, to be
// changed by tests.
func flowOf(params, variables, step string) string {
	return "query W(" + params + ") @workflowType(id: \"" + ns + "Workflow:W\") {\nvariables { " + variables + " }\nsteps {\n" + step + "\n} }"
}

const cameraStep = `step(name: "a") { DeviceActivity(deviceModel: "urn:tdm:aws/examples:deviceModel:Camera", deviceId: "${camera}") { capture } }`

// TestImportErrors: documents that are read, but mean nothing.
func TestImportErrors(t *testing.T) {
	const rest = `
type S @systemType(id: "` + ns + `system:S") { camera: Camera @thing(id: "urn:tdm:aws/examples:deviceModel:Camera") W: W @workflow(id: "` + ns + `Workflow:W") }`
	screen := func(action string) string {
		return `step(name: "a") { DeviceActivity(deviceModel: "urn:tdm:aws/examples:deviceModel:Screen", deviceId: "${screen}") {` + "\n" + action + "\n} }"
	}
	choice := func(rule string) string {
		return "step(name: \"a\") { ChoiceActivity {\nrule(expr: \"" + rule + "\")\ndefault } }"
	}
	onError := func(retry string) string {
		return "step(name: \"a\") { ChoiceActivity { rule(expr: \"${true}\") } OnError {\n" + retry + "\n} }"
	}
	for name, tc := range map[string]struct{ text, want string }{
		"unknown parameter": {flowOf("", "", cameraStep), "x:4:100: workflow W has no parameter camera; declare it: query W($camera: string!)"},
		"unknown variable":  {flowOf("$camera: string!", "", strings.Replace(cameraStep, "deviceId", `out: "pic", deviceId`, 1)), `x:4:95: workflow W has no variable pic; declare it: variables { pic @property(id: "…") }`},
		"unknown action":    {flowOf("$screen: string!", "", screen("show")), "x:5:1: urn:tdm:aws/examples:deviceModel:Screen has no action show; it has display"},
		"unknown argument":  {flowOf("$screen: string!", "", screen(`display(url: "x")`)), "x:5:9: display has no argument url; it has imageUrl"},
		"broken expression": {flowOf("$screen: string!", "", screen(`display(imageUrl: "${a +}")`)), "x:5:19: expression "},
		"broken rule":       {flowOf("", "", choice("${a ==}")), "x:5:12: rule: expression "},
		"broken interval":   {flowOf("", "", onError(`Retries { Retry(interval: "soon") }`)), `x:5:27: Retry: "soon" is no interval; write interval: "5 sec"`},
		"broken statement":  {flowOf("", "", onError(`Catches { Catch(expr: "doSomething()") }`)), `x:5:23: "doSomething()" is not a statement; write setEvent('name') or fail('ErrorName')`},
		"unknown system":    {"query D @deployment(id: \"" + ns + "deployment:D\",\nsystemId: \"" + ns + "system:X\") {triggers {ignore: void}}", "x:2:11: system " + ns + "system:X is not defined here; add its document"},
		"unknown workflow":  {"type S @systemType(id: \"" + ns + "system:S\") {\nw: W @workflow(id: \"" + ns + "Workflow:X\")}", "x:2:1: workflow " + ns + "Workflow:X is not defined here; add its document"},
		"a role too few":    {flowOf("$camera: string!", "", cameraStep) + rest + "\nquery D @deployment(id: \"" + ns + "deployment:D\", systemId: \"" + ns + "system:S\") {triggers {ignore: void}}", `x:7:1: deployment D has no thing for camera; write camera(deviceId: "…")`},
		"a role too many":   {flowOf("$camera: string!", "", cameraStep) + rest + "\nquery D @deployment(id: \"" + ns + "deployment:D\", systemId: \"" + ns + "system:S\") {camera(deviceId: \"c\")\nscreen(deviceId: \"s\")}", "x:8:1: system S has no thing screen; add it to the system"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mustRead(t, File{"x", []byte(tc.text)}).Import(Options{})
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); got != tc.want && !(strings.HasSuffix(tc.want, " ") && strings.HasPrefix(got, tc.want)) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestImportAlone: a workflow as GetFlowTemplate gives it, without a system and
// with the empty action that the console left in its default trigger.
func TestImportAlone(t *testing.T) {
	text := `{"description": {"definition": {"language": "GRAPHQL", "text": "{\nquery MyFlow($camera: string!, $screen: string!) @workflowType(id: \"urn:tdm:us-west-2/123456789012/default:Workflow:MyFlow\") ` +
		`@annotation(type: \"tgc:FlowEvent\", id: \"sledge1\", x: 1586, y: 653) @triggers(definition: \"{MotionSensor(description: \\\"\\\") @position(x: 1045, y: 635.6) {\\n  ` +
		`condition(expr: \\\"devices[name == \\\\\\\"motionSensor\\\\\\\"].events[name == \\\\\\\"StateChanged\\\\\\\"].lastEvent\\\")\\n  action(expr: \\\"\\\")\\n}}\") {\n` +
		`  variables { pic @property(id: \"urn:tdm:aws/examples:property:CameraStateProperty\") }\n  steps {\n` +
		`    step(name: \"Camera\", outEvent: [\"sledge1\"]) @position(x: 1377, y: 638.6) { DeviceActivity(deviceModel: \"urn:tdm:aws/examples:deviceModel:Camera\", out: \"pic\", deviceId: \"${camera}\") { capture } }\n` +
		`    step(name: \"Screen\", inEvent: [\"sledge1\"]) { DeviceActivity(deviceModel: \"urn:tdm:aws/examples:deviceModel:Screen\", deviceId: \"${screen}\") { display(imageUrl: \"${pic.lastClickedImage}\") } }\n  }\n}\n}"}}}`
	f := File{"flow.json", []byte(text)}
	im := mustImport(t, Options{Things: map[string]string{"camera": "TG_Camera"}}, f)
	if len(im.Deployments) != 1 {
		t.Fatalf("%d deployments", len(im.Deployments))
	}
	d := im.Deployments[0]
	if err := d.Validate(mustRead(t, f).Known(Options{})); err != nil {
		t.Error(err)
	}
	placeless(d)
	want := []flow.Binding{{Role: "motionSensor", Thing: "motionSensor"},
		{Role: "camera", Thing: "TG_Camera", Model: "urn:tdm:aws/examples:deviceModel:Camera"},
		{Role: "screen", Thing: "screen", Model: "urn:tdm:aws/examples:deviceModel:Screen"}}
	if !reflect.DeepEqual(d.Things, want) {
		t.Errorf("things %+v, want %+v", d.Things, want)
	}
	if got, want := fmt.Sprintf("%+v %+v", *d.Triggers[0].Event, d.Triggers[0].Start), "{Role:motionSensor Name:StateChanged When: MaxAge:0s For:0s} [{Flow:MyFlow Args:[] Pos:}]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if a := d.Flows[0].Definition.Steps[1].Activity.(*flow.DeviceAction); a.Role != "screen" || a.Device != nil {
		t.Errorf("the second step's device is %+v", a)
	}
	var needs []string
	for _, n := range im.Needs.List {
		needs = append(needs, strings.SplitN(n.Message, ";", 2)[0])
	}
	if got, want := strings.Join(needs, "; "), "no deployment says which thing plays motionSensor; no deployment says which thing plays screen"; got != want {
		t.Errorf("needs %s, want %s", got, want)
	}
}

// TestImportServices: what runs nowhere but at AWS, and what a URL of one's own
// changes.
func TestImportServices(t *testing.T) {
	text := flowOf("", "out @property(id: \"urn:tdm:aws:Property:Json\")", `step(name: "a") { WebserviceActivity(webservice: "`+ns+`service:Topic", out: "out") { publish(message: "hello", count: "3") } }`) + `
query Topic @service(id: "` + ns + `service:Topic") { REST { C(id: "` + ns + `capability:C") { Action(name: "Publish") {
  params { param(name: "message", property: "urn:tdm:aws:Property:String") param(name: "count", property: "urn:tdm:aws:Property:Int32") }
  HttpPost { Request(url: "$macro(https://sns.${systemConfig.awsRegion}.amazonaws.com/${systemConfig.awsAccountId})", auth: "SigV4", awsServiceName: "sns") {
    queryParams { param(name: "Message", property: "urn:tdm:aws:Property:String", value: "$macro(${message.value})") }
    bodyParams { param(name: "n", property: "urn:tdm:aws:Property:Int32", value: "${count.value + 1}") param(name: "fixed", value: 1.5) } }
  Response { responsePayload(property: "urn:tdm:aws:Property:Json") } } } } } }`
	f := File{"x", []byte(text)}
	im := mustImport(t, Options{}, f)
	if got, want := im.Needs.Error(), "x:4:19: web service "+ns+"service:Topic is signed by AWS (SigV4) and runs nowhere but at AWS; give a URL of your own, which takes the same request: --service Topic=URL"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, key := range []string{"Topic", "topic", ns + "Service:Topic"} {
		own := Options{Services: map[string]string{key: "http://127.0.0.1:9/"}}
		if im := mustImport(t, own, f); im.Needs.Err() != nil {
			t.Errorf("with a URL for %s: %v", key, im.Needs.Err())
		}
	}
	call := im.Definitions[0].Steps[0].Activity.(*flow.ServiceCall)
	if call.Action != "Publish" || call.Args[1].Value.Literal != int64(3) {
		t.Errorf("the call is %+v", call)
	}
	want := flow.ServiceModel{ID: ns + "service:Topic", Actions: map[string]flow.ServiceAction{"Publish": {
		Params: map[string]device.ValueType{"message": device.StringType, "count": device.IntegerType},
		Method: "POST", URL: "https://sns.eu-west-1.amazonaws.com/123456789012", Cloud: "signed by AWS (SigV4)",
		Query: map[string]any{"Message": "$macro(${message})"}, Body: map[string]any{"n": "${count + 1}", "fixed": 1.5},
		Result: device.Payload{Bare: device.AnyType}}}}
	if !reflect.DeepEqual(im.Services, []flow.ServiceModel{want}) {
		t.Errorf("got\n%+v\nwant\n%+v", im.Services, want)
	}
	if err := im.Services[0].Validate(); err != nil {
		t.Error(err)
	}
}

// TestSpelling: the console wrote names in another case than they are declared.
func TestSpelling(t *testing.T) {
	text := flowOf("$camera: string!, $Limit: Number = 3", "gaugeResult @property(id: \"urn:tdm:aws:Property:Json\")",
		`step(name: "a", condition: "${GAUGERESULT.x > limit}") { DeviceActivity(deviceModel: "urn:tdm:aws/examples:DEVICEMODEL:camera", deviceId: "${Camera}", out: "GaugeResult") { CAPTURE } }`)
	def := mustImport(t, Options{}, File{"x", []byte(text)}).Definitions[0]
	a := def.Steps[0].Activity.(*flow.DeviceAction)
	if got, want := fmt.Sprintf("%v %v %v %v", def.Steps[0].Condition, a.Device, a.Output, a.Action), "gaugeResult.x > Limit camera gaugeResult capture"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestOwnValue: name.value is all of the value of what has no key of that name; the
// guide's page about choice nodes asks getHourResult.value > 14 of an Int. Before,
// such a flow was imported, and failed when it ran: "a number has no value".
func TestOwnValue(t *testing.T) {
	models := `
type Seen @stateType(id: "` + ns + `State:Seen") { id: String @property(id: "urn:tdm:aws:property:String") }
type SeenProperty @propertyType(id: "` + ns + `property:Seen", instanceOf: "` + ns + `State:Seen") {ignore: void}
type Held @stateType(id: "` + ns + `State:Held") { Value: Int @property(id: "urn:tdm:aws:property:Int32") }
type HeldProperty @propertyType(id: "` + ns + `property:Held", instanceOf: "` + ns + `State:Held") {ignore: void}`
	variables := `hour @property(id: "urn:tdm:aws:property:Int32") seen @property(id: "` + ns + `property:Seen") held @property(id: "` + ns + `property:Held")
all @property(id: "urn:tdm:aws:Property:Json") answer @property(id: "urn:tdm:aws:property:Int32") missing @property(id: "` + ns + `property:Missing")`
	for asked, want := range map[string]string{
		"hour.value > 14":         "hour > 14",
		"Hour.Value > 14":         "hour > 14",
		"seen.value.id == 'a'":    "seen.id == 'a'",
		"seen.id.value == 'a'":    "seen.id.value == 'a'",
		"held.value > 14":         "held.value > 14",
		"all.value > 14":          "all.value > 14",
		"missing.value > 14":      "missing.value > 14",
		"answer.value > 14":       "answer.value > 14", // a thing's bare answer has that key
		"answer > 14":             "answer.value > 14",
		"answer.url == 'a'":       "answer.url == 'a'",
		"ANSWER.Value > answer":   "answer.value > answer.value",
		"limit.value < 3":         "limit < 3",
		"hour.values > 14":        "hour.values > 14",
		"!(hour.value <= 13 + 1)": "!(hour <= 13 + 1)",
	} {
		text := flowOf("$camera: string!, $limit: Number = 3", variables, `step(name: "a", condition: "${`+asked+`}") { DeviceActivity(deviceModel: "urn:tdm:aws/examples:deviceModel:Camera", deviceId: "${camera}", out: "Answer") { capture } }`)
		def := mustImport(t, Options{}, File{"x", []byte(text + models)}).Definitions[0]
		if got := def.Steps[0].Condition.String(); got != want {
			t.Errorf("%s is imported as %s, want %s", asked, got, want)
		}
	}
}

// TestRacingSteps: a published flow has a choice that nothing leads to, about
// what another step finds out. The service took it; our own format does not.
func TestRacingSteps(t *testing.T) {
	text := `type S @systemType(id: "` + ns + `system:S") { camera: Camera @thing(id: "urn:tdm:aws/examples:deviceModel:Camera") W: W @workflow(id: "` + ns + `Workflow:W") }` +
		flowOf("$camera: string!", `pic @property(id: "urn:tdm:aws/examples:property:CameraStateProperty")`,
			strings.Replace(cameraStep, "deviceId", `out: "pic", deviceId`, 1)+` step(name: "b") { ChoiceActivity { rule(expr: "${pic.lastClickedImage}") { setEvent(name: "there") } default } }`)
	f := File{"x", []byte(text)}
	d := mustImport(t, Options{}, f).Deployments[0]
	known := mustRead(t, f).Known(Options{})
	if err := d.Validate(known); err != nil {
		t.Error(err)
	}
	d.Flows[0].Definition.URN = ""
	if err := d.Validate(known); err == nil || !strings.Contains(err.Error(), "let it wait for step a") {
		t.Errorf("as a flow of our own: %v", err)
	}
}

// TestInList: the guide's Retry has Error IN (…), which is no expression of its
// language.
func TestInList(t *testing.T) {
	for text, want := range map[string]string{
		"${Error IN ('ErrorD', 'ErrorE')}": "${(Error == 'ErrorD' || Error == 'ErrorE')}",
		"a.b in('x')&&c":                   "(a.b == 'x')&&c",
		"x == ' IN '":                      "x == ' IN '",
		"begin (1)":                        "begin (1)",
		"Error IN ()":                      "Error IN ()",
	} {
		if got := spellOutIn(text); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	text := flowOf("", "", `step(name: "a") { ChoiceActivity { rule(expr: "${true}") } OnError { Retries { Retry(condition: "${Error IN ('A', 'B')}") } } }`)
	def := mustImport(t, Options{}, File{"x", []byte(text)}).Definitions[0]
	if got, want := def.Steps[0].Retries[0].Condition.String(), "Error == 'A' || Error == 'B'"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
