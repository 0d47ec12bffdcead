//go:build emulated

package emulated

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pithings/test/binary"
	"pithings/test/emulated/debian"
	"pithings/test/emulated/qemu"
)

// card is an image: a Debian with systemd, deploy/firstboot and the program, as one file that
// several machines are booted with: its root file system is in memory. What makes it a bad image
// to give to others is in it on purpose: passwords, keys, the state of another machine.
type card struct {
	t      *testing.T
	kernel *debian.Kernel
	file   string
	dir    string
}

const (
	sharedHash = "$6$Y4vQqXn1$J0wYgk7d1v8gkKq3tZ0ZbWw0B2o0vVqgk3Q4n5Xy9m7Jt1Qb8h2x6c4s0dLrPzE5uT3iO9fA7gK1jH8nM6vC0" // of no password
	imageKey   = "PRIVATE KEY of the image"
)

// report prints what a machine is at its end, after all of its units. An emulated processor
// takes half a second for each process, so it starts hardly any.
const report = `#!/bin/sh
exec >/dev/console 2>&1
for f in /proc/sys/kernel/hostname /etc/hostname /etc/hosts /etc/machine-id /etc/shadow /etc/ssh/ssh_host_* /etc/pithings/certs/*; do
	[ -e "$f" ] || continue
	echo "FACT file $f"
	while read -r l; do echo "FACT $l"; done <"$f"
done
echo "FACT file modes"
ls -ln /etc/ssh /etc/pithings/certs | while read -r mode links uid gid size month day time name; do echo "FACT $mode $uid $name"; done
echo "FACT file configuration"
/usr/bin/pithings config show /etc/pithings/pithings.yaml | while read -r l; do echo "FACT $l"; done
echo "FACT file end"
`

// Units of the test: the first to start is the last to stop.
const (
	reportUnit = "[Unit]\nDescription=report\nBefore=pithings-firstboot.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/report\nTimeoutStopSec=240\n"
	endUnit    = "[Unit]\nDescription=end\nAfter=pithings-firstboot.service multi-user.target\n[Service]\nType=oneshot\nExecStart=/bin/systemctl --no-block poweroff\n"
)

// without are the parts of Debian that are not in an image: what no machine here needs, and
// what systemd would start for its own sake. An emulated processor takes half a second for each
// process. systemd itself, firstboot and all that it calls are Debian's.
var without = []string{
	"unpacked", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "usr/share/perl", "usr/lib/arm-linux-gnueabihf/perl",
	"usr/lib/arm-linux-gnueabihf/gconv", "lib/systemd/system-generators", "lib/systemd/system/sysinit.target.wants", "lib/systemd/system/sockets.target.wants",
	"lib/systemd/system/timers.target.wants", "lib/systemd/system/multi-user.target.wants", "lib/systemd/system/local-fs.target.wants",
	"etc/systemd/system",
}

