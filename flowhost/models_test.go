package flowhost

import (
	"strings"
	"testing"

	"pithings/device"
	"pithings/flow"
)

// A role may name a device, or the device model of Things Graph which it implements: a
// system's document names that.
func TestModelOfARole(t *testing.T) {
	l := library{own: []device.Model{
		{ID: "urn:tdm:eu/1/default:device:Reader", Implements: "urn:tdm:eu/1/default:deviceModel:Barcode", Events: map[string]device.EventModel{"Read": {Topic: "reader"}}},
		{ID: "urn:tdm:eu/1/default:device:Desk", Implements: "urn:tdm:eu/1/default:deviceModel:Lamp", Events: map[string]device.EventModel{"On": {Topic: "desk"}}},
		{ID: "urn:tdm:eu/1/default:device:Hall", Implements: "urn:tdm:eu/1/default:deviceModel:Lamp", Events: map[string]device.EventModel{"On": {Topic: "hall"}}},
	}, builtin: newReader().builtin}
	for _, tt := range []struct{ model, step, topic, err string }{
		{"urn:tdm:eu/1/default:device:Reader", "", "reader", ""},
		{"urn:tdm:eu/1/default:DeviceModel:Barcode", "", "reader", ""},
		{"urn:tdm:eu/1/default:deviceModel:Lamp", "", "", "has several devices; name the one that here is, as the model of its role: urn:tdm:eu/1/default:device:Desk, urn:tdm:eu/1/default:device:Hall"},
		{"urn:tdm:eu/1/default:deviceModel:Lamp", "urn:tdm:eu/1/default:device:Hall", "hall", ""},
		{"urn:tdm:eu/1/default:deviceModel:Barcoed", "", "", "is not known"},
		{"urn:tdm:aws/examples:deviceModel:MotionSensor", "", "{thing}/motion", ""},
	} {
		d := &flow.Deployment{Flows: []flow.Flow{{Definition: &flow.Definition{Steps: []flow.Step{{Activity: &flow.DeviceAction{Role: "r", DeviceURN: tt.step}}}}}}}
		got, err := l.describe(d, flow.Binding{Role: "r", Thing: "here", Model: tt.model})
		if err == nil != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s, %s: %v", tt.model, tt.step, err)
		}
		for _, e := range got.model.Events {
			if e.Topic != tt.topic {
				t.Errorf("%s, %s: %s", tt.model, tt.step, e.Topic)
			}
		}
		if err == nil && len(got.model.Events) == 0 {
			t.Errorf("%s, %s: nothing is known", tt.model, tt.step)
		}
	}
}
