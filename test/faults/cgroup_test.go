//go:build faults && linux

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pithings/test/binary"
)

// memoryGroup is a control group that bounds memory, of either version of the kernel's
// interface (the kernel's admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst).
type memoryGroup struct {
	t    *testing.T
	dir  string
	v2   bool
	peak string // the file with the most that was used
}

// newMemoryGroup makes a group that may use limit bytes, and no swap.
func newMemoryGroup(t *testing.T, limit int64) *memoryGroup {
	t.Helper()
	g := &memoryGroup{t: t, dir: "/sys/fs/cgroup/memory", peak: "memory.max_usage_in_bytes"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		g.dir, g.v2, g.peak = "/sys/fs/cgroup", true, "memory.peak"
		if err := os.WriteFile(g.dir+"/cgroup.subtree_control", []byte("+memory"), 0); err != nil {
			binary.Lacks(t, "a control group for memory: "+err.Error())
		}
	}
	g.dir = filepath.Join(g.dir, fmt.Sprintf("pithings-test-%d", os.Getpid()))
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		binary.Lacks(t, "a control group for memory: "+err.Error())
	}
	t.Cleanup(func() {
		if err := os.Remove(g.dir); err != nil {
			t.Error(err)
		}
	})
	set := map[string]string{"memory.limit_in_bytes": fmt.Sprint(limit)}
	if g.v2 {
		set = map[string]string{"memory.max": fmt.Sprint(limit), "memory.swap.max": "0"}
	}
	for name, value := range set {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(value), 0); err != nil && !strings.Contains(name, "swap") {
			t.Fatal(err)
		}
	}
	return g
}

// start starts a program in the group. Its process has the number of the shell that enters.
func (g *memoryGroup) start(cmd *exec.Cmd) error {
	const enter = `echo $$ >"$0" && exec "$@"`
	cmd.Args = append([]string{"sh", "-c", enter, filepath.Join(g.dir, "cgroup.procs"), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	return cmd.Start()
}

// used returns the most that was used at a time.
func (g *memoryGroup) used() int64 {
	g.t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(g.read(g.peak)), 10, 64)
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// killed returns how often the kernel has ended a process of the group because of its memory.
func (g *memoryGroup) killed() string {
	g.t.Helper()
	file := "memory.oom_control"
	if g.v2 {
		file = "memory.events"
	}
	for line := range strings.Lines(g.read(file)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(n)
		}
	}
	g.t.Fatalf("%s has no oom_kill", file)
	return ""
}

func (g *memoryGroup) read(file string) string {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}
