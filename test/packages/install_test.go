//go:build packages && linux

package packages

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pithings/test/binary"
	"pithings/test/mosquitto"
)

// configuration is that of a service that works everywhere: its only thing is the machine.
const configuration = `mqtt: {endpoint: "mqtt://127.0.0.1:%d", client_id: pi}
http: {listen: "127.0.0.1:0"}
things:
  - {name: machine, type: host, interval: 1s}
`

// installed are files of the package, with their modes and owners. The folder of the
// configuration is for the administrator to write and for the service to read.
var installed = map[string]string{
	"/usr/bin/pithings":                               "-rwxr-xr-x root root",
	"/usr/lib/systemd/system/pithings.service":        "-rw-r--r-- root root",
	"/usr/lib/systemd/system/pithings-reboot.service": "-rw-r--r-- root root",
	"/usr/lib/systemd/system/pithings-reboot.socket":  "-rw-r--r-- root root",
	"/usr/lib/sysusers.d/pithings.conf":               "-rw-r--r-- root root",
	"/usr/lib/udev/rules.d/60-pithings.rules":         "-rw-r--r-- root root",
	"/usr/share/doc/pithings":                         "drwxr-xr-x root root",
	"/etc/pithings":                                   "drwxr-x--- root pithings",
}

// Installed, the package has a user and the groups of the parts, and starts nothing: there
// is no configuration yet. With one, systemctl enable --now is all that is left to do.
func TestInstall(t *testing.T) {
	t.Parallel()
	c := boot(t, newRoot(t))
	said := c.apt("install", deb(t, older))
	for place, want := range installed {
		if got := c.owner(place); got != want {
			t.Errorf("%s is %s, want %s", place, got, want)
		}
	}
	for _, group := range []string{"gpio", "i2c", "spi", "video", "dialout", "render", "pithings"} {
		c.run("getent", "--service=files", "group", group)
	}
	user := strings.Split(strings.TrimSpace(c.run("getent", "--service=files", "passwd", "pithings")), ":")
	if shell := user[len(user)-1]; !strings.HasSuffix(shell, "/nologin") {
		t.Errorf("the user pithings has the shell %s", shell)
	}
	if got := c.run("pithings", "version"); !strings.Contains(got, older) {
		t.Errorf("pithings version prints %q, want one with %s", got, older)
	}
	if files := c.run("dpkg-query", "--show", "--showformat=${Conffiles}", "pithings"); files != "" {
		t.Errorf("dpkg would ask what to do with %s", files)
	}
	c.clean()
	c.wants(map[string]string{"LoadState": "loaded", "UnitFileState": "disabled", "ActiveState": "inactive", "NeedDaemonReload": "no"})
	if !strings.Contains(said, "systemctl enable --now pithings") {
		t.Errorf("what there is to do is not said:\n%s", said)
	}

	// Without a configuration it does not start, and does not try again.
	if text, err := c.try("systemctl", "start", "pithings"); err == nil {
		t.Errorf("it started without a configuration:\n%s", text)
	}
	c.wants(map[string]string{"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"})

	m := c.configure()
	c.run("systemctl", "enable", "--now", "pithings")
	c.serves()
	m.Up()
	c.delivers(m)
	if got := c.owner("/var/lib/pithings"); got != "drwx------ pithings pithings" {
		t.Errorf("the state folder is %s", got)
	}
	c.belongs("/var/lib/pithings")
	// Members of the group may use the commands, other users may not.
	c.run("useradd", "--groups=pithings", "member")
	c.run("useradd", "stranger")
	c.run("runuser", "--user=member", "--", "pithings", "queue", "ls")
	if text, err := c.try("runuser", "--user=stranger", "--", "cat", "/etc/pithings/pithings.yaml"); err == nil {
		t.Errorf("everyone reads the configuration, which may hold passwords:\n%s", text)
	}

	// Installed once more it runs anew, and what the administrator has written stays.
	before, written := c.property("MainPID"), c.read("/etc/pithings/pithings.yaml")
	c.apt("install", "--reinstall", deb(t, older))
	c.serves()
	if after := c.property("MainPID"); after == before {
		t.Error("the service was not restarted")
	}
	if got := c.read("/etc/pithings/pithings.yaml"); got != written {
		t.Errorf("the configuration is now %q", got)
	}
	c.clean()

	// The watchdog ends it with this signal. The Go runtime makes of it the exit status that
	// it has for a panic, too.
	before = c.property("MainPID")
	c.run("systemctl", "kill", "--kill-whom=main", "--signal=ABRT", "pithings")
	c.run("timeout", strconv.Itoa(int(binary.Patience.Seconds())), "tail", "--pid="+before, "--follow", "/dev/null")
	c.delivers(m)
	c.wants(map[string]string{"ActiveState": "active", "NRestarts": "1"})
	if after := c.property("MainPID"); after == before || after == "0" {
		t.Errorf("the service has the process %s, and had %s before it crashed", after, before)
	}
}

