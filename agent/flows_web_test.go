package agent

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pithings/flow"
	"pithings/flowhost"
)

// Flows are written, looked at, started, ended and removed over the web by who may act, and who may look
// only looks.
func TestFlowsOverTheWeb(t *testing.T) {
	s := serveThings(t, severalThings+"flows: []\n")
	body := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const path = "/api/v1/flows/"
	text := "name: Slow\nthings: {relay: relay}\nsteps:\n  - {name: On, thing: relay, action: set, input: {state: 'on'}}\n  - {name: Wait, wait: 1h}\n"
	good := body(flowhost.WriteRequest{Text: text})
	var checked flowhost.Checked
	if status, answer := s.answer(t, "act", "POST", path+"check", body(flowhost.WriteRequest{Text: strings.Replace(text, "action: set", "action: sit", 1)}), &checked); status != http.StatusOK || len(checked.Problems) != 1 || checked.Problems[0].Line != 4 {
		t.Errorf("a mistake: %d %s", status, answer)
	}
	var deployed flowhost.Deployed
	var shown flowhost.PublicFlow
	var id string
	for _, tc := range []struct {
		role, method, path, body string
		status                   int
		out                      any
	}{
		{"look", "POST", "check", good, 403, nil}, {"look", "POST", "write", good, 403, nil}, {"", "POST", "write", good, 401, nil},
		{"act", "POST", "write", body(flowhost.WriteRequest{Text: strings.Replace(text, "thing: relay,", "thing: other,", 1)}), 409, nil},
		{"act", "POST", "write", "{}", 409, nil}, {"act", "POST", "write", "[]", 400, nil},
		{"act", "POST", "write", body(flowhost.WriteRequest{Text: text + strings.Repeat("#", 64<<10)}), 413, nil},
		{"act", "POST", "write", good, 200, &deployed}, {"act", "POST", "write", good, 200, &deployed},
		{"look", "GET", "deployment?name=Slow", "", 200, &shown}, {"look", "GET", "deployment?name=none", "", 409, nil}, {"look", "GET", "deployment?name=Slow&revision=x", "", 400, nil},
		{"act", "POST", "start", `{"deployment": "Slow"}`, 200, &id},
		{"act", "POST", "deploy", good, 404, nil}, {"act", "GET", "show?name=Slow", "", 404, nil}, // at the machine only
	} {
		if status, answer := s.answer(t, tc.role, tc.method, path+tc.path, tc.body, tc.out); status != tc.status {
			t.Errorf("%s %s as %q: %d %s, want %d", tc.method, tc.path, tc.role, status, answer, tc.status)
		}
	}
	if deployed.Revision != 2 || shown.Text != text || len(shown.Graph) != 1 || len(shown.Revisions) != 2 {
		t.Errorf("%+v, %+v", deployed, shown)
	}
	for _, tc := range []struct {
		role, path, body string
		status           int
	}{
		{"look", "abort", body(map[string]string{"id": id}), 403}, {"act", "abort", body(map[string]string{"id": "x"}), 409}, {"act", "abort", body(map[string]string{"id": id}), 200},
		{"look", "undeploy", `{"name": "Slow"}`, 403}, {"act", "delete", `{"name": "Slow"}`, 409}, {"act", "undeploy", `{"name": "Slow"}`, 200},
		{"look", "delete", `{"name": "Slow"}`, 403}, {"act", "delete", `{"name": "Slow"}`, 200}, {"act", "delete", `{"name": "Slow"}`, 409},
	} {
		if status, answer := s.answer(t, tc.role, "POST", path+tc.path, tc.body, nil); status != tc.status {
			t.Errorf("%s %s as %q: %d %s, want %d", tc.path, tc.body, tc.role, status, answer, tc.status)
		}
	}
	var story flowhost.Story
	if status, answer := s.answer(t, "look", "GET", path+"execution?id="+id, "", &story); status != http.StatusOK || story.Execution.Status != flow.Aborted {
		t.Errorf("the execution: %d %s", status, answer)
	}
}
