// Package binary is what tests of the built program share: the program, the system's
// own programs, and how long they are waited for.
package binary

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	if err := Build(Path, "CGO_ENABLED=0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// Build builds pithings at path, with the flags that all its builds have
// (cmd/pithings/build.flags). env is added to the environment.
func Build(path string, env ...string) error {
	return BuildPackage(path, "pithings/cmd/pithings", env...)
}

// BuildPackage builds another program as pithings is built: what it has of our packages is
// compiled as in the shipped one.
func BuildPackage(path, program string, env ...string) error {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "pithings/cmd/pithings").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "build.flags"))
	if err != nil {
		return err
	}
	args := []string{"build", "-ldflags", "-s -w -X main.version=test", "-o", path}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "-") {
			args = append(args, strings.TrimSpace(line))
		}
	}
	build := exec.Command("go", append(args, program)...)
	build.Env = append(os.Environ(), env...)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", program, err, out)
	}
	return nil
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
