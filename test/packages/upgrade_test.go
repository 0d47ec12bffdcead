//go:build packages && linux

package packages

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pithings/mqttlink/outbox"
	"pithings/test/mosquitto"
)

// A service that runs is restarted by an upgrade and by a downgrade, and continues with its
// state; what the administrator has written and decided stays.
func TestUpgradeAndDowngrade(t *testing.T) {
	t.Parallel()
	c := boot(t, newRoot(t))
	c.apt("install", deb(t, older))
	m := c.configure()
	written := c.read("/etc/pithings/pithings.yaml")
	c.run("systemctl", "enable", "--now", "pithings")
	c.serves()
	var sent []string
	for i, version := range []string{newer, older, newer} {
		message := fmt.Sprintf("of step %d", i)
		sent = append(sent, message)
		c.run("pithings", "pub", "-t", "queued", "-m", message, "-q", "1")
		before := c.property("MainPID")
		c.apt("install", "--allow-downgrades", deb(t, version))
		if got := c.run("pithings", "version"); !strings.Contains(got, version) {
			t.Errorf("pithings version prints %q, want one with %s", got, version)
		}
		if c.property("MainPID") == before {
			t.Errorf("the service was not restarted with version %s", version)
		}
		c.serves()
		c.clean()
		c.belongs("/var/lib/pithings")
		if got := c.read("/etc/pithings/pithings.yaml"); got != written {
			t.Errorf("the configuration is now %q", got)
		}
	}
	m.Up()
	m.Wait("what was queued", func(messages []mosquitto.Message) bool {
		return slices.Equal(payloads(messages, "queued"), sent)
	})

	// A service that is stopped or masked stays so.
	c.run("systemctl", "stop", "pithings")
	c.apt("install", "--allow-downgrades", deb(t, older))
	c.wants(map[string]string{"ActiveState": "inactive", "UnitFileState": "enabled"})
	c.run("systemctl", "disable", "pithings")
	c.apt("install", deb(t, newer))
	c.wants(map[string]string{"ActiveState": "inactive", "UnitFileState": "disabled"})
	c.run("systemctl", "mask", "pithings")
	c.apt("install", "--allow-downgrades", deb(t, older))
	c.wants(map[string]string{"ActiveState": "inactive", "LoadState": "masked"})
}

// An upgrade to a version that refuses the configuration, here for a token that every user can
// read, reports why and how to continue, and does not fail.
func TestUpgradeThatRefusesTheConfiguration(t *testing.T) {
	t.Parallel()
	c := boot(t, newRoot(t))
	c.apt("install", deb(t, older))
	c.configure()
	const sentence = "pithings: this version refuses /etc/pithings/pithings.yaml"
	if said := c.apt("install", deb(t, newer)); strings.Contains(said, sentence) {
		t.Errorf("a good configuration is refused:\n%s", said)
	}
	c.write("/etc/token", "0123456789abcdef\n")
	c.write("/etc/pithings/pithings.yaml", strings.Replace(c.read("/etc/pithings/pithings.yaml"), "http: {", "http: {token_file: /etc/token, ", 1))
	said := c.apt("install", "--allow-downgrades", deb(t, older))
	if !strings.Contains(said, sentence) || !strings.Contains(said, "chmod o= /etc/token") {
		t.Errorf("the upgrade has not reported what is refused:\n%s", said)
	}
	c.run("chmod", "0600", "/etc/token")
	if said := c.apt("install", deb(t, newer)); strings.Contains(said, sentence) {
		t.Errorf("what was mended is refused:\n%s", said)
	}
}

// payloads are those of the messages on a topic.
func payloads(messages []mosquitto.Message, topic string) (found []string) {
	for _, m := range messages {
		if m.Topic == topic {
			found = append(found, m.Payload)
		}
	}
	return found
}

