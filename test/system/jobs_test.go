//go:build system && linux

package system

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/awsiot/cloud"
	"pithings/test/binary"
)

// jobDocuments are the documents of the first example in docs/jobs.md.
func jobDocuments(t *testing.T) (documents []string) {
	t.Helper()
	for line := range strings.Lines(readFile(t, "../../docs/jobs.md")) {
		if rest, ok := strings.CutPrefix(line, "pithings cloud job create hall-pi '"); ok {
			document, _, _ := strings.Cut(rest, "'")
			documents = append(documents, document)
		}
	}
	return documents
}

// The jobs of the first example of docs/jobs.md, at a mosquitto with a pithings cloud. The job that restarts ends in the next run.
func TestJobsThroughMosquitto(t *testing.T) {
	documents := jobDocuments(t)
	if len(documents) != 3 {
		t.Fatalf("docs/jobs.md has the jobs %q", documents)
	}
	port, state := mosquitto(t), t.TempDir()
	file := filepath.Join(t.TempDir(), "pi.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `mqtt: {endpoint: "mqtt://127.0.0.1:%d", client_id: hall-pi, reconnect: {min: 100ms, max: 100ms}}
awsiot: {jobs: {enabled: true, allow: [update-config, diagnose, restart, reboot]}}
http: {listen: "127.0.0.1:0"}
state: %s
things:
  - {name: room, type: environment, bus: mock, interval: 10s}
`, port, t.TempDir()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, binary.Path, "cloud", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--state", state, "-v")
	c.log("subscribed to requests")
	p := start(t, binary.Path, "run", "--config", file)
	p.log("part works")
	do := func(args ...string) string {
		t.Helper()
		out, said, code := finish(t, append(append([]string{"cloud", "job"}, args...), "--state", state)...)
		if code != 0 {
			t.Fatalf("%v: %s", args, said)
		}
		return out
	}
	ended := func(id string) (e cloud.Execution) {
		t.Helper()
		eventually(t, "the end of job "+id, func() bool {
			var all []cloud.Execution
			if err := json.Unmarshal([]byte(do("list", "hall-pi", "--json")), &all); err != nil {
				t.Fatal(err)
			}
			for _, e = range all {
				if e.Job == id {
					return e.Status != "QUEUED" && e.Status != "IN_PROGRESS"
				}
			}
			return false
		})
		return e
	}
	for i, want := range []string{"SUCCEEDED", "SUCCEEDED", "REJECTED"} {
		id := strings.TrimSpace(do("create", "hall-pi", documents[i]))
		if e := ended(id); e.Status != want {
			t.Errorf("%s: %s %v, want %s", documents[i], e.Status, e.Details, want)
		}
	}
	if table := do("list", "hall-pi"); !strings.Contains(table, "mqtt.endpoint can be changed on the machine only") || !strings.Contains(table, "revision: 1") {
		t.Errorf("the list does not show what became of the jobs:\n%s", table)
	}
	id := strings.TrimSpace(do("create", "hall-pi", `{"operation": "reboot"}`))
	if e := ended(id); e.Status != "REJECTED" || !strings.Contains(e.Details["reason"], "systemctl enable --now pithings-reboot.socket") {
		t.Errorf("reboot: %s %v", e.Status, e.Details)
	}
	id = strings.TrimSpace(do("create", "hall-pi", `{"action": "restart"}`))
	p.log("a restart")
	next := start(t, binary.Path, "run", "--config", file)
	if e := ended(id); e.Status != "SUCCEEDED" || e.Details["run"] == "" {
		t.Errorf("restart: %s %v\n%s", e.Status, e.Details, next.logged())
	}
}
