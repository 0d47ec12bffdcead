package system

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pithings/test/emulated/guest"
)

// probeTree is the value of probing that prints the service's state folder, as the service's
// own user.
const probeTree = "tree"

// printTree prints what is in the state folder and whose it is.
func printTree() {
	all, err := tree(os.Getenv("STATE_DIRECTORY"), uint32(os.Getuid()))
	for _, one := range all {
		fmt.Println("tree: " + one)
	}
	if err != nil {
		fmt.Println("tree: " + err.Error())
	}
	fmt.Println("tree ends")
}

// tree lists all in a folder with its mode and content, and an error for what is not the
// user's.
func tree(dir string, uid uint32) (all []string, err error) {
	walked := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Sys().(*syscall.Stat_t).Uid != uid {
			return fmt.Errorf("%s is not the user's", name)
		}
		line := fmt.Sprintf("%s %v", strings.TrimPrefix(name, dir), info.Mode())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", sha256.Sum256(content))
		}
		all = append(all, line)
		return nil
	})
	return all, walked
}

// The unit of versions before had a user that systemd made at each start. Its state is taken
// over, nothing of it is lost, and it can be given back to such a version.
func TestStateOfADynamicUserIsTakenOver(t *testing.T) {
	const before = "DynamicUser=yes\nUser=pithings-agent\nGroup=pithings\n"
	public, private := "var/lib/pithings", "var/lib/private/pithings"
	for _, dir := range []string{public, private} {
		if err := os.RemoveAll(filepath.Join(guest.Systemd, dir)); err != nil {
			t.Fatal(err)
		}
	}
	rests(t)
	probeProgram(t)
	a := start(t, how{unit: true, dropIn: before}, "things:\n"+pump)
	a.waitLog("part works\" thing=pump")
	a.switches("pump", `{"state":"on","for":"1h"}`, "on", "SIM24", true)
	isLink := func() bool {
		info, err := os.Lstat(filepath.Join(a.root(), public))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()&fs.ModeSymlink != 0
	}
	if !isLink() {
		t.Fatalf("/%s is no link under DynamicUser=", public)
	}
	a.systemctl("stop", "pithings.service")

	// What root has made there counts, too, and must not lock the service out.
	old := filepath.Join(a.root(), private)
	info, err := os.Stat(old)
	if err != nil {
		t.Fatal(err)
	}
	dynamic := info.Sys().(*syscall.Stat_t).Uid
	want, err := tree(old, dynamic)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) < 3 {
		t.Fatalf("the state of before is %q only", want)
	}
	byRoot := filepath.Join(old, "of-root")
	if err := os.WriteFile(byRoot, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	want = append(want, fmt.Sprintf("/of-root -rw------- %x", sha256.Sum256([]byte("x"))))
	slices.Sort(want)

	again := func(changes string) {
		a.note(func() { a.log = nil })
		writeUnit(t, "pithings", toLog+changes)
		a.systemctl("daemon-reload")
		a.systemctl("start", "pithings.service")
		a.waitLog("part works\" thing=pump")
		a.listen() // the connection of before ended with its broker
		if lines := a.logged("level=ERROR"); len(lines) > 0 {
			t.Errorf("it says %q", lines)
		}
	}
	again("Environment=" + probing + "=" + probeTree + "\nExecStartPre=/usr/bin/system.test\n")
	var got []string
	for _, line := range a.logged("tree: ") {
		got = append(got, strings.TrimPrefix(line, "tree: "))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the service finds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if a.waitLog("output was on for a while only"); isLink() {
		t.Errorf("/%s is still a link", public)
	}
	if _, err := os.Lstat(filepath.Join(a.root(), private)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("/%s is still there: %v", private, err)
	}
	if uid := strings.Fields(a.processStatus()["Uid"])[0]; uid != accounts(t, "/etc/passwd")["pithings"] || uid == fmt.Sprint(dynamic) {
		t.Errorf("the service has the user %s", uid)
	}

	// A downgrade.
	a.switches("pump", `{"state":"on","for":"1h"}`, "on", "SIM24", true)
	a.systemctl("stop", "pithings.service")
	again(before)
	if a.waitLog("output was on for a while only"); !isLink() {
		t.Errorf("/%s is no link after the downgrade", public)
	}
	if _, err := os.Stat(filepath.Join(a.root(), private, "of-root")); err != nil {
		t.Error(err)
	}
	a.systemctl("stop", "pithings.service")
}
