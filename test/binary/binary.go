// Package binary is what tests of the built program share: the program, the system's
// own programs, and how long they are waited for.
package binary

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Path is the pithings that is tested, while Main runs.
var Path string

// Patience bounds every wait for an event. The machines are shared: it says that
// something never happened, not how fast it has to be.
const Patience = 60 * time.Second

// Main builds pithings as it is shipped, runs the tests, and exits. It is called by
// TestMain.
func Main(m *testing.M) {
	dir, err := os.MkdirTemp("", "pithings-test-")
	if err != nil {
		panic(err)
	}
	Path = filepath.Join(dir, "pithings")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", Path, "pithings/cmd/pithings")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building pithings: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// Lacks skips a test that cannot run here; in CI it fails it.
func Lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip("NOT RUN: " + what)
}

// Need returns the path of a program of the system's.
func Need(t *testing.T, program string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		p := filepath.Join(dir, program)
		if info, err := os.Stat(p); err == nil && info.Mode()&0o111 != 0 {
			return p
		}
	}
	Lacks(t, program+" is missing; test/need installs it")
	return ""
}
