package makers

import (
	"encoding/json"
	"testing"

	"pithings/device"
	"pithings/flow"
)

// What each firmware's documentation says of its topics and payloads is what a flow
// sends (the pages are named beside the models).
func TestCommandsAsTheFirmwaresDocumentThem(t *testing.T) {
	for _, tt := range []struct {
		model, action string
		args          flow.Values
		topic, want   string
	}{
		{"tasmota", "toggle", nil, "cmnd/{thing}/POWER", "TOGGLE"},
		{"tasmota", "on", nil, "cmnd/{thing}/POWER", "ON"},
		{"tasmota", "dimmer", flow.Values{"value": int64(40)}, "cmnd/{thing}/Dimmer", "40"},
		{"tasmota", "command", flow.Values{"command": "Power2 TOGGLE; Delay 10"}, "cmnd/{thing}/Backlog0", "Power2 TOGGLE; Delay 10"},
		{"ESPHome", "off", nil, "{thing}/command", "OFF"},
		{"esphome", "set", flow.Values{"state": "ON"}, "{thing}/command", "ON"},
		{"esphome-light", "brightness", flow.Values{"value": int64(128)}, "{thing}/command", `{"brightness":128,"state":"ON"}`},
		{"shelly", "toggle", nil, "{thing}/command/switch:0", "toggle"},
		{"shelly", "rpc", flow.Values{"method": "Switch.Set", "params": map[string]any{"id": int64(0), "on": true}}, "{thing}/rpc",
			`{"id":1,"method":"Switch.Set","params":{"id":0,"on":true},"src":"pithings"}`},
		{"shelly-gen1", "on", nil, "shellies/{thing}/relay/0/command", "on"},
		{"zigbee2mqtt", "toggle", nil, "zigbee2mqtt/{thing}/set", `{"state":"TOGGLE"}`},
		{"zigbee2mqtt", "position", flow.Values{"value": int64(30)}, "zigbee2mqtt/{thing}/set", `{"position":30}`},
	} {
		m, ok := device.FindModel(Models(), tt.model)
		if !ok {
			t.Errorf("there is no model %s", tt.model)
			continue
		}
		a, _ := m.Action(tt.action)
		var got string
		var err error
		if a.IsText() {
			got, err = flow.RequestText(a, tt.args)
		} else {
			var values flow.Values
			if values, err = flow.RequestPayload(a, tt.args); err == nil {
				var b []byte
				b, err = json.Marshal(values)
				got = string(b)
			}
		}
		if err != nil || a.Topic != tt.topic || got != tt.want {
			t.Errorf("%s, %s: %s %s, %v; want %s %s", tt.model, tt.action, a.Topic, got, err, tt.topic, tt.want)
		}
	}
}

func TestModelsAreRight(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Models() {
		if err := flow.ValidateModel(m); err != nil || seen[m.ID] {
			t.Errorf("%s: %v", m.ID, err)
		}
		seen[m.ID] = true
		if _, ok := m.Event("State"); !ok {
			t.Errorf("%s has no event State", m.ID)
		}
	}
}
