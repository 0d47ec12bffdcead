//go:build system

package system

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pithings/test/binary"
)

// The memory and the environment of an agent are not for the other programs of its user, unless it is
// asked for; and it works all the same, with all that it reads of /proc.
func TestMemoryIsPrivate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs to be root, to become another user")
	}
	dir, err := os.MkdirTemp("", "private-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "pithings")
	if out, err := exec.Command("cp", binary.Path, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config := filepath.Join(dir, "pithings.yaml")
	if err := os.WriteFile(config, []byte("http: {listen: \"127.0.0.1:0\"}\nbroker: {listen: \"127.0.0.1:0\"}\nawsiot: {defender: {enabled: true}}\nthings: [{name: pi, type: host, interval: 1s}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, program} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		env  string
		open bool
	}{{"PITHINGS_DUMPABLE=0", false}, {"PITHINGS_DUMPABLE=1", true}} {
		t.Run(tt.env, func(t *testing.T) {
			own := filepath.Join(dir, tt.env)
			if err := os.Mkdir(own, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(own, piUID, ownGID); err != nil {
				t.Fatal(err)
			}
			as := func(c *exec.Cmd) {
				c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: piUID, Gid: ownGID}}
				c.Env = append(environment(t), "HOME="+own, "STATE_DIRECTORY="+own, "XDG_RUNTIME_DIR="+own, tt.env, "SECRET_OF_TEST=hush")
				c.Dir = own
			}
			p := startAs(t, as, program, "run", config)
			p.log("part works") // it has read /proc
			cat := func(file string) (string, error) {
				c := exec.Command("cat", fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
				as(c)
				out, err := c.CombinedOutput()
				return string(out), err
			}
			for _, file := range []string{"environ", "smaps_rollup", "maps"} {
				if out, err := cat(file); (err == nil) != tt.open {
					t.Errorf("another program of its user reads %s: %v %.200s", file, err == nil, out)
				}
			}
			if out, _ := cat("environ"); strings.Contains(out, "hush") != tt.open {
				t.Errorf("its environment: %q", out)
			}
			if limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)); err != nil || !bytes.Contains(limits, []byte("CoreDumping:\t0")) {
				t.Errorf("root cannot read its state: %v %s", err, limits)
			}
		})
	}
}

// The unit allows no core files either.
func TestUnitAllowsNoCoreFiles(t *testing.T) {
	text, err := os.ReadFile("../../deploy/pithings.service")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("\nLimitCORE=0\n")) {
		t.Error("the unit has no LimitCORE=0")
	}
}
