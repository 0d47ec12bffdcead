package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// probing makes this test a program that tries what the unit forbids, or the one that its value
// names. pithings knows no variable of this name.
const probing = "SYSTEM_TEST_PROBE"

// forbidden are things to try that only one setting of the unit forbids, with
// what that setting makes of them. RestrictRealtime and the settings on
// capabilities are not among them: an ordinary user may not do those things
// anyway.
var forbidden = []struct {
	setting string
	want    error
	try     func() error
}{
	{"DevicePolicy", unix.EPERM, openFile("/dev/uhid", os.O_RDWR)},
	{"ProtectSystem", unix.EROFS, openFile("/usr/new", os.O_WRONLY|os.O_CREATE)},
	{"ProtectKernelTunables", unix.EROFS, openFile("/sys/class/vtconsole/vtcon0/bind", os.O_WRONLY)},
	{"ProtectControlGroups", unix.EROFS, openFile("/sys/fs/cgroup/cgroup.procs", os.O_WRONLY)},
	{"PrivateTmp", unix.ENOENT, openFile("/var/tmp/of-another", os.O_RDONLY)},
	{"ProtectHome", unix.EACCES, func() error { _, err := os.ReadDir("/root"); return err }},
	{"RestrictAddressFamilies", unix.EAFNOSUPPORT, func() error { return closed(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)) }},
	{"RestrictNamespaces", unix.EPERM, func() error { return unix.Unshare(unix.CLONE_NEWUSER) }},
	{"MemoryDenyWriteExecute", unix.EPERM, func() error {
		_, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
		return err
	}},
	{"RestrictSUIDSGID", unix.EPERM, func() error { return unix.Mkdir(os.Getenv("STATE_DIRECTORY")+"/set-uid", 0o4755) }},
	{"LockPersonality", unix.EPERM, func() error {
		_, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, 0x0400000, 0, 0) // ADDR_NO_RANDOMIZE
		if errno != 0 {
			return errno
		}
		return nil
	}},
	{"SystemCallFilter", unix.EPERM, func() error {
		// What the kernel answers to nonsense is EINVAL, unless it never gets it.
		if err := unix.Reboot(0); err != unix.EINVAL {
			return err
		}
		return nil
	}},
}

// allowed are nodes of the classes that the unit allows, as far as the guest has them.
var allowed = []string{"/dev/gpiochip0", "/dev/i2c-*", "/dev/video0", screen, serialPort}

// unasked are nodes of classes that people connect sensors and cameras by, but that no kind of
// thing opens: the unit does not allow them. The guest has no such part, which would be ENXIO.
var unasked = []struct {
	node  string
	major uint32
}{
	{"/dev/spidev0.0", 153}, // Documentation/admin-guide/devices.txt
	{"/dev/media0", 240},    // given by the kernel: 240 is for experiments
}

// serialPort is the guest's own console. Debian's rules give it to the group dialout.
const serialPort = "/dev/ttyAMA0"

func openFile(name string, flags int) func() error {
	return func() error {
		f, err := os.OpenFile(name, flags, 0o600)
		if err == nil {
			f.Close()
		}
		return err
	}
}

func closed(fd int, err error) error {
	if err == nil {
		unix.Close(fd)
	}
	return err
}

var errAsForbidden = errors.New("forbidden")

// probeProgram puts this test where units find it: /usr/bin/system.test.
func probeProgram(t *testing.T) {
	t.Helper()
	if err := os.Link("/bin/system.test", guest.Systemd+"/usr/bin/system.test"); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
}

// permit lets every user do what only the unit shall forbid.
func permit(t *testing.T) {
	t.Helper()
	other := guest.Systemd + "/var/tmp/of-another"
	if err := errors.Join(os.MkdirAll(controlGroup, 0o755), os.MkdirAll(filepath.Dir(other), 0o777), os.WriteFile(other, nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, u := range unasked {
		name := u.node
		if err := unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(u.major, 0))); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Remove(name); err != nil {
				t.Error(err)
			}
		})
		if err := os.Chmod(name, 0o666); err != nil { // whatever the umask is
			t.Fatal(err)
		}
		if err := openFile(name, os.O_RDWR|unix.O_NONBLOCK)(); !errors.Is(err, unix.ENXIO) {
			t.Errorf("%s: without the unit, %v", name, err)
		}
	}
	for _, name := range []string{"/dev/uhid", guest.Systemd + "/usr", "/sys/class/vtconsole/vtcon0/bind",
		controlGroup + "/cgroup.procs", guest.Systemd + "/root"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o777); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Chmod(name, info.Mode()); err != nil {
				t.Error(err)
			}
		})
	}
}

