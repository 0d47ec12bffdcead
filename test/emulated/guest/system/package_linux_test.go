package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pithings/test/emulated/guest"
)

// nodes are device nodes of the machine, with the group that each has once the package is
// installed.
var nodes = map[string]string{"/dev/gpiochip0": "gpio", "/dev/i2c-0": "i2c", vivid: "video", screen: "video"}

// What a user does who has the package's file: apt install, write the configuration, copy the
// drop-in for the screen, systemctl enable --now. Then a motion shows a picture on the screen.
func TestThePackage(t *testing.T) {
	if _, err := os.Stat(guest.Package); errors.Is(err, fs.ErrNotExist) {
		t.Skip("skipped: the package is not to be installed on this machine")
	}
	setLine(t, false)
	writeConsole(t)
	before := screenshot(t)
	a := start(t, how{apt: true}, "things:\n"+motion+camera+display+weather+flow)
	a.waitLog("part works\" thing=TG_MS")
	a.motionShowsPicture()
	payload, _ := a.wait(a.count(), "bme680/state", success)
	agrees(t, payload)
	if mode := consoleMode(t); mode != 1 {
		t.Errorf("console mode %d, want 1 (graphics)", mode)
	}
	for name, want := range map[string]string{
		"ActiveState": "active", "SubState": "running", "NRestarts": "0", "Result": "success", "UnitFileState": "enabled",
		"FragmentPath": "/lib/systemd/system/pithings.service", "User": "pithings",
	} {
		if got := a.property(name); got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	if uid := strings.Fields(a.processStatus()["Uid"])[0]; uid != accounts(t, "/etc/passwd")["pithings"] {
		t.Errorf("the service has the user %s", uid)
	}

	a.inside("apt-get", "--quiet", "--yes", "purge", "pithings")
	eventually(t, "the console is back", func() bool { return difference(before, screenshot(t)) < 8 })
	if mode := consoleMode(t); mode != 0 {
		t.Errorf("console mode %d after the end, want 0 (text)", mode)
	}
	for _, gone := range []string{"/usr/bin/pithings", "/var/lib/pithings"} {
		if _, err := os.Lstat(guest.Systemd + gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there after purge: %v", gone, err)
		}
	}
	if _, err := os.Lstat(guest.Systemd + "/etc/pithings/pithings.yaml"); err != nil {
		t.Errorf("purge takes the configuration away: %v", err)
	}
}

// startPackage boots the Debian with systemd, with all that it has for devices, installs the
// package there and starts its service.
func (a *app) startPackage(text string) {
	t := a.t
	t.Helper()
	a.container("basic.target")
	eventually(t, "systemd is up", func() bool {
		_, err := a.try("systemctl", "--quiet", "is-active", "basic.target")
		return err == nil
	})
	t.Log("systemd is up")
	t.Log(a.inside("apt-get", "--quiet", "--yes", "install", strings.TrimPrefix(guest.Package, guest.Systemd)))
	if audit := a.inside("dpkg", "--audit", "pithings"); audit != "" {
		t.Errorf("dpkg --audit: %s", audit)
	}
	groups := accounts(t, "/etc/group")
	for node, group := range nodes {
		// udev works beside the installation.
		eventually(t, node+" belongs to the group "+group, func() bool {
			info, err := os.Stat(node)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(info.Sys().(*syscall.Stat_t).Gid) == groups[group] && info.Mode().Perm() == 0o660
		})
	}
	if err := os.WriteFile(guest.Systemd+"/etc/pithings/pithings.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	a.inside("mkdir", "-p", "/etc/systemd/system/pithings.service.d")
	a.inside("cp", guest.ScreenDropIn, "/etc/systemd/system/pithings.service.d/")
	a.inside("systemctl", "daemon-reload")
	a.follow("journalctl", "--follow", "--output=cat", "--unit=pithings.service")
	t.Log("udev has given the parts to their groups")
	a.inside("systemctl", "enable", "--now", "pithings")
}

// follow adds what a program in the container prints to the log.
func (a *app) follow(args ...string) {
	t := a.t
	t.Helper()
	cmd := a.command(args...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := a.asChild(cmd.Start); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		a.read(r)
		r.Close()
		// It ends with the container, whose first process ends once this one is waited for.
		cmd.Wait()
	}()
}

// inside runs a program in the container and returns what it prints.
func (a *app) inside(args ...string) string {
	a.t.Helper()
	out, err := a.try(args...)
	if err != nil {
		a.t.Fatal(err)
	}
	return out
}

// try is inside without an end of the test.
func (a *app) try(args ...string) (string, error) {
	cmd := a.command(args...)
	var out []byte
	err := a.asChild(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// command is a program in the container, for asChild to start.
func (a *app) command(args ...string) *exec.Cmd {
	name := args[0]
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/bin", "/sbin"} {
		if _, err := os.Stat(filepath.Join(guest.Systemd, dir, args[0])); err == nil {
			name = filepath.Join(dir, args[0])
			break
		}
	}
	cmd := exec.Command(name, args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: a.root()}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}
