package flowyaml

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pithings/conf/yamlfile"
	"pithings/device"
	"pithings/flow"
	"pithings/flow/expr"
)

// stripped sets all places in v to zero.
func stripped(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*expr.Expr]() {
			stripped(v.Elem())
		}
	case reflect.Interface:
		if !v.IsNil() {
			stripped(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			stripped(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[flow.Position]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				stripped(v.Field(i))
			}
		}
	}
}

// roundTrip prints f, reads it again, and returns both printed forms.
func roundTrip(t testing.TB, f *File) string {
	t.Helper()
	text, err := Print(f)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("printed", text, flow.Known{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	stripped(reflect.ValueOf(f))
	stripped(reflect.ValueOf(again))
	if !reflect.DeepEqual(f, again) {
		second, _ := Print(again)
		t.Fatalf("printed as\n%s\nwhich is another one:\n%s", text, second)
	}
	return string(text)
}

// issue is the example of ten lines.
const issue = `name: SecurityFlow
trigger: {thing: motionSensor, event: StateChanged, when: event.isMotionDetected}
steps:
  - {name: Camera, thing: camera, action: capture, output: cameraResult}
  - {name: Screen, thing: screen, action: display, input: {imageUri: "${cameraResult.lastClickedImage}"}}
`

func TestSecurityFlow(t *testing.T) {
	f, err := Parse("security.yaml", []byte(issue), flow.Known{})
	if err != nil {
		t.Fatal(err)
	}
	d := f.Deployment
	if got := d.Flows[0].Definition.Steps[1].Pos.String(); got != "security.yaml:5:5" {
		t.Errorf("step 2 is at %s", got)
	}
	text := roundTrip(t, f)
	const want = `name: SecurityFlow
trigger:
  name: motionSensorStateChanged
  thing: motionSensor
  event: StateChanged
  when: event.isMotionDetected
steps:
  - name: Camera
    thing: camera
    action: capture
    output: cameraResult
  - name: Screen
    thing: screen
    action: display
    input:
      imageUri: "${cameraResult.lastClickedImage}"
`
	if text != want {
		t.Errorf("got\n%s", text)
	}
	// It is the built-in flow, but for the names of event and trigger.
	builtin := flow.SecurityFlow()
	builtin.Triggers[0].Name = "motionSensorStateChanged"
	builtin.Flows[0].Definition.Steps[0].Out[0] = "Camera done"
	builtin.Flows[0].Definition.Steps[1].In.Events[0] = "Camera done"
	if stripped(reflect.ValueOf(d)); !reflect.DeepEqual(d, builtin) {
		t.Errorf("%+v", d)
	}
	roundTrip(t, &File{Deployment: flow.SecurityFlow()})
}

// everything uses every key.
const everything = `
name: Room215
description: "all there is: keys #1"
urn: urn:tdm:eu/1/default:Deployment:Room215
system: urn:tdm:eu/1/default:System:House
things:
  motion: TG_MS
  camera: {thing: TG_Camera, carrier: local}
  lamp: {thing: desk-lamp, model: lamp, carrier: broker, qos: 0}
triggers:
  - {name: Motion, description: it moved, thing: motion, event: StateChanged, when: value, max_age: 5m, start: [{flow: Watch, with: ["${bindings[name == 'camera'].deviceId}", 2.0, [1, a, {b: null}]]}, Tidy]}
  - {every: 10 seconds, start: Tidy}
  - {name: Button, hand: true, start: {flow: Watch, with: {cam: camera, list: "$macro(x ${trigger})"}}}
  - {thing: motion, event: StateChanged, max_age: 0, start: Tidy}
timeout: 90s
shared: house
flows:
  - name: Watch
    description: takes a picture
    urn: urn:tdm:eu/1/default:Workflow:Watch
    overlap: {policy: parallel, limit: 4}
    parameters:
      cam: DeviceId
      n: {type: Number, default: -100}
      list: {required: false}
      text: {type: string, default: "yes"}
    variables: {picture: "urn:tdm:aws/examples:property:CameraStateProperty", faces: null}
    steps:
      - name: Take picture
        description: a picture
        when: n < 10 && list != null
        device: ${cam}
        model: urn:tdm:aws/examples:deviceModel:Camera
        device_urn: urn:tdm:aws/examples:device:RaspberryPiCamera
        action: capture
        output: picture
        timeout: 1500ms
        retry:
          - {name: slow, errors: [Timeout, States.TaskFailed], every: 2s, backoff: 1.5, attempts: 5}
          - {when: "Error == 'Blurred'", attempts: 0}
        catch:
          - {name: any, errors: ALL, set: [broken, "told you"]}
          - {when: ErrorMessage.contains('x')}
        check:
          - {name: has one, when: "picture.lastClickedImage != ''", pass: taken, fail: [fail('Blurred')]}
          - {when: True, pass: ["setEvent('two words')", "setEvent('a && b')"], fail: fail()}
      - {name: Count, service: faces, action: detect, needs: Take picture, input: {url: "${picture.lastClickedImage}", most: 10, quick: true, names: [a, b], price: 1e21}, output: faces}
      - name: Decide
        out: decided
        choice:
          rules:
            - {name: many, when: faces.count > 2, set: [many, some]}
            - {when: faces.count > 0, set: some}
          default: none
      - {name: Bright, in: [many, some], thing: lamp, action: turn, input: {brightness: 255, note: "on: ${faces.count} {!}"}}
      - {name: Dim, in: some || none, thing: lamp, action: turn, input: {brightness: 1, note: "${'$'}{x"}}
      - {name: After, in: "${decided}", thing: lamp, action: turn, input: {brightness: 0}}
      - {name: Alone, needs: [], thing: lamp, action: turn, input: {brightness: 0}}
      - {name: Told, in: told you, thing: lamp, action: turn, input: {brightness: 3}}
      - {name: Both, needs: [Alone, Told], thing: lamp, action: turn, input: {brightness: 4}}
  - name: Tidy
    overlap: drop
    steps:
      - {name: Off, thing: lamp, action: turn, input: {brightness: 0}}
models:
  lamp:
    actions:
      turn: {topic: "{thing}/set", params: {brightness: integer, note: any}, request: {state: "${brightness}", n: 5}}
services:
  faces:
    actions:
      detect: {method: POST, url: "http://faces.local/detect", body: {url: "${url}"}, params: {url: string}}
`

func TestEverything(t *testing.T) {
	f, err := Parse("all.yaml", []byte(everything), flow.Known{})
	if err != nil {
		t.Fatal(err)
	}
	d := f.Deployment
	w := d.Flow("Watch").Definition
	for _, tc := range []struct {
		what      string
		got, want any
	}{
		{"carrier", d.Things[2].Carrier, flow.Broker},
		{"qos", []bool{d.Things[1].AtMostOnce, d.Things[2].AtMostOnce}, []bool{false, true}},
		{"max age", d.Triggers[0].Event.MaxAge, 5 * time.Minute},
		{"no max age", d.Triggers[3].Event.MaxAge, time.Duration(-1)},
		{"clock", d.Triggers[1].Every, flow.Every{Count: 10, Unit: flow.Seconds}},
		{"clock's name", d.Triggers[1].Name, "Clock"},
		{"event's name", d.Triggers[3].Name, "motionStateChanged"},
		{"literal argument", d.Triggers[0].Start[0].Args[2].Value.Literal, []any{int64(1), "a", map[string]any{"b": nil}}},
		{"text that looks like a boolean", w.Parameters[3].Default.Literal, "yes"},
		{"default", w.Parameters[1].Default.Literal, int64(-100)},
		{"needs", w.Steps[1].In.Events, []string{"Take picture done"}},
		{"and its out", w.Steps[0].Out, []string{"Take picture done"}},
		{"follows", w.Steps[2].In.Events, []string{"Count done"}},
		{"in", w.Steps[4].In.When.String(), "some || none"},
		{"in of one event", w.Steps[5].In.When.String(), "decided"},
		{"starts with the flow", w.Steps[6].In.AtStart(), true},
		{"event of two words", w.Steps[7].In.Events, []string{"told you"}},
		{"needs two", w.Steps[8].In.Events, []string{"Alone done", "Told done"}},
		{"no attempts", w.Steps[0].Retries[1].MaxAttempts, -1},
		{"large number", w.Steps[1].Activity.(*flow.ServiceCall).Args[4].Value.Literal, 1e21},
		{"checks", w.Steps[0].Checks[0].Fail[0].Error, "Blurred"},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: %#v, want %#v", tc.what, tc.got, tc.want)
		}
	}
	text := roundTrip(t, f)
	if t.Failed() {
		t.Log(text)
	}
}

// TestRefused: errors are reported with their place and with what to write.
func TestRefused(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "x.yaml:1: the file is empty"},
		{"name: [", "not YAML"},
		{"- a", `a list stands where "key: value" belongs`},
		{issue + "stpes: []", `x.yaml:6:1: file: unknown key "stpes"; did you mean "steps"?`},
		{issue + "name: again", `x.yaml:6:1: file: the key "name" is given twice`},
		{strings.Replace(issue, "action: capture", "actoin: capture", 1), `x.yaml:4:35: step 1: unknown key "actoin"; did you mean "action"?`},
		{strings.Replace(issue, "cameraResult.last", "camraResult.last", 1), `x.yaml:5:60: step Screen, imageUri: unknown variable "camraResult"; did you mean "cameraResult"?`},
		{strings.Replace(issue, "isMotionDetected}", "isMotionDetected && }", 1), "a value is missing"},
		{strings.Replace(issue, "name: Screen", "name: Camera", 1), `x.yaml:5:5: a second step is named "Camera"`},
		{strings.Replace(issue, "name: Screen", "name: Screen, in: cameraDone", 1), `step Screen waits for the event "cameraDone", which no step sets`},
		{strings.Replace(issue, "name: Screen", "name: Screen, needs: Camara", 1), `step Screen needs the step "Camara", which there is not; did you mean "Camera"?`},
		{strings.Replace(issue, "name: Screen", "name: Screen, needs: Camera, in: x", 1), "both needs and in"},
		{strings.Replace(issue, "name: Screen", "name: Screen, needs: []", 1), "no step before it has it as its output; let it wait for step Camera"},
		{strings.Replace(issue, "name: Camera,", "name: Camera, needs: Screen,", 1), "every step waits for another"},
		{strings.Replace(issue, "name: Camera,", "name: Camera, needs: Screen,", 1) + "  - {name: Third, needs: [], thing: x, action: y}", "loop (Camera → Screen → Camera)"},
		{strings.Replace(issue, "thing: camera, ", "", 1), "step Camera needs one of thing, device, service, flow, choice, wait and set"},
		{strings.Replace(issue, "thing: camera, ", "thing: camera, service: x, ", 1), "needs one of thing"},
		{strings.Replace(issue, "name: Camera", "name: Camera, timeout: soon", 1), `"soon" is no duration; write, for example, 500ms`},
		{strings.Replace(issue, "name: Camera", "name: Camera, retry: {attempts: many}", 1), "write a whole number"},
		{strings.Replace(issue, "name: Camera", "name: Camera, catch: {set: x, when: Eror}", 1), `unknown variable "Eror"; did you mean "Error"?`},
		{strings.Replace(issue, "thing: motionSensor, event: StateChanged, when: event.isMotionDetected", "name: x", 1), "a trigger needs thing and event, or every"},
		{strings.Replace(issue, "thing: motionSensor, event: StateChanged, when: event.isMotionDetected", "every: 3 moons", 1), "is no interval; write, for example, every 10 seconds"},
		{issue + "things: {camera: A, screen: B}", `no thing plays the role "motionSensor"`},
		{issue + "things: {camera: A, screen: B, motionSensor: {carrier: pigeon}}", "write auto, local or broker"},
		{issue + "things: {camera: A, screen: B, motionSensor: {qos: 2}}", "write 0, at most once, or 1, at least once"},
		{issue + "things: {camera: A, screen: B, motionSensor: {qos: low}}", "write a whole number"},
		{issue + "things: {camera: A, screen: B, motionSensor: {qos: 0, carrier: local}}", "leave one of them out"},
		{issue + "overlap: never", "write queue, drop, restart or parallel"},
		{issue + "overlap: {limit: 100000}", "for this overlap it is 0 to 1000"},
		{issue + "flows: []", "belongs to one of the flows"},
		{issue + "x: &a 1", "anchors, aliases and tags"},
		{issue + "---\nname: b", "a second document begins here"},
		{"name: a b\n" + issue[len("name: SecurityFlow\n"):], `has blanks or slashes; write "a_b"`},
		{"name: a\nsteps: []", "has no steps"},
		{issue + "models: {m: {actions: {a: {topic: x, wrong: 1}}}}", "x.yaml:6:"},
		{issue + "models: {m: {}}", "neither events nor actions"},
		{"name: a\n\tb: c", "indented with a tab"},
		{"name: a\x00", "NUL"},
		{strings.Repeat("[", 50), "nested too deeply"},
		{strings.Repeat("a: 1\n", 20000), "too many values"},
		{strings.Replace(issue, `"${cameraResult.lastClickedImage}"`, `["${cameraResult}"]`, 1), "inside a list or an object, ${…} is not computed"},
		{strings.Replace(issue, `"${cameraResult.lastClickedImage}"`, `.inf`, 1), "JSON does not have this value"},
		{"name: a\nsteps:\n- {name: c, choice: {rules: [{when: 1 < 2, set: x}]}}\n- {name: d, thing: t, action: a}", "comes after the choice c; say which of its events starts it"},
	} {
		_, err := Parse("x.yaml", []byte(tc.text), flow.Known{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.300s\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

// TestKnownModels: actions and events of things whose model is known are checked.
func TestKnownModels(t *testing.T) {
	known := flow.Known{Model: func(name string) (device.Model, bool) {
		return device.Model{ID: "Camera", Actions: map[string]device.ActionModel{"capture": {Topic: "x"}}, Events: map[string]device.EventModel{"StateChanged": {Topic: "y"}}}, name == "camera model"
	}}
	for things, want := range map[string]string{
		"camera: {model: camera model}":       "",
		"camera: {model: other}":              "",
		"motionSensor: {model: camera model}": "",
		"screen: {model: camera model}":       `step Screen: Camera has no action "display"; known: capture`,
	} {
		all := "\nthings: {camera: a, screen: b, motionSensor: c}"
		role, _, _ := strings.Cut(things, ":")
		all = strings.Replace(all, role+": "+map[string]string{"camera": "a", "screen": "b", "motionSensor": "c"}[role], things, 1)
		_, err := Parse("x", []byte(issue+all), known)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", things, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(issue))
	f.Add([]byte(everything))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data, flow.Known{})
		if err != nil {
			return
		}
		text, err := Print(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) < yamlfile.MaxFile/2 {
			roundTrip(t, file)
		}
	})
}