// giveSerialPort does what Debian's own udev rules do.
func giveSerialPort(t *testing.T) {
	t.Helper()
	makeUsers(t)
	group, err := strconv.Atoi(accounts(t, "/etc/group")["dialout"])
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(serialPort)
	if err != nil {
		t.Fatal(err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Gid)
	if err := errors.Join(os.Chown(serialPort, 0, group), os.Chmod(serialPort, 0o660)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.Chown(serialPort, 0, owner), os.Chmod(serialPort, info.Mode().Perm())); err != nil {
			t.Error(err)
		}
	})
}

// probe tries all of it, and says what came of it.
func probe() {
	for _, f := range forbidden {
		err := f.try()
		if errors.Is(err, f.want) {
			err = errAsForbidden
		}
		fmt.Printf("%s: %v\n", f.setting, err)
	}
	for _, pattern := range allowed {
		nodes, err := filepath.Glob(pattern)
		if len(nodes) == 0 {
			err = errors.Join(err, fs.ErrNotExist)
		} else {
			err = openFile(nodes[0], os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK)()
		}
		fmt.Printf("%s: %v\n", pattern, err)
	}
	for _, u := range unasked {
		err := openFile(u.node, os.O_RDWR|unix.O_NONBLOCK)()
		if errors.Is(err, unix.EPERM) {
			err = errAsForbidden
		}
		fmt.Printf("%s: %v\n", u.node, err)
	}
	fmt.Printf("whether the clock is synchronised: %v\n", readClock())
	fmt.Println("probed")
}

// readClock asks the kernel for the state of its clock, which must not be
// forbidden: without the answer readings may wait for their time for ever.
func readClock() error {
	_, err := unix.Adjtimex(&unix.Timex{})
	return err
}

// What the unit forbids is forbidden in the guest, too: that the parts work
// under it means something.
func TestTheUnitsRestrictionsAreInForce(t *testing.T) {
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	probeFile := strings.Replace(unitFile, "pithings.service", "probe.service", 1)
	if err := os.WriteFile(probeFile, text, 0o644); err != nil {
		t.Fatal(err)
	}
	probeProgram(t)
	writeUnit(t, "probe", "Type=oneshot\nRestart=no\nWatchdogSec=0\nEnvironment="+probing+"=1\nExecStart=\nExecStart=/usr/bin/system.test\n"+
		"StandardOutput=append:/probe.log\nStandardError=append:/probe.log\n")
	permit(t)
	giveSerialPort(t)
	a := &app{t: t, done: make(chan struct{}), changed: make(chan struct{})}
	a.container("probe.service")
	t.Cleanup(func() {
		a.cmd.Process.Kill()
		<-a.done
		if t.Failed() {
			t.Logf("it said:\n%s", strings.Join(a.logged(""), "\n"))
		}
	})
	var said string
	eventually(t, "the probe has ended", func() bool {
		log, _ := os.ReadFile(guest.Systemd + "/probe.log")
		said = string(log)
		return strings.Contains(said, "probed\n")
	})
	for _, f := range forbidden {
		if !strings.Contains(string(text), "\n"+f.setting+"=") {
			t.Errorf("the unit has no %s any more: take it out of this test", f.setting)
		}
		if !strings.Contains(said, f.setting+": "+errAsForbidden.Error()+"\n") {
			t.Errorf("%s is not in force", f.setting)
		}
	}
	for _, pattern := range allowed {
		if !strings.Contains(said, pattern+": <nil>\n") {
			t.Errorf("%s cannot be opened", pattern)
		}
	}
	for _, u := range unasked {
		if !strings.Contains(said, u.node+": "+errAsForbidden.Error()+"\n") {
			t.Errorf("%s can be opened, or is not there", u.node)
		}
	}
	if !strings.Contains(said, "whether the clock is synchronised: <nil>\n") {
		t.Error("the kernel cannot be asked for the state of its clock")
	}
	t.Logf("the probe said:\n%s", said)
}
