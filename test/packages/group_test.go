//go:build packages && linux

package packages

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hierarchies are where control groups are that a systemd works with: its own one or the
// unified one of cgroups(7), on machines that still have those of version 1, or the only one.
var hierarchies = map[string]string{"name=systemd": "/sys/fs/cgroup/systemd", "": "/sys/fs/cgroup/unified"}

// inGroup gives a command control groups of its own. Without them a container has those of
// the test, and every container the same: their systemds would end each other's services.
func inGroup(t *testing.T, name string, cmd *exec.Cmd) {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	const join = `while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit; shift; done; shift; exec "$@"`
	args := []string{"sh", "-c", join, "sh"}
	for line := range strings.Lines(string(own)) { // 9:name=systemd:/a/group
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		mounted, ok := hierarchies[fields[1]]
		if !ok {
			continue
		}
		if _, err := os.Stat(mounted); err != nil {
			mounted = "/sys/fs/cgroup"
		}
		group := filepath.Join(mounted, fields[2], name)
		if err := os.Mkdir(group, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeGroup(t, group) })
		args = append(args, group)
	}
	args = append(append(args, "--"), cmd.Args...)
	cmd.Path, cmd.Args = "/bin/sh", args
}

// removeGroup removes a control group with those in it, which have no processes any more.
func removeGroup(t *testing.T, group string) {
	var all []string
	filepath.WalkDir(group, func(dir string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			all = append(all, dir)
		}
		return nil
	})
	for _, dir := range slices.Backward(all) {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	}
}