// What the manual says of settings that the unit does not let through: without its drop-in the
// service cannot keep its state in another folder and listen to a port below 1024, with it both.
func TestDropInForFolderAndPort(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(manual), "[Service]\n# state: /srv/pithings\n")
	dropIn, _, ended := strings.Cut(after, "```\n")
	if !found || !ended {
		t.Fatal("docs/service.md has no drop-in for state: /srv/pithings")
	}
	c := boot(t, newRoot(t))
	c.apt("install", deb(t, older))
	c.run("install", "-d", "-o", "pithings", "-g", "pithings", "-m", "700", "/srv/pithings")
	written := fmt.Sprintf(configuration, mosquitto.New(t).Port)
	low := fmt.Sprintf("127.0.0.1:%d", lowPort(t))
	listens := func() bool { // the container has this machine's network
		conn, err := net.Dial("tcp", low)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	written = strings.Replace(written, "127.0.0.1:0", low, 1)
	c.write("/etc/pithings/pithings.yaml", written)
	c.run("systemctl", "start", "pithings")
	if listens() {
		t.Errorf("%s needs no drop-in", low)
	}
	c.run("systemctl", "stop", "pithings")
	written = "state: /srv/pithings\n" + written
	c.write("/etc/pithings/pithings.yaml", written)
	if said, err := c.try("systemctl", "start", "pithings"); err == nil {
		t.Errorf("another state folder needs no drop-in:\n%s", said)
	}
	c.run("systemctl", "stop", "pithings")

	c.write("/etc/systemd/system/pithings.service.d/override.conf", "[Service]\n"+dropIn)
	c.run("systemctl", "daemon-reload")
	c.run("systemctl", "enable", "--now", "pithings")
	c.serves()
	if !listens() {
		t.Errorf("with the drop-in the service does not listen to %s", low)
	}
	c.belongs("/srv/pithings")
	if kept := c.run("find", "/srv/pithings", "-type", "f"); kept == "" {
		t.Error("the service keeps nothing in /srv/pithings")
	}
}

// lowPort is a port below 1024 that is free.
func lowPort(t *testing.T) int {
	t.Helper()
	for port := 1023; port > 600; port-- {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("there is no free port below 1024")
	return 0
}

// A tool that makes images for cards installs packages in a Debian that is not running.
// The service starts when the card does.
func TestInstallIntoAnImage(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	inImage(t, root, "apt-get", "--quiet", "--yes", "install", deb(t, older))
	image := &container{t: t, root: root}
	m := image.configure()
	m.Up()
	inImage(t, root, "systemctl", "enable", "pithings")
	c := boot(t, root)
	c.serves()
	c.delivers(m)
	c.clean()
}

// An installation changes nothing but the package's own files, which only root can
// write to, and the users. A package that was never used leaves not even its folder for the
// configuration.
func TestFiles(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	before := files(t, root)
	inImage(t, root, "apt-get", "--quiet", "--yes", "install", deb(t, older))
	own := strings.Fields(inImage(t, root, "dpkg", "--listfiles", "pithings"))
	for place, change := range compare(before, files(t, root)) {
		if !slices.Contains(own, place) && !slices.Contains(users, place) && !recorded(place) {
			t.Errorf("the installation changed %s: %s", place, change)
		}
	}
	for _, place := range own {
		info, err := os.Stat(root + place)
		if err != nil {
			t.Error(err)
		} else if s := info.Sys().(*syscall.Stat_t); s.Uid != 0 || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s has mode %v and belongs to %d:%d", place, info.Mode(), s.Uid, s.Gid)
		}
	}
	inImage(t, root, "apt-get", "--quiet", "--yes", "purge", "pithings")
	for place, change := range compare(before, files(t, root)) {
		if !slices.Contains(users, place) {
			t.Errorf("after purge %s: %s", place, change)
		}
	}
}
