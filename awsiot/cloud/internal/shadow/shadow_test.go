package shadow

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// session is a shadow with its requests one after the other.
type session struct {
	t   *testing.T
	d   *Document
	now time.Time
}

func newSession(t *testing.T) *session { return &session{t: t, now: time.Unix(1591140517, 0)} }

// ask handles a request, and returns the responses by their topics.
func (s *session) ask(request, payload string) map[string]string {
	s.t.Helper()
	next, responses := Handle(s.d, "simShadow1", request, []byte(payload), s.now)
	s.d = next
	all := map[string]string{}
	for _, r := range responses {
		if _, twice := all[r.Topic]; twice {
			s.t.Errorf("%s: two responses on %s", payload, r.Topic)
		}
		all[r.Topic] = string(r.Payload)
	}
	if next != nil { // what is stored is what was
		record, err := json.Marshal(next)
		if err != nil {
			s.t.Fatal(err)
		}
		if s.d, err = Parse(record); err != nil || !reflect.DeepEqual(s.d, next) {
			s.t.Fatalf("stored as %s: %v", record, err)
		}
	}
	return all
}

func TestRefusals(t *testing.T) {
	deep := func(n int) string {
		return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n)
	}
	for _, row := range []struct {
		name, request, payload string
		code                   int
		message                string
	}{
		{"not JSON", Update, `{"state":`, 400, "Invalid JSON"},
		{"nothing", Update, ``, 400, "Invalid JSON"},
		{"two documents", Update, `{"state":{}} {}`, 400, "Invalid JSON"},
		{"an array", Update, `[]`, 400, "Invalid JSON"},
		{"no state", Update, `{"version":1}`, 400, "Missing required node: state"},
		{"state is a text", Update, `{"state":"on"}`, 400, "State node must be an object"},
		{"state is null", Update, `{"state":null}`, 400, "State node must be an object"},
		{"desired is a number", Update, `{"state":{"desired":1}}`, 400, "Desired node must be an object"},
		{"reported is an array", Update, `{"state":{"reported":[1]}}`, 400, "Reported node must be an object"},
		{"another section", Update, `{"state":{"delta":{"a":1}}}`, 400, "State contains an invalid node"},
		{"version is a text", Update, `{"state":{},"version":"1"}`, 400, "Invalid version"},
		{"version is negative", Update, `{"state":{},"version":-1}`, 400, "Invalid version"},
		{"version is a fraction", Update, `{"state":{},"version":1.5}`, 400, "Invalid version"},
		{"token is a number", Update, `{"state":{},"clientToken":1}`, 400, "Invalid clientToken"},
		{"token of 65 bytes", Update, `{"state":{},"clientToken":"` + strings.Repeat("x", 65) + `"}`, 400, "Invalid clientToken"},
		{"get with such a token", Get, `{"clientToken":"` + strings.Repeat("x", 65) + `"}`, 400, "Invalid clientToken"},
		{"seven levels", Update, `{"state":{"desired":` + deep(6) + `}}`, 400, "JSON contains too many levels of nesting; maximum is 6"},
		{"seven levels with an array", Update, `{"state":{"desired":{"a":{"b":{"c":{"d":{"e":[1]}}}}}}}`, 400, "JSON contains too many levels of nesting; maximum is 6"},
		{"null in an array", Update, `{"state":{"desired":{"colors":[null,"RED","GREEN"]}}}`, 400, "Invalid JSON"},
		{"old version", Update, `{"state":{},"version":2}`, 409, "Version conflict"},
		{"8,193 bytes", Update, `{"state":{"desired":{"a":"` + strings.Repeat("x", 8193-31) + `"}}}`, 413, "The payload exceeds the maximum size allowed"},
		{"together too large", Update, `{"state":{"desired":{"b":"` + strings.Repeat("x", 8100) + `"}}}`, 413, "The payload exceeds the maximum size allowed"},
		{"not UTF-8", Update, "{\"state\":{\"desired\":{\"a\":\"\xff\"}}}", 415, "Unsupported documented encoding; supported encoding is UTF-8"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSession(t)
			s.ask(Update, `{"state":{"reported":{"ID":"`+strings.Repeat("y", 100)+`"}}}`)
			before := s.d
			got := s.ask(row.request, row.payload)
			want := fmt.Sprintf(`{"code":%d,"message":%q,"timestamp":1591140517}`, row.code, row.message)
			if len(got) != 1 || got[row.request+"/rejected"] != want {
				t.Errorf("%v, want %s", got, want)
			}
			if !reflect.DeepEqual(s.d, before) {
				t.Error("the shadow has changed")
			}
		})
	}
	t.Run("six levels", func(t *testing.T) {
		if got := newSession(t).ask(Update, `{"state":{"desired":`+deep(5)+`}}`); got["update/accepted"] == "" {
			t.Errorf("%v", got)
		}
	})
	t.Run("the token of what is refused comes back", func(t *testing.T) {
		got := newSession(t).ask(Update, `{"clientToken":"x"}`)
		if got["update/rejected"] != `{"code":400,"message":"Missing required node: state","timestamp":1591140517,"clientToken":"x"}` {
			t.Errorf("%v", got)
		}
	})
}