// newImage makes an image. more are further files, by their names.
func newImage(t *testing.T, name string, more map[string]string) *card {
	t.Helper()
	need(t, "qemu-system-arm", "fdtput", "dpkg-deb", "apt-get", "make", "xz", "gcc-12", "arm-linux-gnueabihf-gcc-12", "/sbin/depmod")
	i := &card{t: t, dir: filepath.Join(shared.Dir, "run", "firstboot", name)}
	if err := os.MkdirAll(i.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if i.kernel, err = shared.Kernel(t.Context(), debian.ARMMP); err != nil {
		t.Fatal(err)
	}
	system, err := shared.Unpacked(t.Context(), debian.ARMMP, "firstboot", "systemd", "base-files", "dash", "coreutils", "sed", "grep", "mawk",
		"passwd", "openssl", "openssh-client", "util-linux", "libc-bin")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "pithings")
	if err := binary.Build(program, "GOOS=linux", "GOARCH=arm", "GOARM=6", "CGO_ENABLED=0"); err != nil {
		t.Fatal(err)
	}

	root := qemu.NewInitramfs()
	put := func(name string, perm uint32, text string) { root.File(name, perm, []byte(text)) }
	for _, d := range []string{"proc", "sys", "dev", "run", "tmp", "var/tmp", "var/log", "root"} {
		root.Dir(d, 0o755)
	}
	root.Link("init", "/lib/systemd/systemd")
	put("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\npi:x:1000:1000:pi:/home/pi:/bin/sh\nlocked:x:1001:1001::/:/bin/sh\n")
	put("etc/group", 0o644, "root:x:0:\ntty:x:5:\npi:x:1000:\nlocked:x:1001:\n")
	put("etc/shadow", 0o640, "root::19000:0:99999:7:::\npi:"+sharedHash+":19000:0:99999:7:::\nlocked:!:19000:0:99999:7:::\n")
	put("etc/hostname", 0o644, "raspberrypi\n")
	put("etc/hosts", 0o644, "127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n")
	put("etc/machine-id", 0o444, "") // as Raspberry Pi OS has it
	for _, f := range []string{"ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "ssh_host_dsa_key"} {
		put("etc/ssh/"+f, 0o600, imageKey)
	}
	deployed := filepath.Join(project(), "deploy", "firstboot")
	const place = "usr/local/lib/pithings/" // where firstboot install puts them
	root.Copy(place+"firstboot", 0o755, filepath.Join(deployed, "firstboot"))
	root.Copy(place+"pithings.yaml", 0o644, filepath.Join(deployed, "pithings.yaml"))
	root.Copy("etc/systemd/system/pithings-firstboot.service", 0o644, filepath.Join(deployed, "pithings-firstboot.service"))
	root.Copy("usr/bin/pithings", 0o755, program)
	put("report", 0o755, report)
	put("etc/systemd/system/report.service", 0o644, reportUnit)
	put("etc/systemd/system/end.service", 0o644, endUnit)
	put("etc/systemd/system.conf.d/console.conf", 0o644, "[Manager]\nDefaultStandardOutput=tty\nLogTarget=console\n") // there is no journal
	for _, u := range []string{"pithings-firstboot", "report", "end"} {
		root.Link("etc/systemd/system/multi-user.target.wants/"+u+".service", "/etc/systemd/system/"+u+".service")
	}
	root.Link("usr/bin/awk", "mawk")
	root.Link("var/run", "/run")
	for name, text := range more {
		put(name, 0o600, text)
	}
	// Whatever is there already stays.
	if err := root.Tree("", system, func(name string) bool {
		return slices.ContainsFunc(without, func(part string) bool { return name == part || strings.HasPrefix(name, part+"/") })
	}); err != nil {
		t.Fatal(err)
	}
	i.file = filepath.Join(i.dir, "image")
	if err := root.WriteFile(i.file); err != nil {
		t.Fatal(err)
	}
	return i
}

// boot starts the image in a machine with a serial number, and returns what it is at its end.
func (i *card) boot(serial string) identity {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), limit)
	defer cancel()
	dir := filepath.Join(i.dir, serial)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		i.t.Fatal(err)
	}
	tree := filepath.Join(dir, "tree.dtb")
	args := []string{"-cpu", "cortex-a15", "-m", "1024", "-nodefaults", "-no-user-config"}
	for _, c := range []*exec.Cmd{
		exec.CommandContext(ctx, "qemu-system-arm", append([]string{"-M", "virt,highmem=off,dumpdtb=" + tree}, args...)...),
		exec.CommandContext(ctx, "fdtput", "-t", "s", tree, "/", "serial-number", serial),
	} {
		if out, err := c.CombinedOutput(); err != nil {
			i.t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	g, err := qemu.Boot(ctx, qemu.Machine{Program: "qemu-system-arm", Dir: dir, Args: append(args,
		"-M", "virt,highmem=off", "-dtb", tree, "-kernel", i.kernel.Image(), "-initrd", i.file,
		"-append", "console=ttyAMA0 panic=-1 quiet systemd.unit=multi-user.target")})
	if err != nil {
		i.t.Fatal(err)
	}
	files, name := identity{}, ""
	for e := range g.Events {
		if _, line, ok := strings.Cut(e.Text, "FACT "); !ok {
			continue
		} else if f, ok := strings.CutPrefix(line, "file "); ok {
			name = f
			files[name] = ""
		} else {
			files[name] += line + "\n"
		}
	}
	if _, ended := files["end"]; !ended {
		i.t.Fatalf("machine %s did not report what it is: %v; its console is in %s", serial, files, dir)
	}
	return files
}

// identity has the contents of a machine's files, by name.
type identity map[string]string

// clientID is that of the configuration.
func (m identity) clientID() string {
	for line := range strings.Lines(m["configuration"]) {
		if id, ok := strings.CutPrefix(line, "client_id: "); ok {
			id, _, _ = strings.Cut(id, "#")
			return strings.Trim(strings.TrimSpace(id), `"`)
		}
	}
	return ""
}

// check looks at an identity by itself: the name everywhere, keys that belong together and that
// only root may read, no password, nothing of the image.
func (m identity) check(t *testing.T, name string) {
	t.Helper()
	for file, want := range map[string]string{"/proc/sys/kernel/hostname": name, "/etc/hostname": name} {
		if got := strings.TrimSpace(m[file]); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	if !strings.Contains(m["/etc/hosts"], "127.0.1.1\t"+name+"\n") || strings.Contains(m["/etc/hosts"], "raspberrypi") {
		t.Errorf("/etc/hosts is %q", m["/etc/hosts"])
	}
	if id := strings.TrimSpace(m["/etc/machine-id"]); len(id) != 32 {
		t.Errorf("the machine id is %q", id)
	}
	for _, key := range []string{"/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/pithings/certs/device.key"} {
		if !strings.Contains(m[key], "PRIVATE KEY") {
			t.Errorf("%s is %q", key, m[key])
		}
		if !strings.Contains(m["modes"], "-rw------- 0 "+filepath.Base(key)+"\n") {
			t.Errorf("others may read %s: %s", key, m["modes"])
		}
	}
	for file, text := range m {
		if strings.Contains(text, imageKey) {
			t.Errorf("%s is still that of the image", file)
		}
	}
	if _, ok := m["/etc/pithings/certs/device.pem"]; ok {
		t.Error("there is a certificate of another machine")
	}
	for user := range strings.Lines(m["/etc/shadow"]) {
		if f := strings.Split(user, ":"); len(f) < 2 || !strings.HasPrefix(f[1], "!") {
			t.Errorf("one can log in with a password: %s", user)
		}
	}
	key, request := block(m["/etc/pithings/certs/device.key"]), block(m["/etc/pithings/certs/device.csr"])
	k, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("the device's key: %v", err)
	}
	r, err := x509.ParseCertificateRequest(request)
	if err != nil || r.CheckSignature() != nil || r.Subject.CommonName != name {
		t.Fatalf("the certificate request: %v, %+v", err, r)
	}
	if !k.(*ecdsa.PrivateKey).PublicKey.Equal(r.PublicKey) {
		t.Error("the certificate request is of another key")
	}
}

func block(text string) []byte {
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		return nil
	}
	return b.Bytes
}

