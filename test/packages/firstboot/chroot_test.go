//go:build packages && linux

package firstboot

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pithings/test/binary"
)

// machine is a folder that looks like a Raspberry Pi with a serial number: its own /etc and /var,
// and this machine's programs. firstboot runs in it with a host name and mounts of its own.
type machine struct {
	t    *testing.T
	root string
}

// systemctl writes down how it is called, and which name the machine has then. A stopped
// systemd-random-seed.service has written the seed, as systemd's does; avahi-daemon is not installed.
const systemctl = `#!/bin/sh
echo "$(cat /proc/sys/kernel/hostname): $*" >>/systemctl.log
case "$*" in
"stop systemd-random-seed.service") mkdir -p /var/lib/systemd && echo seed >/var/lib/systemd/random-seed ;;
*avahi*) echo "Unit avahi-daemon.service not found." >&2 && exit 5 ;;
esac
`

func newMachine(t *testing.T, serial string) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		binary.Lacks(t, "a chroot needs root")
	}
	m := &machine{t, t.TempDir()}
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\npi:x:1000:1000:pi:/home/pi:/bin/sh\n",
		"etc/shadow": "root:*:19000:0:99999:7:::\npi:$6$abc$def:19000:0:99999:7:::\n",
		"etc/group":  "root:x:0:\n", "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n", "etc/hostname": "raspberrypi\n",
		"etc/ssl/openssl.cnf": "[req]\ndistinguished_name = dn\n[dn]\n", "etc/ssh/ssh_host_rsa_key": "of the image",
		"sys/firmware/devicetree/base/serial-number": serial,
		"fb/firstboot": read(t, "firstboot"), "fb/pithings.yaml": read(t, "pithings.yaml"), "fb/ca.pem": "an authority",
		"local/systemctl": systemctl, "usr/.": "", "proc/.": "", "dev/.": "", "tmp/.": "", "var/lib/.": "",
	} {
		path := filepath.Join(m.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/.") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(m.root, "local/systemctl"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(m.root, "etc/alternatives"), 0o755); err != nil {
		t.Fatal(err)
	}
	awk, err := filepath.EvalSymlinks("/usr/bin/awk")
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "etc/alternatives/awk": awk} {
		if err := os.Symlink(to, filepath.Join(m.root, from)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// underSystemd makes it a machine that systemd runs.
func (m *machine) underSystemd() {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Join(m.root, "run/systemd/system"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// run calls firstboot. It cannot reach this machine's host name, files or processes.
func (m *machine) run(args ...string) (string, error) {
	m.t.Helper()
	const inside = `set -e
mount --rbind /usr "$1/usr" && mount -o remount,bind,ro "$1/usr"
mount --bind "$1/local" "$1/usr/local/sbin"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
root=$1
shift
exec chroot "$root" sh /fb/firstboot "$@"`
	args = append([]string{"--mount", "--uts", "--pid", "--fork", "sh", "-c", inside, "sh", m.root}, args...)
	out, err := exec.Command(binary.Need(m.t, "unshare"), args...).CombinedOutput()
	return string(out), err
}

func (m *machine) file(name string) string {
	b, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		return ""
	}
	return string(b)
}

func TestTheIdentityIsMadeOnce(t *testing.T) {
	before, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, "10000000A1B2C3D4\x00")
	out, err := m.run()
	if err != nil || !strings.Contains(out, "this machine is pi-10000000a1b2c3d4 now") {
		t.Fatalf("%v\n%s", err, out)
	}
	key := m.file("etc/pithings/certs/device.key")
	for name, want := range map[string]string{
		"etc/hostname": "pi-10000000a1b2c3d4\n", "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tpi-10000000a1b2c3d4\n",
		"etc/shadow": "root:*:19000:0:99999:7:::\npi:!$6$abc$def:19000:0:99999:7:::\n", "etc/ssh/ssh_host_rsa_key": "",
		"etc/pithings/pithings.yaml": read(t, "pithings.yaml"), "etc/pithings/ca.pem": "an authority",
	} {
		if got := m.file(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if info, err := os.Stat(filepath.Join(m.root, "etc/pithings/certs/device.key")); err != nil || info.Mode() != 0o600 || !strings.Contains(key, "PRIVATE KEY") {
		t.Errorf("the device's key: %v, %v", info, err)
	}
	if after, _ := os.Hostname(); after != before {
		t.Fatalf("the test has changed this machine's name to %s", after)
	}

	// Later boots change nothing, and what an administrator has changed stays.
	if err := os.WriteFile(filepath.Join(m.root, "etc/hostname"), []byte("hall\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := m.run(); err != nil || out != "" {
		t.Errorf("the second boot: %v\n%s", err, out)
	}
	if m.file("etc/hostname") != "hall\n" || m.file("etc/pithings/certs/device.key") != key {
		t.Error("the second boot has changed the identity")
	}
}

// A power cut in the first boot: what was not finished is done again.
func TestAnIdentityThatWasCutOffIsMadeAgain(t *testing.T) {
	m := newMachine(t, "1\x00")
	if err := os.MkdirAll(filepath.Join(m.root, "etc/pithings/certs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etc/pithings/certs/device.key", "etc/ssh/ssh_host_ed25519_key"} {
		if err := os.WriteFile(filepath.Join(m.root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := m.run(); err != nil || m.file("etc/hostname") != "pi-1\n" || m.file("etc/pithings/certs/device.csr") == "" || m.file("etc/ssh/ssh_host_ed25519_key") == "" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAMachineThatCannotBeToldFromOthersIsRefused(t *testing.T) {
	for _, serial := range []string{"\x00", "0000000000000000\x00", "a b\x00", "x;reboot\x00"} {
		m := newMachine(t, serial)
		if out, err := m.run(); err == nil || !strings.Contains(out, "cannot be distinguished from others") {
			t.Errorf("%q: %v %s", serial, err, out)
		}
		if m.file("etc/hostname") != "raspberrypi\n" || m.file("etc/pithings/certs/device.key") != "" || m.file("etc/ssh/ssh_host_rsa_key") == "" {
			t.Errorf("%q: something was changed", serial)
		}
	}
}

// cloud-init runs the script when avahi-daemon may announce the image's name already.
func TestTheNewNameIsAnnounced(t *testing.T) {
	m := newMachine(t, "1\x00")
	m.underSystemd()
	for range 2 { // the second boot announces nothing
		if out, err := m.run(); err != nil || strings.Contains(out, "avahi") {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if got := m.file("systemctl.log"); got != "pi-1: --no-block try-restart avahi-daemon.service\n" {
		t.Errorf("systemctl is called with %q", got)
	}
	m = newMachine(t, "1\x00")
	if out, err := m.run(); err != nil || m.file("systemctl.log") != "" {
		t.Errorf("without systemd: %v, systemctl is called with %q\n%s", err, m.file("systemctl.log"), out)
	}
}

// A sealed card has nothing that is one machine's, and nothing that would write it again when
// the machine is powered off.
func TestASealedCardIsNoMachines(t *testing.T) {
	for name, systemd := range map[string]bool{"systemd": true, "no systemd": false} {
		m := newMachine(t, "1\x00")
		if systemd {
			m.underSystemd()
		}
		if out, err := m.run(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		seed := filepath.Join(m.root, "var/lib/systemd/random-seed")
		if err := os.MkdirAll(filepath.Dir(seed), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(seed, []byte("of the image"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := m.run("seal"); err != nil || !strings.Contains(out, "sealed") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if stopped := strings.HasSuffix(m.file("systemctl.log"), ": stop systemd-random-seed.service\n"); stopped != systemd {
			t.Errorf("%s: systemctl is called with %q", name, m.file("systemctl.log"))
		}
		for _, file := range []string{"var/lib/systemd/random-seed", "var/lib/pithings-firstboot/serial", "etc/pithings/certs/device.key", "etc/ssh/ssh_host_ed25519_key"} {
			if _, err := os.Lstat(filepath.Join(m.root, file)); !os.IsNotExist(err) {
				t.Errorf("%s: %s is still there: %v", name, file, err)
			}
		}
		if got := m.file("etc/machine-id"); got != "uninitialized\n" {
			t.Errorf("%s: the machine id is %q", name, got)
		}
	}
}
