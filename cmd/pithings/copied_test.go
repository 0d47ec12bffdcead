package main

import (
	"path/filepath"
	"strings"
	"testing"

	"pithings/mqttlink/outbox"
	"pithings/spool/state"
)

// What a copied card has of the machine that it was copied from is shown, with what to do.
func TestQueueLsShowsWhatACopiedCardBrought(t *testing.T) {
	dir := t.TempDir()
	of := state.Folder{Dir: filepath.Join(dir, "copied")}
	box, err := outbox.Open(of.QueueDir("pithings-0123"), outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := box.AppendAll([]outbox.Record{{Topic: "a", Payload: []byte("b"), QoS: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
	out, said, code := cli(t, "", "queue", "ls", "--state", dir)
	if code != 0 || strings.Contains(out, "pithings-0123") {
		t.Errorf("exit code %d: it counts as a queue of this machine:\n%s", code, out)
	}
	for _, want := range []string{"1 messages of another machine (pithings-0123)", "pithings pub --drain --state " + filepath.Join(dir, "copied"), "rm -r"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}
