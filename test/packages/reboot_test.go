//go:build packages && linux

package packages

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/cloud"
	"pithings/test/binary"
)

// A job reboots the machine once its administrator allows that, and not before; no other user
// may open the socket.
func TestRebootByJob(t *testing.T) {
	t.Parallel()
	c := boot(t, newRoot(t))
	c.apt("install", deb(t, older))
	m := c.configure()
	m.Up()
	c.write("/etc/pithings/pithings.yaml", fmt.Sprintf(configuration, m.Port)+"awsiot: {jobs: {enabled: true, allow: [reboot]}}\n")
	c.run("systemctl", "enable", "--now", "pithings")
	c.serves()
	program, state := c.root+"/usr/bin/pithings", t.TempDir() // it is linked statically
	cloudSide := exec.Command(program, "cloud", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", m.Port), "--state", state)
	cloudSide.Stderr = os.Stderr
	if err := cloudSide.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cloudSide.Process.Kill()
		cloudSide.Wait()
	}()
	job := func(args ...string) ([]byte, error) {
		return exec.Command(program, append(append([]string{"cloud", "job"}, args...), "--state", state)...).CombinedOutput()
	}
	poll := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * binary.Patience); !ok(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not in time: %s", what)
			}
		}
	}
	create := func(id string) {
		t.Helper()
		poll("a cloud that takes jobs", func() bool {
			_, err := job("create", "pi", `{"operation": "reboot"}`, "--id", id)
			return err == nil
		})
	}
	list := func() (all []cloud.Execution) {
		t.Helper()
		out, err := job("list", "pi", "--json")
		if err == nil {
			err = json.Unmarshal(out, &all)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return all
	}
	ended := func(id string) (e cloud.Execution) {
		t.Helper()
		poll("the end of job "+id, func() bool {
			for _, e = range list() {
				if e.Job == id {
					return e.Status != "QUEUED" && e.Status != "IN_PROGRESS"
				}
			}
			return false
		})
		return e
	}
	create("sealed")
	e := ended("sealed")
	_, line, found := strings.Cut(e.Details["reason"], "sudo ")
	if e.Status != "REJECTED" || !found {
		t.Fatalf("%s %v", e.Status, e.Details)
	}
	c.run(strings.Fields(line)...)
	if got := c.owner("/run/pithings-reboot.socket"); !strings.HasPrefix(got, "srw------- pithings ") {
		t.Errorf("the socket is %s", got)
	}
	c.run("useradd", "--groups=pithings", "member")
	knock := `use IO::Socket::UNIX; IO::Socket::UNIX->new("/run/pithings-reboot.socket") or die "$!\n"`
	if text, err := c.try("runuser", "--user=member", "--", "perl", "-e", knock); err == nil || !strings.Contains(text, "Permission denied") {
		t.Errorf("a member of the group may reboot: %v %s", err, text)
	}
	create("now")
	poll("the end of the boot", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", c.leader))
		return err != nil
	})
	c.leader = 0
	// systemd-nspawn ends with it, and leaves the next boot to its own service manager. There the
	// service would see the boot id of this machine, which is the same: agent.TestJobReboot has
	// what follows.
	if all := list(); len(all) != 2 || all[1].Status != "IN_PROGRESS" || all[1].Details["boot"] == "" {
		t.Errorf("what was reported before is %+v", all)
	}
}