// One image, booted in three machines, makes three identities: nothing that says who a machine
// is, and nothing that lets someone in, is the same.
func TestOneImageMakesThreeIdentities(t *testing.T) {
	t.Parallel()
	i := newImage(t, "three", nil)
	serials := []string{"10000000a1b2c3d4", "10000000a1b2c3d5", "00000000deadbeef"}
	machines := make([]identity, len(serials))
	t.Run("boots", func(t *testing.T) {
		for n, serial := range serials {
			t.Run(serial, func(t *testing.T) {
				t.Parallel()
				one := *i
				one.t = t
				machines[n] = one.boot(serial)
			})
		}
	})
	for n, m := range machines {
		name := "pi-" + strings.TrimLeft(serials[n], "0")
		m.check(t, name)
		if got := m.clientID(); got != name {
			t.Errorf("machine %s: its client id is %q", serials[n], got)
		}
		for _, other := range machines[:n] {
			for file, text := range m {
				if shared := strings.HasPrefix(file, "/etc/ssh/") || strings.HasPrefix(file, "/etc/pithings/") || file == "/etc/machine-id"; shared && other[file] == text {
					t.Errorf("machine %s has the same %s as another one: %q", serials[n], file, text)
				}
			}
		}
	}
}

// A card that was copied after its first boot makes an identity of its own in the other machine,
// with a machine id of its own, for which the machine starts again.
func TestACopiedCardMakesAnIdentityOfItsOwn(t *testing.T) {
	t.Parallel()
	const old = "0123456789abcdef0123456789abcdef"
	i := newImage(t, "copied", map[string]string{
		"etc/machine-id":                    old + "\n",
		"var/lib/pithings-firstboot/serial": "10000000a1b2c3d4\n",
		"etc/pithings/certs/device.key":     imageKey,
		"etc/pithings/certs/device.pem":     imageKey,
		"etc/pithings/pithings.yaml":        "version: 1\nmqtt: {endpoint: mqtt://mine, client_id: \"mine-{serial}\"}\nthings: [{name: x, type: motion, pin: mock}]\n",
		"var/lib/systemd/random-seed":       imageKey,
		"var/lib/NetworkManager/secret_key": imageKey,
	})
	m := i.boot("10000000ffffffff")
	m.check(t, "pi-10000000ffffffff")
	if strings.TrimSpace(m["/etc/machine-id"]) == old {
		t.Error("its machine id is that of the other machine")
	}
	if got := m.clientID(); got != "mine-10000000ffffffff" {
		t.Errorf("its own configuration did not stay: the client id is %q", got)
	}
	log, err := os.ReadFile(filepath.Join(i.dir, "10000000ffffffff", "console.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "starting again with the new machine id") || !strings.Contains(string(log), "reboot: Restarting system") {
		t.Errorf("it did not start again: %s", log)
	}
}
