package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/flow/history"
)

// A flow is run by a job, once, and the job has the result of its execution.
func TestJobRunFlow(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pause.yaml")
	if err := os.WriteFile(file, []byte(`name: Rest
trigger: {hand: true, start: {flow: Short, with: [1]}}
flows:
  - name: Short
    parameters: {n: Number}
    steps: [{name: Pause, wait: 10ms, when: n / n == 1}]
  - name: Long
    steps: [{name: Pause, wait: 6s}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	endpoint := "mqtt://" + aBroker(t)
	text := strings.Replace(withJobs, "[update-config]", "[run-flow, update-config]", 1) + fmt.Sprintf("flows: [{file: %q}]\n", file)
	text = strings.Replace(text, "mqtt: {", fmt.Sprintf("mqtt: {endpoint: %q, ", endpoint), 1)
	l, _ := accepting(t, text)
	c := l.cloud(endpoint)
	c.wants("none", `{"action": "run-flow"}`, "REJECTED", "names no flow")
	c.wants("typo", `{"action": "run-flow", "flow": "Rest/Short", "imput": {"n": 1}}`, "REJECTED", "imput")
	c.wants("unknown", `{"action": "run-flow", "flow": "Work"}`, "REJECTED", "Work")
	c.wants("which", `{"action": "run-flow", "flow": "Rest"}`, "REJECTED", "Short, Long")
	c.wants("empty", `{"action": "run-flow", "flow": "Rest/Short"}`, "REJECTED", "n")
	c.wants("short", `{"action": "run-flow", "flow": "Rest/Short", "input": {"n": 2}}`, "SUCCEEDED", `"execution_status":"SUCCEEDED"`)
	c.wants("broken", `{"action": "run-flow", "flow": "Rest/Short", "input": {"n": 0}}`, "FAILED", `"reason":"step Pause`)

	// One that comes while a reload has ended the flows, which are still found, waits for the next.
	if err := flowsOf(l.agent).current().Close(); err != nil {
		t.Fatal(err)
	}
	saved := func(part string) func() bool {
		return func() bool {
			text, err := os.ReadFile(filepath.Join(l.folder, "jobs", "job"))
			return err == nil && strings.Contains(string(text), part)
		}
	}
	c.job("reload", `{"action": "run-flow", "flow": "Rest/Short", "input": {"n": 3}}`)
	l.until("the note that nothing is begun", saved(`"begun":false`))
	flows, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(flows, "# changed\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if did, err := l.agent.Reload(t.Context()); err != nil || !did.Flows {
		t.Fatalf("%+v, %v", did, err)
	}
	if e := c.ended("reload"); e.Status != "SUCCEEDED" {
		t.Errorf("%s %v", e.Status, e.Details)
	}

	// One that waits when the process ends continues in the next, and is not run twice.
	c.job("long", `{"action": "run-flow", "flow": "Rest/Long"}`)
	running := func() int {
		all, err := flowsOf(l.agent).current().Executions(t.Context(), history.Filter{Flow: "Long"})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	l.until("the execution", func() bool { return running() == 1 })
	l.until("its note", saved(`"execution":`))
	l.stop()
	l.start(text)
	if e := c.ended("long"); e.Status != "SUCCEEDED" || running() != 1 {
		t.Errorf("%s %v, %d executions", e.Status, e.Details, running())
	}
}
