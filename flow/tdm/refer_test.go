package tdm

import (
	"strings"
	"testing"
)

// referring is a whole set of documents, in which each place where a URN can stand
// is to be changed.
const referring = `
type Look @stateType(id: "` + ns + `state:Look") { seen: Boolean @property(id: "urn:tdm:aws:property:Boolean") }
type LookProperty @propertyType(id: "` + ns + `property:LookProperty", instanceOf: "` + ns + `state:Look") {ignore: void}
type Turn @actionType(id: "` + ns + `action:Turn") { level: Int @property(id: "urn:tdm:aws:property:Int32") return: L @property(id: "` + ns + `property:LookProperty") }
type LampCapability @capabilityType(id: "` + ns + `capability:LampCapability") { turn: Turn @action(id: "` + ns + `action:Turn") }
type Lamp @deviceModel(id: "` + ns + `deviceModel:Lamp", capability: "` + ns + `capability:LampCapability") {ignore: void}
query DeskLamp @device(id: "` + ns + `device:DeskLamp", deviceModel: "` + ns + `deviceModel:Lamp") { MQTT { LampCapability(id: "` + ns + `capability:LampCapability") { Action(name: "turn") {
  params { param(name: "level", property: "urn:tdm:aws:property:Int32") }
  Publish { Request(topic: "lamp/set") { params { param(name: "level", property: "urn:tdm:aws:property:Int32", value: "${level.value}") } } Response(topic: "lamp/was") { responsePayload(property: "` + ns + `property:LookProperty") } } } } } }
query W($lamp: string!) @workflowType(id: "` + ns + `workflow:W") {
  variables { was @property(id: "` + ns + `property:LookProperty") }
  steps { step(name: "a") { DeviceActivity(deviceModel: "` + ns + `deviceModel:Lamp", deviceId: "${lamp}", out: "was") @device(id: "` + ns + `device:DeskLamp") { turn(level: 3) } } } }
type S @systemType(id: "` + ns + `system:S") { lamp: Lamp @thing(id: "` + ns + `deviceModel:Lamp") w: W @workflow(id: "` + ns + `workflow:W") }
query D @deployment(id: "` + ns + `deployment:D", systemId: "` + ns + `system:S") { lamp(deviceId: "lamp") triggers {ignore: void} }
`

// readAndImported is the first error, or what is needed before the flow can run.
func readAndImported(text string) string {
	d, err := Read(File{"x", []byte(text)})
	if err != nil {
		return err.Error()
	}
	im, err := d.Import(Options{})
	if err != nil {
		return err.Error()
	}
	if err := im.Needs.Err(); err != nil {
		return err.Error()
	}
	return ""
}

