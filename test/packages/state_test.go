//go:build packages && linux

package packages

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pithings/test/mosquitto"
)

// configure writes a configuration. The broker that it names is down.
func (c *container) configure() *mosquitto.Broker {
	c.t.Helper()
	m := mosquitto.New(c.t)
	c.write("/etc/pithings/pithings.yaml", fmt.Sprintf(configuration, m.Port))
	return m
}

// serves checks that the service runs as its own user, and has from the start.
func (c *container) serves() {
	c.t.Helper()
	c.wants(map[string]string{"ActiveState": "active", "SubState": "running", "UnitFileState": "enabled",
		"FragmentPath": "/lib/systemd/system/pithings.service", "NRestarts": "0", "NeedDaemonReload": "no"})
	if user := c.owner("/proc/" + c.property("MainPID")); !strings.HasSuffix(user, " pithings pithings") {
		c.t.Errorf("the service's process is %s", user)
	}
}

// delivers waits for a reading of the service's thing that is made from now on.
func (c *container) delivers(m *mosquitto.Broker) {
	c.t.Helper()
	n := len(m.Messages())
	m.Wait("a reading of the machine", func(messages []mosquitto.Message) bool {
		for _, message := range messages[n:] {
			if strings.HasPrefix(message.Topic, "machine/") {
				return true
			}
		}
		return false
	})
}

// belongs checks that all in a folder is the service's.
func (c *container) belongs(folder string) {
	c.t.Helper()
	if others := c.run("find", folder, "!", "(", "-user", "pithings", "-group", "pithings", ")", "-ls"); others != "" {
		c.t.Errorf("not the service's own in %s:\n%s", folder, others)
	}
}

// clean checks that dpkg finds nothing wrong, and systemd no service that has failed.
func (c *container) clean() {
	c.t.Helper()
	for _, command := range [][]string{{"dpkg", "--audit"}, {"dpkg", "--verify", "pithings"}, {"systemctl", "--failed", "--quiet", "--no-legend"}} {
		if said := strings.TrimSpace(c.run(command...)); said != "" {
			c.t.Errorf("%s: %s", strings.Join(command, " "), said)
		}
	}
}

// elsewhere is what is not looked at for what a package leaves behind: what every package
// changes, and what every running Debian does.
var elsewhere = []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/log", "/var/cache", "/var/lib/apt", "/root", "/debs",
	"/var/lib/dpkg/info/format", "/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/status", "/var/lib/dpkg/status-old", "/var/lib/dpkg/triggers",
	"/var/lib/systemd/catalog", "/var/lib/systemd/random-seed", "/var/lib/systemd/timers", "/etc/.updated", "/var/.updated"}

// recorded is whether a file is one of those in which dpkg and deb-systemd-helper record
// what they have installed and enabled.
func recorded(place string) bool {
	return strings.HasPrefix(place, "/var/lib/dpkg/info/pithings.") || strings.HasPrefix(place, "/var/lib/systemd/deb-systemd-helper-enabled")
}

// files describes all files of a Debian, by their places.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		place := strings.TrimPrefix(file, root)
		for _, e := range elsewhere {
			if place == e && d.IsDir() {
				return fs.SkipDir
			} else if place == e {
				return nil
			}
		}
		found[place], err = describe(file, d)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func describe(file string, d fs.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	s := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%v %d:%d", info.Mode(), s.Uid, s.Gid)
	switch {
	case d.Type() == fs.ModeSymlink:
		target, err := os.Readlink(file)
		return text + " -> " + target, err
	case d.Type().IsRegular():
		content, err := os.ReadFile(file)
		return fmt.Sprintf("%s %d bytes, %x", text, len(content), sha256.Sum256(content)), err
	}
	return text, nil
}

// compare describes what has changed, by place.
func compare(before, after map[string]string) map[string]string {
	changed := map[string]string{}
	for place, now := range after {
		if was, ok := before[place]; !ok {
			changed[place] = "new: " + now
		} else if was != now {
			changed[place] = "was " + was + ", is " + now
		}
	}
	for place := range before {
		if _, ok := after[place]; !ok {
			changed[place] = "gone"
		}
	}
	return changed
}
