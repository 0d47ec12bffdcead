//go:build unix

package binary

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A process that was started with few files gives its children as many as it may have.
func TestAllowFiles(t *testing.T) {
	if os.Getenv("PITHINGS_TEST_FEW_FILES") == "" {
		cmd := exec.Command("sh", "-c", `ulimit -Sn 256 && exec "$0" -test.run '^TestAllowFiles$' -test.v`, os.Args[0])
		cmd.Env = append(os.Environ(), "PITHINGS_TEST_FEW_FILES=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if got := granted(t); got != "256" {
		t.Errorf("a child may have %s files before, want 256", got)
	}
	const more = 300
	if n := AllowFiles(t, more); n != more || granted(t) != "300" {
		t.Errorf("a child may have %s files, and %d are said; want %d", granted(t), n, more)
	}
}

func granted(t *testing.T) string {
	out, err := exec.Command("sh", "-c", "ulimit -Sn").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
