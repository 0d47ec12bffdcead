package main

import (
	"encoding/json"
	"runtime"
	"slices"
	"testing"
)

// The keys of version --json are for other people's programs: they stay.
func TestVersion(t *testing.T) {
	was := [3]string{version, commit, built}
	t.Cleanup(func() { version, commit, built = was[0], was[1], was[2] })
	version, commit, built = "1.2.3", "0763a3b1c9f6bd4", "1764500000"

	out, said, code := cli(t, "", "version")
	if want := "pithings 1.2.3 " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"; out != want || code != 0 {
		t.Errorf("exit code %d: %q%s, want %q", code, out, said, want)
	}

	out, said, code = cli(t, "", "version", "--json")
	got := map[string]any{}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
	}
	for key, want := range map[string]string{
		"version": "1.2.3", "commit": "0763a3b1c9f6bd4", "built": "2025-11-30T10:53:20Z",
		"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %s", key, got[key], want)
		}
	}
	for key := range got {
		if !slices.Contains([]string{"version", "commit", "built", "go", "os", "arch", "arm", "modules"}, key) {
			t.Errorf("%s is not documented in docs/agent.md", key)
		}
	}

	version, commit, built = "1.2.3", "", "no number"
	if v := buildVersion(); v.Built != "" && buildSetting("vcs.time") == "" {
		t.Errorf("a build that does not know its time has %q", v.Built)
	}
}
