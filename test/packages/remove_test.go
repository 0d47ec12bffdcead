//go:build packages && linux

package packages

import (
	"slices"
	"strings"
	"testing"

	"pithings/test/mosquitto"
)

// users are the files with the users and the groups. Those of the package stay for ever:
// no other may get their numbers while files may be theirs.
var users = []string{"/etc/passwd", "/etc/passwd-", "/etc/group", "/etc/group-", "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"}

// written is what the administrator has made, who alone removes it.
var written = []string{"/etc/pithings", "/etc/pithings/pithings.yaml"}

// Removed, the program and its service are gone; the configuration, what waits to be
// delivered and the user stay. Installed again it continues with them. Purged, nothing is
// left but what users and written list.
func TestRemoveAndPurge(t *testing.T) {
	t.Parallel()
	c := boot(t, newRoot(t))
	before := files(t, c.root)
	// Removed before there is a configuration, dpkg takes the empty folder for it away, too.
	c.apt("install", deb(t, older))
	c.apt("remove", "pithings")
	if c.has("/etc/pithings") {
		t.Error("/etc/pithings is still there, and empty")
	}
	c.apt("install", deb(t, older))
	if mode := c.owner("/etc/pithings"); mode != installed["/etc/pithings"] {
		t.Errorf("installed again, /etc/pithings is %s, want %s", mode, installed["/etc/pithings"])
	}
	m := c.configure()
	c.run("systemctl", "enable", "--now", "pithings")
	c.serves()
	c.run("pithings", "pub", "-t", "kept", "-m", "through remove", "-q", "1")
	user := c.run("getent", "passwd", "pithings")

	c.apt("remove", "pithings")
	for place := range installed {
		if place != "/etc/pithings" && c.has(place) {
			t.Errorf("%s is still there", place)
		}
	}
	if text, err := c.try("systemctl", "is-active", "pithings"); err == nil {
		t.Errorf("the service still runs: %s", text)
	}
	c.wants(map[string]string{"LoadState": "not-found"})
	if text := c.run("find", "/proc", "-maxdepth", "1", "-user", "pithings"); text != "" {
		t.Errorf("processes of the service are left:\n%s", text)
	}
	c.belongs("/var/lib/pithings")
	if !c.has("/etc/pithings/pithings.yaml") || c.run("getent", "passwd", "pithings") != user {
		t.Error("the configuration or the user is gone")
	}

	c.apt("install", deb(t, older))
	c.run("systemctl", "enable", "--now", "pithings")
	c.serves()
	m.Up()
	m.Wait("the message of before", func(messages []mosquitto.Message) bool {
		return slices.Contains(messages, mosquitto.Message{Topic: "kept", Payload: "through remove"})
	})
	c.clean()

	said := c.apt("purge", "pithings")
	if !strings.Contains(said, "Purging configuration files") {
		t.Errorf("apt-get purge said:\n%s", said)
	}
	if audit := c.run("dpkg", "--audit"); audit != "" {
		t.Errorf("dpkg --audit: %s", audit)
	}
	for place, change := range compare(before, files(t, c.root)) {
		if !slices.Contains(users, place) && !slices.Contains(written, place) {
			t.Errorf("after purge %s: %s", place, change)
		}
	}
	if got := c.run("getent", "passwd", "pithings"); got != user {
		t.Errorf("the user is now %q", got)
	}
	if mode := c.owner("/etc/pithings"); mode != installed["/etc/pithings"] {
		t.Errorf("/etc/pithings is %s", mode)
	}
}
