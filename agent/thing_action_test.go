package agent

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/things"
)

// answer sends a request with a token of a role, and decodes the answer into out unless that is nil.
func (s *served) answer(t *testing.T, role, method, path, body string, out any) (status int, text string) {
	t.Helper()
	token := map[string]string{"look": s.look, "act": s.act}[role]
	resp := s.ask(t, method, path, body, "Authorization", "Bearer "+token)
	b, err := io.ReadAll(resp.Body)
	if err == nil && out != nil && resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, b)
	}
	return resp.StatusCode, string(b)
}

// up waits until all things work.
func (s *served) up(t *testing.T) {
	t.Helper()
	for {
		changed := s.things.health.changed.wait()
		down := 0
		for _, state := range s.things.health.Things() {
			if state.State != "up" {
				down++
			}
		}
		if down == 0 {
			return
		}
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatalf("%d things do not work", down)
		}
	}
}

const severalThings = `things:
  - {name: relay, type: output, pin: GPIO27}
  - {name: eye, type: camera, size: 64x48, warm_up_frames: 0}
  - {name: wall, type: screen, clear_after: 0s}
  - {name: air, type: environment, interval: 1h}
  - {name: plc, type: modbus, device: mock, interval: 1h, registers: [{name: setpoint, address: 40001, type: int16, gain: 0.1, unit: °C, writable: true, min: 0, max: 50}, {name: hours, address: 40051}]}
`

// Things do what their descriptions say, with an input that fits it, and answer with the result.
func TestActionsOfThings(t *testing.T) {
	s := serveThings(t, severalThings)
	s.up(t)
	var shot struct{ LastClickedImage string }
	for _, tc := range []struct {
		role, path, body string
		status           int
		text             string
	}{
		{"act", "relay/actions/set", `{"state": "on"}`, 200, "{}"},
		{"act", "relay/actions/set", `{"state": "toggle", "for": "1h"}`, 200, "{}"},
		{"look", "relay/actions/set", `{"state": "off"}`, 403, ""},
		{"", "relay/actions/set", `{"state": "off"}`, 401, ""},
		{"act", "relay/actions/set", `{"state": "half"}`, 400, `one of [\"on\" \"off\" \"toggle\"]`},
		{"act", "relay/actions/set", `{}`, 400, `\"state\" is missing`},
		{"act", "relay/actions/set", `{"state": 1}`, 400, "of type string"},
		{"act", "relay/actions/set", `{"state": "on", "colour": "red"}`, 400, `takes no \"colour\"`},
		{"act", "relay/actions/set", `{"state": "on", "for": "soon"}`, 400, "is no time"},
		{"act", "relay/actions/set", `[]`, 400, ""},
		{"act", "relay/actions/explode", `{}`, 404, `no action \"explode\"`},
		{"act", "eye/actions/picture", `{}`, 404, "no action"}, // which is for other programs of this host
		{"act", "no/actions/set", `{}`, 404, "no thing is named"},
		{"act", "air/actions/read", `{}`, 404, "no action"},
		{"act", "wall/actions/display", `{"imageUrl": "gopher://x/y.jpg"}`, 400, ""},
		{"act", "wall/actions/display", `{"imageUri": "x"}`, 400, `takes no \"imageUri\"`},
		{"act", "wall/actions/end", `{}`, 200, "{}"},
		{"act", "plc/actions/set", `{"setpoint": 21.5}`, 200, "{}"},
		{"act", "plc/actions/set", `{"setpoint": 51}`, 400, "50"},
		{"act", "plc/actions/set", `{"hours": 1}`, 400, `takes no \"hours\"`},
	} {
		if status, text := s.answer(t, tc.role, "POST", "/api/v1/things/"+tc.path, tc.body, nil); status != tc.status || !strings.Contains(text, tc.text) {
			t.Errorf("%s %s %s: %d %s, want %d with %s", tc.role, tc.path, tc.body, status, text, tc.status, tc.text)
		}
	}
	if status, text := s.answer(t, "act", "POST", "/api/v1/things/eye/actions/capture", "{}", &shot); status != 200 || !strings.Contains(shot.LastClickedImage, "/pictures/") {
		t.Errorf("capture: %d %s", status, text)
	}
	var relay ListedThing
	if status, _ := s.answer(t, "look", "GET", "/api/v1/things/relay", "", &relay); status != 200 || relay.Readings["state"].Value != "off" {
		t.Errorf("the output was switched on and toggled: %+v", relay.Readings)
	}
	if status, _ := s.answer(t, "look", "GET", "/api/v1/things/no", "", nil); status != 404 {
		t.Errorf("a thing that is not there: %d", status)
	}
	if status, _ := s.answer(t, "look", "GET", "/api/v1/things?description=much", "", nil); status != 400 {
		t.Errorf("a query that is none: %d", status)
	}
}

