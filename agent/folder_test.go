package agent

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/spool/state"
)

// The shadow saves the quarantine while the agent may take the folder: run with -race.
func TestFolderOfTwoGoroutines(t *testing.T) {
	f := &folder{Folder: state.Folder{Dir: t.TempDir()}}
	defer f.Close()
	var both sync.WaitGroup
	since := time.Now()
	for _, do := range []func() error{f.own, func() error {
		if err := f.own(); err != nil {
			return err
		}
		return f.SetQuarantine(since)
	}} {
		both.Go(func() {
			if err := do(); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if got, on := f.Quarantine(); !on || !got.Equal(since.Truncate(time.Second)) {
		t.Errorf("%v, %v", got, on)
	}
}

// An agent without a state folder is in no quarantine, whatever lies in the working directory.
func TestNoFolderNoQuarantine(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(filepath.Join(".", "quarantine"), []byte("2026-12-01T00:00:00Z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := &quarantine{folder: &folder{}, links: new(links)}
	var c config.Config
	c.AWSIoT.Shadow.Enabled = true
	q.open(&c)
	if q.on() {
		t.Error("in quarantine")
	}
}
