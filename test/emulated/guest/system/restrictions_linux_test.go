package system

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// probing makes this test a program that tries what the unit forbids.
const probing = "PITHINGS_TEST_PROBE"

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

// permit lets everybody do what only the unit shall forbid.
func permit(t *testing.T) {
	t.Helper()
	other := guest.Systemd + "/var/tmp/of-another"
	if err := errors.Join(os.MkdirAll(controlGroup, 0o755), os.MkdirAll(filepath.Dir(other), 0o777), os.WriteFile(other, nil, 0o666)); err != nil {
		t.Fatal(err)
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

// probe tries all of it, and says what came of it.
func probe() {
	for _, f := range forbidden {
		err := f.try()
		if errors.Is(err, f.want) {
			err = errAsForbidden
		}
		fmt.Printf("%s: %v\n", f.setting, err)
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
	if err := os.Link("/bin/system.test", guest.Systemd+"/usr/bin/system.test"); err != nil {
		t.Fatal(err)
	}
	writeUnit(t, "probe", "Type=oneshot\nRestart=no\nWatchdogSec=0\nEnvironment="+probing+"=1\nExecStart=\nExecStart=/usr/bin/system.test\n"+
		"StandardOutput=append:/probe.log\nStandardError=append:/probe.log\n")
	permit(t)
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
	if !strings.Contains(said, "whether the clock is synchronised: <nil>\n") {
		t.Error("the kernel cannot be asked for the state of its clock")
	}
	t.Logf("the probe said:\n%s", said)
}
