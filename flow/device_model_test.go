package flow

import (
	"encoding/json"
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

func TestActionModelPayload(t *testing.T) {
	screen := ActionModel{Topic: "{thing}/display", Params: map[string]ValueType{"imageUrl": StringType}, Request: map[string]any{"imageUri": "${imageUrl}"}}
	lamp := ActionModel{Topic: "t", Params: map[string]ValueType{"level": IntegerType, "room": StringType},
		Request: map[string]any{"brightness": "${level * 254 / 100}", "note": "in ${room}", "on": true, "time": 2}}
	for name, tc := range map[string]struct {
		action ActionModel
		args   Values
		want   string
	}{
		"param under another key": {screen, Values{"imageUrl": "http://host/1.jpg"}, `{"imageUri":"http://host/1.jpg"}`},
		"key as it is":            {screen, Values{"imageUri": "http://host/2.jpg"}, `{"imageUri":"http://host/2.jpg"}`},
		"in another case":         {screen, Values{"ImageURL": "http://host/3.jpg"}, `{"imageUri":"http://host/3.jpg"}`},
		"key in another case":     {screen, Values{"imageuri": "http://host/4.jpg"}, `{"imageUri":"http://host/4.jpg"}`},
		"param not given":         {screen, Values{}, `{"imageUri":null}`},
		"expressions":             {lamp, Values{"level": int64(50), "room": "hall"}, `{"brightness":127,"note":"in hall","on":true,"time":2}`},
		"no request":              {ActionModel{Topic: "t"}, Values{"a": 1}, `{"a":1}`},
		"division by zero":        {ActionModel{Topic: "t", Params: map[string]ValueType{"a": AnyType}, Request: map[string]any{"b": "${1 / a}"}}, Values{"a": int64(0)}, "error: request, b: "},
		"unknown name":            {ActionModel{Topic: "t", Request: map[string]any{"b": "${a}"}}, Values{}, "error: request, b: "},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := tc.action.Payload(tc.args)
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
		"type":              {service(ServiceAction{Method: "GET", URL: "x", Params: map[string]ValueType{"p": "text"}}), `param p has the unknown type "text"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.model.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
