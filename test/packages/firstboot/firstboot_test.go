//go:build packages && linux

package firstboot

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"pithings/test/binary"
)

const deployed = "../../../deploy/firstboot"

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(deployed, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// cloud-init knows every key of user-data, by its own schema.
func TestUserDataKeepsTheSchema(t *testing.T) {
	cloudInit := binary.Need(t, "cloud-init")
	out, err := exec.Command(cloudInit, "schema", "--config-file", filepath.Join(deployed, "user-data")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Valid") {
		t.Errorf("%v\n%s", err, out)
	}
	// The check would notice.
	bad := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(bad, []byte(strings.Replace(read(t, "user-data"), "lock_passwd: true", "lock_passwd: [1]", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cloudInit, "schema", "--config-file", bad).CombinedOutput(); err == nil {
		t.Errorf("a wrong file is valid: %s", out)
	}
}

// cloud-init makes of network-config what netplan reads, with Wi-Fi and without.
func TestNetworkConfigIsRead(t *testing.T) {
	cloudInit := binary.Need(t, "cloud-init")
	cable := read(t, "network-config")
	for name, row := range map[string]struct{ text, want string }{
		"cable": {cable, "eth0:"},
		"Wi-Fi": {strings.ReplaceAll(cable, "\n#  ", "\n  "), "NAME OF THE NETWORK"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "network-config")
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(cloudInit, "devel", "net-convert", "-p", file, "-k", "yaml", "-d", dir, "-D", "debian", "-O", "netplan").CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
			continue
		}
		made, err := os.ReadFile(filepath.Join(dir, "etc/netplan/50-cloud-init.yaml"))
		if err != nil || !strings.Contains(string(made), row.want) {
			t.Errorf("%s: %v\n%s", name, err, made)
		}
	}
}

// No account of user-data has a password, and what it calls is there.
func TestUserData(t *testing.T) {
	var data struct {
		Bootcmd [][]string
		Runcmd  [][]string
		Users   []struct {
			Name   string
			Lock   bool     `yaml:"lock_passwd"`
			Keys   []string `yaml:"ssh_authorized_keys"`
			Passwd string
			Plain  string `yaml:"plain_text_passwd"`
			Hashed string `yaml:"hashed_passwd"`
		}
		Preserve bool `yaml:"preserve_hostname"`
		Pwauth   bool `yaml:"ssh_pwauth"`
	}
	data.Pwauth = true
	if err := yaml.Unmarshal([]byte(read(t, "user-data")), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Users) != 1 || data.Pwauth || !data.Preserve {
		t.Errorf("%+v", data)
	}
	for _, u := range data.Users {
		if !u.Lock || len(u.Keys) == 0 || u.Passwd+u.Plain+u.Hashed != "" {
			t.Errorf("the user %s: %+v", u.Name, u)
		}
	}
	script := read(t, "firstboot")
	called := regexp.MustCompile(`/boot/firmware/pithings/(\S+?)"?(?: (\w+))?$`)
	var found []string
	for _, c := range slices.Concat(data.Bootcmd, data.Runcmd) {
		if m := called.FindStringSubmatch(strings.Join(c, " ")); m != nil {
			found = append(found, m[1]+" "+m[2])
			if m[1] != "firstboot" || m[2] != "" && !strings.Contains(script, "\n"+m[2]+") ") {
				t.Errorf("%q is not there", m[0])
			}
		}
	}
	if !slices.Equal(found, []string{"firstboot ", "firstboot package"}) {
		t.Errorf("user-data calls %q", found)
	}
}

// The shell of Debian reads the script, and it refuses what it does not know before it
// changes anything.
func TestScript(t *testing.T) {
	script := filepath.Join(deployed, "firstboot")
	if out, err := exec.Command("/bin/sh", "-n", script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(binary.Need(t, "shellcheck"), script).CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
	out, err := exec.Command("/bin/sh", script, "nonsense").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "firstboot seal") {
		t.Errorf("%v %s", err, out)
	}
}

// The configuration that it writes is one, on a machine with any name.
func TestConfiguration(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pithings")
	if err := binary.Build(program, "CGO_ENABLED=0"); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "config", "check", filepath.Join(deployed, "pithings.yaml"))
	c.Env = []string{"HOME=" + t.TempDir()}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