// Installed over a service that was set up by hand, with a unit whose user systemd makes at
// each start: first that unit stays, as the administrator's, and works with the new program;
// without it the package's takes the state folder over. What was queued is delivered.
func TestUpgradeOfAHandMadeService(t *testing.T) {
	for _, before := range []struct{ commit, user, groups string }{
		{"c9f6bd4", "pithings", "gpio i2c video"},
		{"0763a3b", "pithings-agent", "gpio i2c video pithings"},
	} {
		t.Run(before.commit, func(t *testing.T) {
			t.Parallel()
			c := boot(t, newRoot(t))
			c.byHand("testdata/"+before.commit+".service", before.groups)
			m := c.configure()
			c.run("systemctl", "enable", "--now", "pithings")
			if user := c.owner("/var/lib/private/pithings"); !strings.HasPrefix(user, "drwx------ "+before.user+" ") || !c.has("/var/lib/pithings") {
				t.Fatalf("the old unit has made a state folder of %s", user)
			}
			if _, err := c.try("getent", "--service=files", "passwd", before.user); err == nil {
				t.Fatal("the user of the old unit is a static one")
			}
			want := c.queue()

			// The service runs meanwhile, so its user is there, but not to stay.
			said := c.apt("install", deb(t, newer))
			if !strings.Contains(said, handMade+" hides the unit of this package") {
				t.Errorf("nothing is said about the unit that hides the package's:\n%s", said)
			}
			c.run("getent", "--service=files", "passwd", "pithings")
			c.run("rm", "-r", handMade+".d")
			c.run("systemctl", "daemon-reload")
			c.run("systemctl", "restart", "pithings")
			c.wants(map[string]string{"ActiveState": "active", "SubState": "running", "FragmentPath": handMade, "NRestarts": "0"})

			// Without the old unit.
			c.run("rm", handMade)
			c.run("systemctl", "daemon-reload")
			c.run("systemctl", "reenable", "pithings")
			c.run("systemctl", "restart", "pithings")
			c.serves()
			if got := c.owner("/var/lib/pithings"); got != "drwx------ pithings pithings" {
				t.Errorf("the state folder is %s", got)
			}
			if c.has("/var/lib/private/pithings") {
				t.Error("the state folder of before is still there")
			}
			c.belongs("/var/lib/pithings")
			m.Up()
			m.Wait("the queue of before", func(messages []mosquitto.Message) bool {
				return slices.Equal(ofThen(messages), want)
			})
			c.clean()
		})
	}
}

// handMade is where an administrator puts a unit.
const handMade = "/etc/systemd/system/pithings.service"

// byHand sets a service up as the comments in the unit of an earlier version say. The program is
// played: what the test looks at is the state folder, a real one (queue).
func (c *container) byHand(unit, groups string) {
	c.t.Helper()
	text, err := os.ReadFile(unit)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(handMade, string(text))
	c.write(handMade+".d/played.conf", "[Service]\nType=exec\n")
	c.write("/usr/bin/pithings", "#!/bin/sh\nexec sleep infinity\n")
	c.run("chmod", "755", "/usr/bin/pithings")
	for group := range strings.FieldsSeq(groups) {
		c.run("groupadd", "--force", "--system", group)
	}
	c.run("systemctl", "daemon-reload")
}

// oldState is a state folder as commit c9f6bd4 has left it.
const oldState = "../../spool/pub/testdata/state-c9f6bd4"

// queue makes the state folder one that commit c9f6bd4 has left, and returns the messages
// of its outbox pi (see the README there) that are to be delivered. Those of QoS 0 up to
// number 22 the network was given.
func (c *container) queue() (messages []mosquitto.Message) {
	c.t.Helper()
	const inside = "/var/lib/private/pithings"
	if err := os.CopyFS(c.root+inside, os.DirFS(oldState)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := outbox.Read(c.root+inside+"/pi", func(r outbox.Record) error {
		if r.QoS > 0 || r.Seq > 22 {
			messages = append(messages, mosquitto.Message{Topic: r.Topic, Payload: string(r.Payload)})
		}
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	if len(messages) != 30 {
		c.t.Fatalf("%d messages wait in the state folder of c9f6bd4, want 30", len(messages))
	}
	c.run("chown", "--recursive", "--reference="+inside, inside)
	return messages
}

// ofThen are those of the messages whose topics only that commit's queue has.
func ofThen(messages []mosquitto.Message) (found []mosquitto.Message) {
	for _, m := range messages {
		if strings.HasPrefix(m.Topic, "old/") {
			found = append(found, m)
		}
	}
	return found
}
