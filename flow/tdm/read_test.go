package tdm

import (
	"reflect"
	"strings"
	"testing"

	"pithings/device"
)

const ns = "urn:tdm:eu-west-1/123456789012/default:"

// TestReadForms: the same document in the forms in which people have it.
func TestReadForms(t *testing.T) {
	plain := `query Tick @workflowType(id: "` + ns + `Workflow:Tick") { steps { step(name: "a") { ChoiceActivity { rule(expr: "${true}") default } } } }`
	quoted := strings.ReplaceAll(plain, `"`, `\"`)
	for name, text := range map[string]string{
		"plain":                   plain,
		"wrapped":                 "{\n" + plain + "\n}",
		"single quotes":           strings.ReplaceAll(plain, `"`, `'`),
		"as the guide prints it":  "{\n" + quoted + "\n}",
		"JSON":                    `{"language": "GRAPHQL", "text": "{` + quoted + `}"}`,
		"JSON, other case":        ` {"text": "{\n` + quoted + `\n}", "language": "graphql"}`,
		"get-flow-template":       `{"description": {"summary": {"id": "x", "revisionNumber": 1}, "definition": {"language": "GRAPHQL", "text": "` + quoted + `"}, "validatedNamespaceVersion": 5}}`,
		"get-entities":            `{"descriptions": [{"id": "x", "definition": {"language": "GRAPHQL", "text": "` + quoted + `"}}]}`,
		"the command line's":      `language=GRAPHQL,text="` + plain + `"`,
		"the command line's, too": `language=GRAPHQL,text='{` + quoted + `}'`,
		"keywords in any case":    strings.NewReplacer("query", "QUERY", "@workflowType", "@WORKFLOWTYPE", "steps", "Steps", "step(", "STEP(", "ChoiceActivity", "choiceactivity", "default ", "Default ").Replace(plain),
		"placeholders":            strings.ReplaceAll(plain, "eu-west-1/123456789012", "REGION/ACCOUNT ID"),
		"placeholders in braces":  strings.ReplaceAll(plain, "eu-west-1/123456789012", "{REGION}/{ACCOUNT_ID}"),
		"a byte order mark":       "\ufeff" + plain,
		"a description first":     "{ \"what it is\" " + plain + "}",
		"once more, the same":     plain + "\n" + plain,
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Read(File{"x", []byte(text)})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(d.Workflows(), " "); got != "Tick" {
				t.Errorf("workflows %q, want Tick", got)
			}
		})
	}
}

