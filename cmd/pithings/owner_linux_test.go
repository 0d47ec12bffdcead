package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What root does in the folder of the service while that is stopped leaves nothing there
// that the service cannot open: after sudo pithings flow deploy it never started again.
// test/system does the same in all orders, with all users.
func TestRootLeavesTheFolderToTheService(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root works in other users' folders; make test runs this as root")
	}
	const service = 61003
	dir := filepath.Join(t.TempDir(), "pithings")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, service, service)); err != nil {
		t.Fatal(err)
	}
	flow := filepath.Join(t.TempDir(), "hall.yaml")
	if err := os.WriteFile(flow, []byte(hall), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args  []string
		stdin string
	}{
		{[]string{"pub", "-t", "a/b", "-m", "x"}, ""},
		{[]string{"pub", "-t", "a/b", "-l", "-i", "other"}, "1\n2\n"},
		{[]string{"queue", "import", "-"}, `{"topic": "a/b", "payload": "y"}` + "\n"},
		{[]string{"queue", "ls"}, ""},
		{[]string{"flow", "deploy", flow}, ""},
		{[]string{"flow", "executions"}, ""},
		{[]string{"flow", "undeploy", "Hall"}, ""},
		{[]string{"queue", "purge", "--yes"}, ""},
	} {
		var out, errs bytes.Buffer
		if code := execute(t.Context(), append(tc.args, "--state", dir), strings.NewReader(tc.stdin), &out, &errs); code != exitOK {
			t.Errorf("%q: exit code %d, %s", tc.args, code, errs.String())
		}
		seen := 0
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			seen++
			if uid := info.Sys().(*syscall.Stat_t).Uid; uid != service {
				t.Errorf("%q leaves %s to user %d", tc.args, path, uid)
			}
			return nil
		})
		if err != nil || seen < 3 {
			t.Errorf("%q: %d files, %v", tc.args, seen, err)
		}
	}
}

// hall is a flow that can be deployed.
const hall = `name: Hall
trigger: {thing: TG_MS, event: StateChanged, when: event.isMotionDetected}
steps:
  - {name: Picture, thing: TG_Camera, action: capture}
`
