package flow

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pithings/device"
)

func TestDeviceModelValidate(t *testing.T) {
	screen := func(change func(*device.ActionModel)) device.Model {
		a := device.ActionModel{Topic: "{thing}/display", Params: map[string]device.ValueType{"imageUrl": device.StringType}, Request: map[string]any{"imageUri": "${imageUrl}"}}
		change(&a)
		return device.Model{ID: "screen", Actions: map[string]device.ActionModel{"display": a}}
	}
	event := func(e device.EventModel) device.Model {
		return device.Model{ID: "gauge", Events: map[string]device.EventModel{"Reading": e}}
	}
	for name, tc := range map[string]struct {
		model device.Model
		want  string
	}{
		"a screen":            {screen(func(*device.ActionModel) {}), ""},
		"a bare value":        {event(device.EventModel{Topic: "hall/temperature", Payload: device.Payload{Bare: device.NumberType}}), ""},
		"nothing in it":       {device.Model{ID: "x"}, "device model x has neither events nor actions"},
		"no topic":            {screen(func(a *device.ActionModel) { a.Topic = "" }), `device model screen, action display: no topic; write one such as "{thing}/motion"`},
		"wildcard":            {event(device.EventModel{Topic: "+/motion"}), `device model gauge, event Reading: topic "+/motion" has wildcards; write out the topic`},
		"another placeholder": {screen(func(a *device.ActionModel) { a.Answer = "${deviceId}/done" }), `device model screen, action display: answer: topic "${deviceId}/done": only {thing} is filled in`},
		"long topic":          {event(device.EventModel{Topic: strings.Repeat("x", 257)}), "longer than 256 bytes"},
		"unknown type":        {screen(func(a *device.ActionModel) { a.Params["imageUrl"] = "url" }), `param imageUrl has the unknown type "url"`},
		"keys and bare":       {event(device.EventModel{Topic: "t", Payload: device.Payload{Bare: device.NumberType, Keys: map[string]device.ValueType{"a": device.AnyType}}}), "keys or is bare, not both"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ValidateModel(tc.model)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// A request of many keys is bounded as a whole, and not only key by key.
func TestPayloadIsBoundedAsAWhole(t *testing.T) {
	request := map[string]any{}
	for i := range 100 {
		request[fmt.Sprint("k", i)] = "${event}"
	}
	event := Values{"text": strings.Repeat("a", 60<<10)}
	for n, a := range []device.ActionModel{{Params: map[string]device.ValueType{"event": "object"}, Request: request}, {}} {
		args := Values{"event": event}
		if n == 1 {
			for key := range request {
				args[key] = event
			}
		}
		if _, err := RequestPayload(a, args); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestActionModelPayload(t *testing.T) {
	screen := device.ActionModel{Topic: "{thing}/display", Params: map[string]device.ValueType{"imageUrl": device.StringType}, Request: map[string]any{"imageUri": "${imageUrl}"}}
	lamp := device.ActionModel{Topic: "t", Params: map[string]device.ValueType{"level": device.IntegerType, "room": device.StringType},
		Request: map[string]any{"brightness": "${level * 254 / 100}", "note": "in ${room}", "on": true, "time": 2}}
	for name, tc := range map[string]struct {
		action device.ActionModel
		args   Values
		want   string
	}{
		"param under another key": {screen, Values{"imageUrl": "http://host/1.jpg"}, `{"imageUri":"http://host/1.jpg"}`},
		"key as it is":            {screen, Values{"imageUri": "http://host/2.jpg"}, `{"imageUri":"http://host/2.jpg"}`},
		"in another case":         {screen, Values{"ImageURL": "http://host/3.jpg"}, `{"imageUri":"http://host/3.jpg"}`},
		"key in another case":     {screen, Values{"imageuri": "http://host/4.jpg"}, `{"imageUri":"http://host/4.jpg"}`},
		"param not given":         {screen, Values{}, `{"imageUri":null}`},
		"expressions":             {lamp, Values{"level": int64(50), "room": "hall"}, `{"brightness":127,"note":"in hall","on":true,"time":2}`},
		"no request":              {device.ActionModel{Topic: "t"}, Values{"a": 1}, `{"a":1}`},
		"division by zero":        {device.ActionModel{Topic: "t", Params: map[string]device.ValueType{"a": device.AnyType}, Request: map[string]any{"b": "${1 / a}"}}, Values{"a": int64(0)}, "error: request, b: "},
		"unknown name":            {device.ActionModel{Topic: "t", Request: map[string]any{"b": "${a}"}}, Values{}, "error: request, b: "},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := RequestPayload(tc.action, tc.args)
			text, _ := json.Marshal(payload)
			got := string(text)
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != tc.want && (err == nil || !strings.HasPrefix(got, tc.want)) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestServiceModelValidate(t *testing.T) {
	service := func(a ServiceAction) ServiceModel {
		return ServiceModel{ID: "s", Actions: map[string]ServiceAction{"a": a}}
	}
	for name, tc := range map[string]struct {
		model ServiceModel
		want  string
	}{
		"a request":         {service(ServiceAction{Method: "GET", URL: "https://host/${x}"}), ""},
		"a Lambda function": {service(ServiceAction{Method: "POST", Cloud: "a Lambda function"}), ""},
		"no actions":        {ServiceModel{ID: "s"}, "service s has no actions"},
		"no url":            {service(ServiceAction{Method: "GET"}), "service s, action a has no url"},
		"method":            {service(ServiceAction{Method: "get", URL: "x"}), `service s, action a: method "get" is none of [GET POST PUT PATCH DELETE]`},
		"two bodies":        {service(ServiceAction{Method: "POST", URL: "x", Text: "y", Body: map[string]any{"z": 1}}), "service s, action a has a body and a text; write one of them"},
		"type":              {service(ServiceAction{Method: "GET", URL: "x", Params: map[string]device.ValueType{"p": "text"}}), `param p has the unknown type "text"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.model.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