// A URN of another kind than its place is for, or of nothing, is refused in every
// place, with what was meant: each was taken for granted, or was thought to be
// another document's.
func TestURNsAreOfTheirPlaces(t *testing.T) {
	if got := readAndImported(referring); got != "" {
		t.Fatalf("as it is: %s", got)
	}
	for name, tc := range map[string]struct{ from, to, want string }{
		"a system's role":              {`@thing(id: "` + ns + `deviceModel:Lamp")`, `@thing(id: "` + ns + `deviceModel:Lapm")`, "x:13:99: system S, lamp: devicemodel " + ns + "deviceModel:Lapm is not defined here; did you mean lamp?"},
		"a system's role, unknown":     {`@thing(id: "` + ns + `deviceModel:Lamp")`, `@thing(id: "` + ns + `deviceModel:Chandelier")`, "device model " + ns + "deviceModel:Chandelier is not defined here; add its document"},
		"a system's role, wrong kind":  {`@thing(id: "` + ns + `deviceModel:Lamp")`, `@thing(id: "` + ns + `capability:LampCapability")`, "is the URN of a capability; write that of a device or a device model"},
		"a step's @device":             {`@device(id: "` + ns + `device:DeskLamp") { turn`, `@device(id: "` + ns + `device:DesKLamps") { turn`, "did you mean desklamp?"},
		"a step's @device, unknown":    {`@device(id: "` + ns + `device:DeskLamp") { turn`, `@device(id: "` + ns + `device:Chandelier") { turn`, "device " + ns + "device:Chandelier is not defined here; add its document, or take @device away"},
		"a step's @device, wrong kind": {`@device(id: "` + ns + `device:DeskLamp") { turn`, `@device(id: "` + ns + `deviceModel:Lamp") { turn`, "is the URN of a device model; write that of a device"},
		"a variable's property":        {`was @property(id: "` + ns + `property:LookProperty")`, `was @property(id: "` + ns + `property:LookPropery")`, "did you mean lookproperty?"},
		"a variable, wrong kind":       {`was @property(id: "` + ns + `property:LookProperty")`, `was @property(id: "` + ns + `state:Look")`, "is the URN of a state; write that of a property"},
		"an action type's field":       {`level: Int @property(id: "urn:tdm:aws:property:Int32")`, `level: Int @property(id: "urn:tdm:aws:property:Imt32")`, "did you mean int32?"},
		"an action type's, unknown":    {`level: Int @property(id: "urn:tdm:aws:property:Int32")`, `level: Int @property(id: "` + ns + `property:Brightness")`, "property " + ns + "property:Brightness is not defined here; add its document"},
		"a param":                      {`param(name: "level", property: "urn:tdm:aws:property:Int32")`, `param(name: "level", property: "urn:tdm:aws:device:Int32")`, "param level: urn:tdm:aws:device:Int32 is the URN of a device; write that of a property"},
		"a responsePayload":            {`responsePayload(property: "` + ns + `property:LookProperty")`, `responsePayload(property: "` + ns + `property:LokProperty")`, "did you mean lookproperty?"},
		"a responsePayload, wrong":     {`responsePayload(property: "` + ns + `property:LookProperty")`, `responsePayload(property: "` + ns + `action:Turn")`, "is the URN of an action; write that of a property"},
		"a capability's action":        {`@action(id: "` + ns + `action:Turn")`, `@action(id: "` + ns + `action:Turm")`, "did you mean turn?"},
		"a capability's, wrong kind":   {`@action(id: "` + ns + `action:Turn")`, `@action(id: "` + ns + `event:Turn")`, "is the URN of an event; write that of an action; did you mean turn?"},
		"a model's capability":         {`capability: "` + ns + `capability:LampCapability"`, `capability: "` + ns + `capability:LmapCapability"`, "did you mean lampcapability?"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(referring, tc.from, tc.to, 1)
			if got := readAndImported(changed); changed == referring || !strings.Contains(got, tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// What no flow uses is reported and passed over; what one uses is refused where it is
// used (as in a real UploadEntityDefinitions, which has a Modbus device and mappings).
func TestUnusedIsPassedOver(t *testing.T) {
	const unused = `
query Meter @device(id: "` + ns + `device:Meter", deviceModel: "` + ns + `deviceModel:Meter") { Modbus(ServerId: "1") { C(id: "` + ns + `capability:C") { } } }
query M @mapping(id: "` + ns + `mapping:M", name: "M") { forward { map(expr: "s == ON => 1") } }
`
	d, err := Read(File{"x", []byte(referring + unused)})
	if err != nil {
		t.Fatal(err)
	}
	im, err := d.Import(Options{})
	if err != nil || im.Needs.Err() != nil || len(im.Deployments) != 1 || len(im.Devices) != 1 {
		t.Fatalf("%+v, %v", im, err)
	}
	var notes []string
	for _, p := range d.Passed() {
		notes = append(notes, p.String())
	}
	if got := strings.Join(notes, "\n"); !strings.Contains(got, "x:17:") || !strings.Contains(got, "device Meter: Modbus is not spoken here, and is passed over; bridge it to MQTT") || !strings.Contains(got, "mapping M is passed over") {
		t.Errorf("the notes are %s", got)
	}
	role := strings.Replace(referring, "w: W @workflow", `meter: M @thing(id: "`+ns+`device:Meter") w: W @workflow`, 1)
	role = strings.Replace(role, `lamp(deviceId: "lamp")`, `lamp(deviceId: "lamp") meter(deviceId: "meter")`, 1)
	if got := readAndImported(role + unused); got != "" {
		t.Errorf("a role that no flow uses: %s", got)
	}
	step := strings.Replace(role, "steps {", `steps { step(name: "b") { DeviceActivity(deviceModel: "`+ns+`deviceModel:Meter", deviceId: "${lamp}") { read } }`, 1)
	if got := readAndImported(step + unused); !strings.Contains(got, "Modbus is not spoken here; bridge it to MQTT") {
		t.Errorf("a step: %s", got)
	}
	trigger := strings.Replace(role, "triggers {ignore: void}", `triggers { T { condition(expr: "devices[name == 'meter'].events[name == 'E'].lastEvent") action(expr: "ThingsGraph.startFlow('w', bindings[name == 'lamp'].deviceId)") } }`, 1)
	if got := readAndImported(trigger + unused); !strings.Contains(got, "trigger T: device Meter: Modbus is not spoken here") {
		t.Errorf("a trigger: %s", got)
	}
}

// Forms of public documents that were refused with reasons that misled.
func TestFormsOfPublicDocuments(t *testing.T) {
	for name, tc := range map[string]struct{ from, to string }{
		"implements":             {"type Look @stateType", "type Look implements Thing & Other @stateType"},
		"@service in a system":   {"w: W @workflow", `weather: Weather @service(id: "` + ns + `service:Weather") w: W @workflow`},
		"a service under @thing": {"w: W @workflow", `weather: Weather @thing(id: "` + ns + `service:Weather") w: W @workflow`},
		"{{SUFFIX}}":             {"workflow:W", "workflow:W{{SUFFIX}}"},
	} {
		if got := readAndImported(strings.ReplaceAll(referring, tc.from, tc.to)); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := readAndImported(strings.Replace(strings.ReplaceAll(referring, "workflow:W", "workflow:W{{SUFFIX}}"), `workflow:W{{SUFFIX}}") }`, `workflow:W{{OTHER}}") }`, 1)); !strings.Contains(got, "is not defined here") {
		t.Errorf("two placeholders are one: %s", got)
	}
	if got := readAndImported(strings.Replace(referring, "w: W @workflow", `weather: Weather @service(id: "`+ns+`device:DeskLamp") w: W @workflow`, 1)); !strings.Contains(got, "is the URN of a device; write that of a service") {
		t.Errorf("a device as a service: %s", got)
	}
}
