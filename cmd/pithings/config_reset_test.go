package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"pithings/spool/accepted"
	"pithings/spool/control"
)

// Who may not reach the agent that is meant learns that, instead of a success in a folder of its own
// that holds nothing; a folder that has settings is reset all the same.
func TestConfigResetOfAnAgentOutOfReach(t *testing.T) {
	reset := func(of target) (string, error) {
		var out bytes.Buffer
		c := &cobra.Command{}
		c.SetOut(&out)
		c.SetContext(t.Context())
		err := of.resetFolder(c)
		return out.String(), err
	}
	empty := t.TempDir()
	if _, err := reset(target{dir: empty, denied: true}); err == nil || !strings.Contains(err.Error(), control.ErrDenied.Error()) {
		t.Errorf("a service that this user may not talk with: %v", err)
	}
	if _, err := reset(target{dir: empty, others: []control.Agent{{State: "/home/ann/state"}}}); err == nil || !strings.Contains(err.Error(), "another user runs ") || !strings.Contains(err.Error(), "--state") {
		t.Errorf("an agent of another user: %v", err)
	}
	if out, err := reset(target{dir: empty}); err != nil || !strings.Contains(out, "no settings from afar are in "+empty) {
		t.Errorf("no agent: %s %v", out, err)
	}
	dir := t.TempDir()
	if _, err := accepted.Put(dir, accepted.Revision{From: "test", Settings: map[string]any{"log": map[string]any{"level": "debug"}}}); err != nil {
		t.Fatal(err)
	}
	if out, err := reset(target{dir: dir, denied: true}); err != nil || !strings.Contains(out, "count no more") {
		t.Errorf("a folder with settings: %s %v", out, err)
	}
	if r, err := accepted.Newest(dir); err != nil || len(r.Settings) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
