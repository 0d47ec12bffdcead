package flowhost

import (
	"fmt"
	"testing"

	"pithings/flow"
)

// Commands that are no JSON (Tasmota's TOGGLE, https://tasmota.github.io/docs/MQTT/)
// reach the wire as they are; a model of our own says the rest.
func TestCommandsThatAreNoJSON(t *testing.T) {
	for _, tt := range []struct {
		name, things, action, models string
		topic, payload               string
		retain                       bool
	}{
		{"tasmota", "{thing: kitchen, model: tasmota}", "action: toggle", "", "cmnd/kitchen/POWER", "TOGGLE", false},
		{"esphome", "{thing: kitchen/switch/relay, model: esphome}", "action: toggle", "", "kitchen/switch/relay/command", "TOGGLE", false},
		{"shelly", "{thing: shellyplus1-a8032, model: shelly}", "action: toggle", "", "shellyplus1-a8032/command/switch:0", "toggle", false},
		{"zigbee2mqtt", "{thing: kitchen/plug, model: zigbee2mqtt}", "action: toggle", "", "zigbee2mqtt/kitchen/plug/set", `{"state":"TOGGLE"}`, false},
		{"a text", "{thing: p, model: own}", "action: do", `{topic: "{thing}/set", request: "TOGGLE"}`, "p/set", "TOGGLE", false},
		{"an empty text", "{thing: p, model: own}", "action: do", `{topic: "{thing}/update", request: ""}`, "p/update", "", false},
		{"a number", "{thing: p, model: own}", "action: do", `{topic: "{thing}/set", request: 1}`, "p/set", "1", false},
		{"a param", "{thing: p, model: own}", "action: do, input: {state: 21.5}", `{topic: "{thing}/set", params: {state: number}, request: "${state}"}`, "p/set", "21.5", false},
		{"a param in text", "{thing: p, model: own}", "action: do, input: {n: 3}", `{topic: "{thing}/set", params: {n: integer}, request: "on,${n}"}`, "p/set", "on,3", false},
		{"nested", "{thing: p, model: own}", "action: do, input: {on: true}", `{topic: "{thing}/rpc", params: {on: boolean}, request: {id: 1, params: {ids: ["${on}", 0]}}}`, "p/rpc", `{"id":1,"params":{"ids":[true,0]}}`, false},
		{"retained", "{thing: p, model: own}", "action: do", `{topic: "{thing}/set", request: "ON", retain: true}`, "p/set", "ON", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			h.run()
			text := fmt.Sprintf("name: Plug\nthings: {plug: %s, sensor: TG_MS}\ntrigger: {thing: sensor, event: StateChanged}\nsteps: [{name: Do, thing: plug, %s}]\n", tt.things, tt.action)
			if tt.models != "" {
				text += "models: {own: {actions: {do: " + tt.models + "}}}\n"
			}
			h.deploy(text, Options{})
			h.sensor.happens(detected)
			m, err := h.link.WaitFor(t.Context(), tt.topic, 1)
			if err != nil || string(m.Payload) != tt.payload || m.Retain != tt.retain {
				t.Errorf("%s %q, retained %v, %v; want %q", m.Topic, m.Payload, m.Retain, err, tt.payload)
			}
			if tt.retain != (m.Expiry == 0) {
				t.Errorf("it lives %v", m.Expiry)
			}
			if x := h.ended(1)[0]; x.Status != flow.Succeeded {
				t.Errorf("%+v", x)
			}
		})
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	h := newHouse(t)
	h.run()
	for model, want := range map[string]string{
		`{topic: t, request: {"": TOGGLE}}`:                  `a key is empty; for a message that is no JSON write the text alone, as in request: "TOGGLE"`,
		`{topic: t, request: {a: {"": 1}}}`:                  "a key is empty",
		`{topic: t, request: "${"}`:                          "request: ",
		`{topic: t, request: ON, token: id}`:                 "only an object has a key for a token",
		`{topic: t, request: ON, params: {"": string}}`:      "a param has no name",
		`{topic: t, request: ON}, x: {topic: "a/+/{thing}"}`: "has wildcards",
	} {
		_, err := h.f.Deploy(t.Context(), deployment("name: X\nthings: {p: {thing: p, model: own}}\ntrigger: {hand: true}\nsteps: [{name: Do, thing: p, action: do}]\nmodels: {own: {actions: {do: "+model+"}}}\n", Options{}))
		h.refused(model, err, want)
	}
	_, err := h.f.Deploy(t.Context(), deployment("name: X\nthings: {p: {thing: \"+/all\", model: tasmota}}\ntrigger: {hand: true}\nsteps: [{name: Do, thing: p, action: toggle}]\n", Options{}))
	h.refused("a thing that is a wildcard", err, `the thing "+/all" cannot be part of a topic`)
	_, err = h.f.Deploy(t.Context(), deployment("name: X\nthings: {p: {thing: p, model: tasmotta}}\ntrigger: {hand: true}\nsteps: [{name: Do, thing: p, action: toggle}]\n", Options{}))
	h.refused("a slip", err, `did you mean "tasmota"?`)
	_, err = h.f.Deploy(t.Context(), deployment("name: X\nthings: {p: {thing: p, model: tasmota}}\ntrigger: {hand: true}\nsteps: [{name: Do, thing: p, action: toggel}]\n", Options{}))
	h.refused("a slip in an action", err, `did you mean "toggle"?`)
	_, err = h.f.Deploy(t.Context(), deployment("name: X\nthings: {p: {thing: p, model: tasmota}}\ntrigger: {hand: true}\nsteps: [{name: Do, thing: p, action: toggle, input: {a: 1}}]\n", Options{}))
	h.refused("an argument", err, `toggle takes no "a"`)
}
