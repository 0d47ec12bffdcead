package flow

import (
	"strings"
	"testing"
)

func TestDeviceModelValidate(t *testing.T) {
	screen := func(change func(*ActionModel)) DeviceModel {
		a := ActionModel{Topic: "{thing}/display", Params: map[string]ValueType{"imageUrl": StringType}, Request: map[string]any{"imageUri": "${imageUrl}"}}
		change(&a)
		return DeviceModel{ID: "screen", Actions: map[string]ActionModel{"display": a}}
	}
	event := func(e EventModel) DeviceModel {
		return DeviceModel{ID: "gauge", Events: map[string]EventModel{"Reading": e}}
	}
	for name, tc := range map[string]struct {
		model DeviceModel
		want  string
	}{
		"a screen":            {screen(func(*ActionModel) {}), ""},
		"a bare value":        {event(EventModel{Topic: "hall/temperature", Payload: Payload{Bare: NumberType}}), ""},
		"nothing in it":       {DeviceModel{ID: "x"}, "device model x has neither events nor actions"},
		"no topic":            {screen(func(a *ActionModel) { a.Topic = "" }), `device model screen, action display: no topic; write one such as "{thing}/motion"`},
		"wildcard":            {event(EventModel{Topic: "+/motion"}), `device model gauge, event Reading: topic "+/motion" has wildcards; write out the topic`},
		"another placeholder": {screen(func(a *ActionModel) { a.Answer = "${deviceId}/done" }), `device model screen, action display: answer: topic "${deviceId}/done": only {thing} is filled in`},
		"long topic":          {event(EventModel{Topic: strings.Repeat("x", 257)}), "longer than 256 bytes"},
		"unknown type":        {screen(func(a *ActionModel) { a.Params["imageUrl"] = "url" }), `param imageUrl has the unknown type "url"`},
		"keys and bare":       {event(EventModel{Topic: "t", Payload: Payload{Bare: NumberType, Keys: map[string]ValueType{"a": AnyType}}}), "keys or is bare, not both"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.model.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
