package agent

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pithings/gateway"
)

const withScripts = `things: [{name: air, type: environment, interval: 1h}]
gateway:
  groups: [{name: default, polling: 1h}, {name: warm, type: alarm}]
  variables: [{device: air, name: temperature}]
  alarms: [{name: Hot, device: air, variable: temperature, group: warm, condition1: Gt, operand1: 100}]
  limits: {steps: 100000}
  publish:
    - {name: plain, topic: plain, groups: [default]}
    - name: up
      topic: up
      groups: [default]
      code: |
        def main(data):
            if "fail" in data:
                return 1 / 0
            if "loop" in data:
                while True:
                    pass
            if "long" in data:
                return "x" * 100000
            return data
  subscribe:
    - name: down
      topic: down
      code: |
        from common.Logger import logger
        def main(topic, payload):
            logger.info("got " + topic)
`

// Scripts are tried with data, within their limits, and nothing comes of it; groups are listed.
func TestScriptsAreTried(t *testing.T) {
	s := serveThings(t, withScripts)
	var details GatewayDetails
	if status, text := s.answer(t, "look", "GET", "/api/v1/gateway", "", &details); status != http.StatusOK || len(details.Groups) != 2 || len(details.Scripts) != 2 {
		t.Fatalf("%d %s", status, text)
	}
	if g := details.Groups[0]; g.Name != "default" || g.Polling != 3600 || !slices.Equal(g.Variables, []string{"air.temperature"}) || !slices.Equal(g.Rules, []string{"plain", "up"}) {
		t.Errorf("%+v", g)
	}
	if g := details.Groups[1]; g.Name != "warm" || g.Type != "alarm" || !slices.Equal(g.Alarms, []string{"Hot"}) {
		t.Errorf("%+v", g)
	}
	before := s.links.shared.Stats().Accepted
	for name, tc := range map[string]struct {
		role, kind, rule, data string
		status                 int
		output, error          string
		more                   bool
	}{
		"a result":                {"act", "publish", "up", `{"x": [1, "ä"]}`, 200, `{"x": [1, "\u00e4"]}`, "", false},
		"an exception":            {"act", "publish", "up", `{"fail": 1}`, 200, "", "ZeroDivisionError", false},
		"a loop":                  {"act", "publish", "up", `{"loop": 1}`, 200, "", "steps", false},
		"a long result":           {"act", "publish", "up", `{"long": 1}`, 200, "xxx", "", true},
		"a message":               {"act", "subscribe", "down", `{"topic": "a/b", "payload": "x"}`, 200, "INFO got a/b", "", false},
		"no data":                 {"act", "publish", "up", ``, 200, "{}", "", false},
		"a rule without a script": {"act", "publish", "plain", `{}`, 404, "", "", false},
		"another kind":            {"act", "function", "up", `{}`, 404, "", "", false},
		"who may look":            {"look", "publish", "up", `{}`, 403, "", "", false},
		"without a login":         {"", "publish", "up", `{}`, 401, "", "", false},
	} {
		body, err := json.Marshal(map[string]any{"kind": tc.kind, "rule": tc.rule, "data": json.RawMessage(tc.data)})
		if tc.data == "" {
			body, err = json.Marshal(map[string]any{"kind": tc.kind, "rule": tc.rule})
		}
		if err != nil {
			t.Fatal(err)
		}
		var tried gateway.Tried
		status, text := s.answer(t, tc.role, "POST", "/api/v1/gateway/try", string(body), &tried)
		if status != tc.status || !strings.Contains(strings.Join(tried.Output, "\n"), tc.output) || !strings.Contains(tried.Error, tc.error) || (tried.Error == "") != (tc.error == "") || tried.More != tc.more {
			t.Errorf("%s: %d %.300s", name, status, text)
		}
	}
	if after := s.links.shared.Stats().Accepted; after != before {
		t.Errorf("%d messages were published", after-before)
	}
	if found, err := filepath.Glob(filepath.Join(s.folder.Dir, "gateway", "*", "*")); err != nil || len(found) > 0 {
		for _, name := range found {
			if info, err := os.Stat(name); err == nil && !info.IsDir() {
				t.Errorf("a trial has left %s", name)
			}
		}
	}
	if status, _ := s.answer(t, "act", "POST", "/api/v1/gateway/try", "[]", nil); status != http.StatusBadRequest {
		t.Errorf("a body that is none: %d", status)
	}
}
