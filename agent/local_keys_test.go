package agent

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"pithings/agent/config"
	"pithings/awsiot/jobs"
	"pithings/conf"
	"pithings/device"
	"pithings/spool/accepted"
	"pithings/spool/state"
)

// For every key of the schema: a job and a command that try to change one that may be changed
// on the machine only are refused with its name, or that of the list that it is in, and nothing
// is kept.
func TestJobsAndCommandsChangeNoLocalKey(t *testing.T) {
	t.Parallel()
	load := everyKind(t)
	c, _, err := load(func(*config.Config, []byte) (*config.Layer, []conf.Warning) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{o: Options{Load: load}, folder: folder{Folder: state.Folder{Dir: t.TempDir()}}, log: slog.New(slog.DiscardHandler), reloads: make(chan reload), config: c}
	defer a.folder.Close()
	turns := begin(t.Context(), a.takeReloads)
	defer turns.end()
	service := &jobService{accept: a.AcceptLater, current: a.current}
	tried := 0
	refused := func(changes map[string]any, key string) {
		t.Helper()
		tried++
		document, err := json.Marshal(map[string]any{"action": "update-config", "config": changes})
		if err != nil {
			t.Fatal(err)
		}
		r := service.updateConfig(t.Context(), &jobs.Job{ID: "evil", Action: "update-config", Document: document})
		if reason := r.Details["reason"]; r.Status != jobs.Rejected || !strings.Contains(reason, key+" can be changed on the machine only") {
			t.Errorf("job: %s: %s %s; want it to name %s", document, r.Status, reason, key)
		}
		if _, _, err := a.reconfigure(t.Context(), device.Values(changes)); err == nil || !strings.Contains(err.Error(), key+" can be changed on the machine only") {
			t.Errorf("command: %s: %v", document, err)
		}
	}
	try := func(leaf conf.Leaf, within []string, prefix string) {
		t.Helper()
		if leaf.Change() == conf.Afar {
			return
		}
		path, _, _ := strings.Cut(leaf.Path, "[]") // a list is changed as a whole
		parts := append(within, strings.Split(leaf.Path, ".")...)
		var value any = "x"
		for i := len(parts) - 1; i >= 0; i-- {
			name, list := strings.CutSuffix(parts[i], "[]")
			if list {
				value = []any{value}
			}
			value = map[string]any{name: value}
		}
		if strings.HasPrefix(path, "mqtt.") && prefix != "" {
			path = "mqtt" // a thing has a connection of its own as a whole, or none
		}
		key := prefix + path
		if path == "flows" {
			key = "flows"
		}
		refused(value.(map[string]any), key)
	}
	for _, leaf := range conf.Leaves(new(config.Config)) {
		if !strings.HasPrefix(leaf.Path, "things[]") {
			try(leaf, nil, "")
		}
	}
	for i := range c.Things {
		of := &c.Things[i]
		for _, leaf := range conf.Leaves(of) {
			try(leaf, []string{"things", of.Name}, "things."+of.Name+".")
		}
	}
	if tried < 100 {
		t.Errorf("%d keys were tried", tried)
	}
	if r, err := accepted.Newest(a.folder.Dir); r != nil || err != nil {
		t.Errorf("something was kept: %+v, %v", r, err)
	}
}