func TestNumbersAndTextsStayAsTheyAre(t *testing.T) {
	s := newSession(t)
	s.ask(Update, `{"state":{"reported":{"long":12345678901234567890,"half":0.50,"text":"<&> \u00e9"}}}`)
	got := s.ask(Get, ``)["get/accepted"]
	for _, want := range []string{`"long":12345678901234567890`, `"half":0.50`, `"text":"<&> é"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s has no %s", got, want)
		}
	}
	// Equal numbers are no difference.
	if got := s.ask(Update, `{"state":{"desired":{"half":5e-1,"long":12345678901234567890}}}`); got["update/delta"] != "" {
		t.Errorf("%v", got)
	}
}

// An update with the version of the document counts, one with another does not, also after
// a deletion: a version never comes twice within 48 h.
func TestVersions(t *testing.T) {
	s := newSession(t)
	accepted := func(payload string, want int64) {
		t.Helper()
		got := s.ask(Update, payload)
		if s.d == nil || s.d.Version != want || got["update/accepted"] == "" {
			t.Fatalf("%s: %v, want version %d", payload, got, want)
		}
	}
	conflict := func(payload string) {
		t.Helper()
		if got := s.ask(Update, payload)["update/rejected"]; !strings.Contains(got, `"code":409`) {
			t.Fatalf("%s: %s", payload, got)
		}
	}
	conflict(`{"state":{},"version":1}`)
	accepted(`{"state":{"desired":{"a":1}},"version":0}`, 1)
	conflict(`{"state":{},"version":0}`)
	accepted(`{"state":{},"version":1}`, 2)
	if got := s.ask(Delete, `whatever`)["delete/accepted"]; got != `{"version":2,"timestamp":1591140517}` {
		t.Errorf("deleted: %s", got)
	}
	for _, request := range []string{Get, Delete} {
		if got := s.ask(request, `{"clientToken":"x"}`)[request+"/rejected"]; got != `{"code":404,"message":"No shadow exists with name: 'simShadow1'","timestamp":1591140517,"clientToken":"x"}` {
			t.Errorf("%s: %s", request, got)
		}
	}
	conflict(`{"state":{},"version":0}`)
	s.now = s.now.Add(48*time.Hour - time.Second)
	accepted(`{"state":{},"version":2}`, 3)
	s.ask(Delete, ``)
	s.now = s.now.Add(48 * time.Hour)
	accepted(`{"state":{"reported":{"a":1}}}`, 1)
}

// leaf is a value of a shadow that is no object, and when it was set.
type leaf struct {
	value any
	at    int64
}

// leaves is a section as a list of paths: a second way to write down what merging means.
type leaves map[string]leaf

func (l leaves) drop(path string) {
	maps.DeleteFunc(l, func(p string, _ leaf) bool { return p == path || strings.HasPrefix(p, path+"/") })
}

// patch sets what a request names.
func (l leaves) patch(at string, value any, now int64) {
	object, ok := value.(map[string]any)
	switch {
	case value == nil || ok && len(object) == 0:
		l.drop(at)
	case ok:
		delete(l, at) // an object in the place of a value
		for key, inner := range object {
			l.patch(at+"/"+key, inner, now)
		}
	default:
		l.drop(at)
		l[at] = leaf{value, now}
	}
}

// of reads a section and its metadata back into such a list.
func of(state, meta any, at string, into leaves) {
	if object, ok := state.(map[string]any); ok {
		for key, inner := range object {
			of(inner, meta.(map[string]any)[key], at+"/"+key, into)
		}
		return
	}
	for {
		list, ok := meta.([]any)
		if !ok {
			break
		}
		if meta = map[string]any{"timestamp": json.Number("-1")}; len(list) > 0 {
			meta = list[0]
		}
	}
	n, _ := meta.(map[string]any)["timestamp"].(json.Number)
	at64, _ := n.Int64()
	into[at] = leaf{state, at64}
}

// Random updates against that model: what is stored, which version it has, when each value
// was set, and what the responses are.
func TestRandomUpdates(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var value func(depth int) any
	value = func(depth int) any {
		switch r.IntN(7) {
		case 0:
			return nil
		case 1, 2, 3:
			if depth > 3 {
				return json.Number("7")
			}
			o := map[string]any{}
			for range r.IntN(4) {
				o[string(rune('a'+r.IntN(3)))] = value(depth + 1)
			}
			return o
		case 4:
			return []any{json.Number(fmt.Sprint(r.IntN(3))), "x"}
		case 5:
			return r.IntN(2) == 0
		}
		return json.Number(fmt.Sprint(r.IntN(3)))
	}
	for range 100 {
		s := newSession(t)
		model, version := map[string]leaves{"desired": {}, "reported": {}}, int64(0)
		for range 20 {
			s.now = s.now.Add(time.Second)
			request := map[string]any{}
			for _, section := range []string{"desired", "reported"} {
				switch r.IntN(8) {
				case 0:
				case 1:
					request[section] = nil
					clear(model[section])
				default:
					o := map[string]any{}
					for range r.IntN(4) {
						o[string(rune('a'+r.IntN(3)))] = value(1)
					}
					request[section] = o
					for key, inner := range o {
						model[section].patch("/"+key, inner, s.now.Unix())
					}
				}
			}
			payload, _ := json.Marshal(map[string]any{"state": request, "clientToken": "t"})
			got := s.ask(Update, string(payload))
			version++
			if s.d == nil || s.d.Version != version {
				t.Fatalf("%s: %v, want version %d", payload, got, version)
			}
			checkModel(t, s, model)
			checkResponses(t, s, got, request)
		}
	}
}

func checkModel(t *testing.T, s *session, model map[string]leaves) {
	t.Helper()
	for section, parts := range map[string][2]Tree{"desired": {s.d.State.Desired, s.d.Meta.Desired}, "reported": {s.d.State.Reported, s.d.Meta.Reported}} {
		stored := leaves{}
		for key, inner := range parts[0] {
			of(inner, parts[1][key], "/"+key, stored)
		}
		if !reflect.DeepEqual(stored, model[section]) {
			t.Fatalf("%s is %v, want %v", section, stored, model[section])
		}
		if !reflect.DeepEqual(shape(parts[0]), shape(parts[1])) {
			t.Fatalf("%s: metadata %v of %v", section, parts[1], parts[0])
		}
	}
	// Delta has the leaves of desired that reported lacks or has otherwise.
	want := leaves{}
	for path, l := range model["desired"] {
		if has, ok := model["reported"][path]; !ok || !reflect.DeepEqual(has.value, l.value) {
			want[path] = l
		}
	}
	state, meta := differ(s.d.State.Desired, s.d.State.Reported, s.d.Meta.Desired)
	delta := leaves{}
	for key, inner := range state {
		of(inner, meta[key], "/"+key, delta)
	}
	if !reflect.DeepEqual(delta, want) {
		t.Fatalf("delta is %v, want %v", delta, want)
	}
}

// shape is a tree with nothing in the place of its leaves, and of their metadata.
func shape(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if _, stamp := v["timestamp"].(json.Number); stamp && len(v) == 1 {
			return nil
		}
		o := map[string]any{}
		for key, inner := range v {
			o[key] = shape(inner)
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = shape(inner)
		}
		return list
	}
	return nil
}

// checkResponses: accepted echoes the request, documents are the shadow, delta comes if there
// is one.
func checkResponses(t *testing.T, s *session, got map[string]string, request map[string]any) {
	t.Helper()
	read := func(topic string) map[string]any {
		top, err := parseAny(got[topic])
		if err != nil {
			t.Fatalf("%s: %s: %v", topic, got[topic], err)
		}
		if top["clientToken"] != "t" || top["timestamp"] != json.Number(fmt.Sprint(s.now.Unix())) {
			t.Fatalf("%s: %s", topic, got[topic])
		}
		return top
	}
	accepted := read("update/accepted")
	if !reflect.DeepEqual(accepted["state"], any(request)) || !reflect.DeepEqual(shape(accepted["metadata"]), shape(any(request))) {
		t.Fatalf("accepted %s of %v", got["update/accepted"], request)
	}
	current := read("update/documents")["current"].(map[string]any)
	document, _ := parseAny(s.ask(Get, `{"clientToken":"t"}`)["get/accepted"])
	state := document["state"].(map[string]any)
	delta, hasDelta := state["delta"]
	delete(state, "delta")
	for _, part := range []string{"state", "metadata", "version"} {
		if !reflect.DeepEqual(current[part], document[part]) {
			t.Fatalf("%s: documents have %v, get %v", part, current[part], document[part])
		}
	}
	if _, published := got["update/delta"]; published != hasDelta {
		t.Fatalf("delta in get: %v, responses: %v", hasDelta, slices.Sorted(maps.Keys(got)))
	}
	if hasDelta && !reflect.DeepEqual(read("update/delta")["state"], delta) {
		t.Fatalf("get has the delta %v, update/delta %s", delta, got["update/delta"])
	}
}

func parseAny(text string) (top map[string]any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	err = d.Decode(&top)
	return top, err
}

// Whatever comes, the answer is JSON, and what is stored is within the bounds.
func FuzzHandle(f *testing.F) {
	f.Add(0, `{"clientToken":"x"}`)
	f.Add(1, `{"state":{"desired":{"a":{"b":[1,{"c":null}]}},"reported":null},"version":3,"clientToken":"x"}`)
	f.Add(2, ``)
	f.Fuzz(func(t *testing.T, request int, payload string) {
		now := time.Unix(1591140517, 0)
		d := &Document{Version: 3, State: Parts{Desired: Tree{"a": Tree{"b": "x"}}}, Meta: Parts{Desired: Tree{"a": Tree{"b": Tree{"timestamp": json.Number("1")}}}}}
		next, responses := Handle(d, "n", []string{Get, Update, Delete}[uint(request)%3], []byte(payload), now)
		if len(responses) == 0 || next.State.size() > MaxState || next.Version < 3 || next.Version > 4 {
			t.Fatalf("%+v, %v", next, responses)
		}
		for _, r := range responses {
			if !json.Valid(r.Payload) {
				t.Fatalf("%s: %s", r.Topic, r.Payload)
			}
		}
		if levels, _ := depth(Tree{"desired": next.State.Desired, "reported": next.State.Reported}); levels > MaxDepth {
			t.Fatalf("%d levels", levels)
		}
	})
}
