package flowhost

import (
	"context"
	"testing"
	"time"

	"pithings/flow"
)

// The condition of a payload of the property Json looks at the object's own keys
// (Things Graph's guide, triggers: lastEvent.q == 7); only what is no object gets
// the key value.
func TestJSONObjectsAreNotWrapped(t *testing.T) {
	const text = `
query Reader @device(id: "urn:tdm:eu/1/default:device:Reader", deviceModel: "urn:tdm:eu/1/default:deviceModel:Reader") { MQTT { C(id: "urn:tdm:eu/1/default:capability:C") {
  Event(name: "Read") { Subscribe(topic: "$macro(${systemRuntime.deviceId}/read)") { responsePayload(property: "urn:tdm:aws:property:Json") } }
  Action(name: "ask") { Publish { Request(topic: "$macro(${systemRuntime.deviceId}/ask)") Response(topic: "$macro(${systemRuntime.deviceId}/told)") { responsePayload(property: "urn:tdm:aws:property:Json") } } }
} } }
query Check($reader: string!) @workflowType(id: "urn:tdm:eu/1/default:Workflow:Check") {
  variables { told @property(id: "urn:tdm:aws:property:Json") }
  steps {
    step(name: "Ask", outEvent: ["asked"]) { DeviceActivity(deviceModel: "urn:tdm:eu/1/default:deviceModel:Reader", deviceId: "${reader}", out: "told") { ask } }
    step(name: "Again", inEvent: ["asked"], condition: "${told.r == 1}") { DeviceActivity(deviceModel: "urn:tdm:eu/1/default:deviceModel:Reader", deviceId: "${reader}", out: "told") { ask } }
  }
}
type S @systemType(id: "urn:tdm:eu/1/default:System:S", description: "") { reader: R @thing(id: "urn:tdm:eu/1/default:deviceModel:Reader") check: W @workflow(id: "urn:tdm:eu/1/default:Workflow:Check") }
query S @deployment(id: "urn:tdm:eu/1/default:Deployment:S", systemId: "urn:tdm:eu/1/default:System:S") { reader(deviceId: "desk") triggers {
  Seven { condition(expr: "devices[name == 'reader'].events[name == 'Read'].lastEvent.q == 7") action(expr: "ThingsGraph.startFlow('check', bindings[name == 'reader'].deviceId)") }
} }`
	h := newHouse(t)
	h.run()
	if _, err := h.f.Deploy(t.Context(), DeployRequest{Files: []File{{"reader.graphql", text}}}); err != nil {
		t.Fatal(err)
	}
	h.until("the subscription", func() bool { return h.link.Subscribed("desk/read") })
	for _, payload := range []string{`{"q": 8}`, `7`, `"q"`, `[7]`, `{"q": 7}`} {
		h.inject("desk/read", payload)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for n := range 2 {
		if _, err := h.link.WaitFor(ctx, "desk/ask", n+1); err != nil {
			t.Fatal(err)
		}
		h.inject("desk/told", `{"r": 1}`)
	}
	if x := h.ended(1)[0]; x.Status != flow.Succeeded || h.f.Stats()["S"][0].Started != 1 {
		t.Errorf("%+v, %+v", x, h.f.Stats()["S"])
	}
}