// No more actions than a few are under way, whichever way they are asked for.
func TestActionsTakeTurns(t *testing.T) {
	s := serveThings(t, severalThings)
	s.up(t)
	turns := make(chan struct{}, 1)
	route := actionRoute(s.things.made, turns)
	end, err := takeTurn(turns)
	if err != nil {
		t.Fatal(err)
	}
	call := func() int {
		mux := http.NewServeMux()
		mux.Handle(route.Pattern(), route.Handler)
		return statusOf(mux, "POST", "/api/v1/things/wall/actions/end", "{}")
	}
	if status := call(); status != http.StatusServiceUnavailable {
		t.Errorf("with all turns taken: %d", status)
	}
	end()
	if status := call(); status != http.StatusOK {
		t.Errorf("with one free: %d", status)
	}
}

// The description of a thing has all that a page needs, whatever its kind.
func TestDescriptions(t *testing.T) {
	s := serveThings(t, severalThings)
	s.up(t)
	var all []ListedThing
	s.answer(t, "look", "GET", "/api/v1/things", "", &all)
	if len(all) != 5 || all[0].Description != nil {
		t.Fatalf("without descriptions: %+v", all)
	}
	all = nil
	s.answer(t, "look", "GET", "/api/v1/things?description=true", "", &all)
	by := map[string]*ThingDescription{}
	for _, one := range all {
		by[one.Name] = one.Description
	}
	relay, eye, wall, air, plc := by["relay"], by["eye"], by["wall"], by["air"], by["plc"]
	if in := relay.Actions["set"].Input; len(in) != 2 || in[0].Name != "state" || !in[0].Required || len(in[0].Values) != 3 || in[1].Format != "duration" {
		t.Errorf("the input of an output: %+v", in)
	}
	if q := relay.Quantities; len(q) != 1 || q[0].Set != "set" || q[0].Type != "string" || strings.Join(q[0].Values, " ") != "off on" || relay.Part.Name != "GPIO27" {
		t.Errorf("the state of an output: %+v", q)
	}
	if eye.Pictures["snapshot"] != "/api/v1/things/eye/snapshot.jpg" || eye.Actions["capture"].Picture != "lastClickedImage" || eye.Actions["capture"].Result["lastClickedImage"] != "string" {
		t.Errorf("a camera: %+v", eye)
	}
	if wall.Pictures["shown"] != "/screen/wall.png" {
		t.Errorf("a screen: %+v", wall.Pictures)
	}
	if q := air.Quantities; len(q) != 4 || q[0].Unit != "°C" || q[0].Min == nil || *q[0].Min != -40 || q[0].Type != "number" {
		t.Errorf("the quantities of an environment: %+v", q)
	}
	var interval DescribedSetting
	for _, one := range air.Settings {
		if one.Key == "interval" {
			interval = one
		}
	}
	if string(interval.Value) != `"1h0m0s"` && string(interval.Value) != `"1h"` || interval.Change != conf.Afar || interval.Min == "" || interval.Doc == "" {
		t.Errorf("a setting: %+v", interval)
	}
	if in := plc.Actions["set"].Input; len(in) != 1 || in[0].Unit != "°C" || in[0].Max == nil || *in[0].Max != 50 {
		t.Errorf("the input of a Modbus device: %+v", in)
	}
}

// Every kind of thing has a description for a page: what it measures or does, and its settings.
func TestEveryKindIsDescribed(t *testing.T) {
	for _, k := range things.Kinds() {
		settings := k.New()
		conf.Fill(settings)
		settings.Simulate()
		d := k.Describe(settings, nil)
		if k.Doc == "" || len(d.Model.Events)+len(d.Model.Actions) == 0 {
			t.Errorf("%s: %q, %+v", k.Name, k.Doc, d.Model)
		}
		for name, a := range d.Model.Actions {
			for input := range a.Inputs {
				if _, ok := a.Params[input]; !ok {
					t.Errorf("%s: action %s: %q is described and no param", k.Name, name, input)
				}
			}
		}
		for _, one := range describeSettings(settings) {
			if one.Doc == "" || one.Change == "" || len(one.Value) == 0 {
				t.Errorf("%s: setting %+v", k.Name, one)
			}
		}
	}
}

// statusOf is how a handler answers a request.
func statusOf(h http.Handler, method, path, body string) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code
}