// TestReadErrors: what is wrong, where, and what to write instead.
func TestReadErrors(t *testing.T) {
	inDevice := func(body string) string {
		return "query D @device(id: \"" + ns + "device:D\", deviceModel: \"" + ns + "deviceModel:M\") {\n" + body + "\n}"
	}
	inCapability := func(body string) string {
		return inDevice(`MQTT { C(id: "` + ns + "capability:C\") {\n" + body + "\n} }")
	}
	inService := func(body string) string {
		return "query S @service(id: \"" + ns + "service:S\") {\n" + body + "\n}"
	}
	inWorkflow := func(body string) string {
		return "query W($camera: string!) @workflowType(id: \"" + ns + "Workflow:W\") {\n" + body + "\n}"
	}
	inStep := func(body string) string { return inWorkflow(`steps { step(name: "S") {` + "\n" + body + "\n} }") }
	inDeployment := func(body string) string {
		return "query D @deployment(id: \"" + ns + "deployment:D\", systemId: \"" + ns + "system:S\") {\n" + body + "\n}"
	}
	for name, tc := range map[string]struct{ text, want string }{
		// files
		"empty":             {"", "x:1:1: there is nothing in it; write a query, type or enum"},
		"too large":         {strings.Repeat("# much\n", 1<<18), "x:1:1: the file has 1835008 bytes; split it: at most 1048576 are read"},
		"not UTF-8":         {"query \xff", "x:1:1: the file is not UTF-8; save it as UTF-8"},
		"broken JSON":       {"{\n\"language\": }", "x:2:14: JSON: invalid character '}' looking for beginning of value; write {\"language\": \"GRAPHQL\", \"text\": \"…\"}"},
		"other JSON":        {`{"name": "x"}`, `x:1:1: JSON without a document in it; write {"language": "GRAPHQL", "text": "…"}`},
		"other language":    {`{"language": "YAML", "text": "x"}`, `x (text):1:1: language "YAML"; only "GRAPHQL" is known`},
		"error within JSON": {`{"language": "GRAPHQL", "text": "{\nquery A {b\n"}`, `x (text):3:1: the end of the document where } was expected; close the block of line 2 with }`},

		// definitions
		"says not what it is":  {"type A {a: B}", "x:1:1: type A does not say what it is; write one of @" + strings.Join(kinds, ", @")},
		"unknown directive":    {`type A @stateTyp(id: "` + ns + `state:A") {a: B}`, "x:1:8: type A has no directive @stateTyp; known are @" + strings.Join(kinds, ", @") + ", @triggers"},
		"type for query":       {`type W @workflowType(id: "` + ns + `Workflow:W") {steps {ignore: void}}`, "x:1:1: @workflowType belongs to a query, not to a type; write query W"},
		"no id":                {`type A @stateType {a: B @property(id: "urn:tdm:aws:property:String")}`, `x:1:8: @stateType without id; write id: "…"`},
		"id is a number":       {`type A @stateType(id: 7) {a: B @property(id: "urn:tdm:aws:property:String")}`, `x:1:23: @stateType: id is not text; write id: "…"`},
		"no URN":               {`type A @stateType(id: "A") {a: B @property(id: "urn:tdm:aws:property:String")}`, `x:1:23: @stateType: "A" is not a URN of Things Graph; write urn:tdm:REGION/ACCOUNT/default:TYPE:NAME`},
		"twice":                {`type A @stateType(id: "` + ns + `state:A") {ignore:void} type B @stateType(id: "` + ns + `STATE:a") {ignore:void}`, "x:1:87: " + ns + "STATE:a is defined twice; remove one of them, or give it another id"},
		"unknown argument":     {`type A @stateType(id: "` + ns + `state:A", foo: 1) {ignore:void}`, `x:1:73: @stateType has no argument "foo"; known are id, description, name`},
		"field, no property":   {`type A @stateType(id: "` + ns + "state:A\") {\n  a: String\n}", `x:2:3: state A: a has no property; write name: Type @property(id: "…")`},
		"unknown data type":    {`type A @propertyType(id: "` + ns + "property:A\",\ndataType: int128) {ignore:void}", `x:2:11: unknown data type "int128"; write a data type such as string, boolean, int32 or float64, or an enum's URN`},
		"property of nothing":  {`type A @propertyType(id: "` + ns + `property:A") {ignore:void}`, `x:1:8: property A is of nothing; write instanceOf: "…" or dataType: …`},
		"parameters of others": {`query D($a: string) @deployment(id: "` + ns + `deployment:D", systemId: "` + ns + `system:S") {triggers {ignore:void}}`, "x:1:9: only workflows have parameters; remove them"},

		// devices
		"another protocol":           {inDevice("CoAP {}"), "x:2:1: device D: unknown protocol CoAP; write MQTT { … }"},
		"no protocol":                {inDevice(""), "x:1:1: device D has no protocol; write MQTT { … }"},
		"unknown block":              {inCapability("Property(name: \"p\") {}"), `x:3:1: a capability's block has no "Property"; known are State, Event, Action`},
		"event without topic":        {inCapability("Event(name: \"E\") {}"), `x:3:1: Event E has no topic; write Subscribe(topic: "…") { responsePayload(property: "…") }`},
		"action without request":     {inCapability("Action(name: \"A\") {params}"), `x:3:1: Action A has no request; write Publish { Request(topic: "…") { params } }`},
		"topic of something else":    {inCapability("Event(name: \"E\") {\nSubscribe(topic: \"${systemConfig.awsRegion}/x\")}"), `x:4:18: topic "${systemConfig.awsRegion}/x" holds something else than the thing's name; write ${systemRuntime.deviceId} where the thing's name belongs, and the rest as it is`},
		"topic with wildcards":       {inCapability("Event(name: \"E\") {\nSubscribe(topic: \"a/+\")}"), `x:4:18: topic "a/+" has wildcards; write out the topic`},
		"unknown property":           {inCapability("Event(name: \"E\") {Subscribe(topic: \"a\") {responsePayload(property: \"" + ns + "property:P\")}}"), "x:3:1: property " + ns + "property:P is not defined here; add its document"},
		"request value from nowhere": {inCapability("Action(name: \"A\") {Publish {Request(topic: \"a\") {params {\nparam(name: \"x\", value: \"${y.value}\")}}}}"), `x:4:25: "${y.value}" uses y; known are the parameters of the action, as ${name.value}`},
		"request without value":      {inCapability("Action(name: \"A\") {Publish {Request(topic: \"a\") {params {\nparam(name: \"x\")}}}}"), `x:4:1: x has no value, and the action has no parameter of that name; write value: "${…}"`},
		"action that listens":        {inCapability("Action(name: \"A\") {Subscribe(topic: \"a\")}"), "x:3:20: Action A: an action that only listens is not carried out; write Publish { Request(topic: …) Response(topic: …) }"},

		// services
		"service protocol":        {inService("SOAP {}"), "x:2:1: service S: unknown protocol SOAP; write REST { … } or AwsLambda { … }"},
		"unknown HTTP method":     {inService("REST {C(id: \"" + ns + "capability:C\") {Action(name: \"a\") {\nHttpTrace {}}}}"), "x:3:1: Action a has no \"HttpTrace\"; known are params, HttpGet, HttpPost, HttpPut, HttpPatch, HttpDelete"},
		"request without address": {inService("REST {C(id: \"" + ns + "capability:C\") {Action(name: \"a\") {HttpGet {\nRequest}}}}"), `x:3:1: Request without url; write url: "…"`},

		// workflows
		"no steps":              {inWorkflow("variables {}"), "x:1:1: workflow W has no steps; write steps { step(name: …) { … } }"},
		"unknown block there":   {inWorkflow("steps {}\nactions {}"), `x:3:1: a workflow has no "actions"; known are variables, steps`},
		"step without name":     {inWorkflow("steps {\nstep {ChoiceActivity {rule(expr: \"${true}\")}}}"), `x:3:1: step without name; write name: "…"`},
		"step without activity": {inWorkflow("steps {\nstep(name: \"S\")}"), "x:3:1: step S does nothing; write DeviceActivity(…) { … }, WebserviceActivity(…) { … } or ChoiceActivity { … }"},
		"wait":                  {inStep("Wait(seconds: 5)"), "x:3:1: step S has no \"Wait\"; known are DeviceActivity, WebserviceActivity, ChoiceActivity, OnError, OnSuccess"},
		"two actions":           {inStep("DeviceActivity(deviceModel: \"urn:tdm:aws/examples:deviceModel:Camera\", deviceId: \"${camera}\") {a b}"), "x:3:1: DeviceActivity has 2 actions instead of one; write { action(argument: …) }"},
		"choice without rules":  {inStep("ChoiceActivity {default}"), `x:3:1: a choice without rules; write rule(expr: "${…}") { setEvent(name: "…") }`},
		"retries out of range":  {inStep("ChoiceActivity {rule(expr: \"${true}\")} OnError {Retries {Retry(maxAttempts: -1)}}"), "x:3:77: Retry: maxAttempts is not a number of use here; write a number from 1 to 1000"},

		// deployments
		"thing's name":       {inDeployment("camera(deviceId: \"my camera\")"), `x:2:18: "my camera" is no name of a thing; write the thing's name: letters, digits, : _ and -, at most 128`},
		"thing without id":   {inDeployment("camera"), `x:2:1: camera without deviceId; write deviceId: "…"`},
		"no condition":       {inDeployment("triggers {T {action(expr: \"x\")}}"), `x:2:11: trigger T has no condition; write condition(expr: "…")`},
		"two conditions":     {inDeployment("triggers {T {condition(expr: \"x\")\ncondition(expr: \"y\")}}"), "x:3:1: trigger T has two conditions; join them with &&"},
		"triggers directive": {"query D @deployment(id: \"" + ns + "deployment:D\", systemId: \"" + ns + "system:S\") @triggers(definition: \"{}\") {triggers {}}", "x:1:141: @triggers is not a workflow's here; move it to the workflow"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(File{"x", []byte(tc.text)})
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestReadEntities: all kinds of entities, and the forms of their parts.
func TestReadEntities(t *testing.T) {
	text := strings.ReplaceAll(`
enum OnOff @enumType(id: 'NS:Enum:OnOff') { ON @enumValue(value: 0), OFF @enumValue(value: 1), UNKNOWN }
type OnOffEnum @propertyType(id: 'NS:Property:OnOffEnum', dataType: 'NS:Enum:OnOff') { ignore: void }
type OnOffInt @propertyType(id: 'NS:Property:OnOffInt', dataType: int8, minValue: 0, maxValue: 1, default: 0, uom: "none") { ignore:void }
type Name @propertyType(id: "NS:property:Name" dataType: "String" minLength: 0 maxLength: 4096 description: """a
  name""")
type Inner @stateType(id: "NS:state:Inner") { at: DateTime @property(id: "urn:tdm:aws:property:DateTime") }
type InnerProperty @propertyType(id: "NS:property:Inner", instanceOf: "NS:State:Inner") {ignore: void}
type All @stateType(id: "NS:state:All", description: "everything") {
  "a switch" a: OnOff @property(id: "NS:property:OnOffEnum")
  b: Int @property(id: "NS:property:OnOffInt"), c: String @property(id: "NS:property:Name")
  d: [Inner!] @property(id: "NS:property:Inner") e: Float @property(id: "urn:tdm:aws:Property:float64")
  f: Json @property(id: "urn:tdm:aws:Property:Json")
}
type AllProperty @propertyType(id: "NS:property:All", instanceOf: "NS:state:All") {ignore: void}
type Tick @eventType(id: "NS:event:Tick") {ignore: void}
type Report @eventType(id: "NS:event:Report", payload: "NS:property:All") {ignore: void}
type Ask @actionType(id: "NS:action:Ask") { ignore: void }
type Empty @capabilityType(id: "NS:capability:Empty") { ask: Ask @action(id: "NS:action:Ask") }
type Full @capabilityType(id: "NS:capability:Full") {
  STATE: All @state(id: "NS:state:All") tick: Tick @event(id: "NS:event:Tick") report: Report @event(id: "NS:event:Report") }
type Thing @deviceModel(id: "NS:deviceModel:Thing", capability: ["NS:capability:Empty", "NS:capability:Full"]) {ignore: void}
query Board @device(id: "NS:device:Board", deviceModel: "NS:deviceModel:Thing") {
  MQTT {
    Empty(id: "NS:capability:Empty") { Action(name: "ask") { params Publish { Request(topic: "board/ask") } } }
    Full(id: "NS:capability:Full") {
      State { a(name: "x", property: "NS:property:OnOffEnum") }
      Event(name: "tick") { Subscribe(topic: "board/tick") }
      Event(name: "report") { Subscribe(topic: "board/report") { responsePayload(property: "NS:property:All") } }
    }
  }
}`, "NS:", ns)
	d := mustRead(t, File{"x", []byte(text)})
	want := device.Model{ID: ns + "device:Board", Implements: ns + "deviceModel:Thing",
		Events: map[string]device.EventModel{
			"tick": {Topic: "board/tick"},
			"report": {Topic: "board/report", Payload: device.Payload{Keys: map[string]device.ValueType{"a": device.AnyType, "b": device.IntegerType,
				"c": device.StringType, "d": device.ObjectType, "e": device.NumberType, "f": device.AnyType}}}},
		Actions: map[string]device.ActionModel{"ask": {Topic: "board/ask"}}}
	for _, id := range []string{"device:Board", "DeviceModel:Thing"} {
		if got, ok := d.Device(ns + id); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is\n%+v\nwant\n%+v", id, got, want)
		}
	}
}
