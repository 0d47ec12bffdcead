package system

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// The unit and its drop-ins in the container's root.
const (
	unitFile = guest.Systemd + "/usr/lib/systemd/system/pithings.service"
	unitLog  = guest.Systemd + "/pithings.log"
	// controlGroup is what the container sees as the topmost one.
	controlGroup = "/sys/fs/cgroup/container"
)

// toLog is the change that the tests make to the unit: where its log goes.
const toLog = "StandardOutput=append:/pithings.log\nStandardError=append:/pithings.log\n"

// startUnit has systemd start pithings, with the unit and the drop-in for
// screens that users get, and a drop-in with changes.
func (a *app) startUnit(text, changes string) {
	t := a.t
	t.Helper()
	writeUnit(t, "pithings", toLog+changes)
	config := guest.Systemd + "/etc/pithings/pithings.yaml"
	if err := errors.Join(os.WriteFile(config, []byte(text), 0o644), os.WriteFile(unitLog, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	a.container("pithings.service")
	go a.tail(unitLog)
}

// writeUnit adds a drop-in to a unit, which is the last one.
func writeUnit(t *testing.T, name, service string) {
	t.Helper()
	dir := guest.Systemd + "/etc/systemd/system/" + name + ".service.d"
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/zz-test.conf", []byte("[Service]\n"+service), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// makeUsers makes the service's user and groups as a package does.
func makeUsers(t *testing.T) {
	t.Helper()
	cmd := exec.Command("/bin/systemd-sysusers")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: guest.Systemd}
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("systemd-sysusers: %v\n%s", err, out)
	}
}

// accounts are the numbers of the users or groups in a file such as /etc/passwd.
func accounts(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(guest.Systemd + file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(line, ":")
		all[fields[0]] = fields[2]
	}
	return all
}

// container makes the users and starts systemd with a unit. What it says goes to a's log.
func (a *app) container(unit string) {
	t := a.t
	t.Helper()
	makeUsers(t)
	if err := unix.Mkfifo(guest.SystemdConsole, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	// For writing, too: so it does not end between two lines.
	console, err := os.OpenFile(guest.SystemdConsole, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(controlGroup, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	inside, err := os.Open(controlGroup)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	a.cmd = exec.Command("/bin/container", "--system", "--unit="+unit, "--log-target=console", "--show-status=no")
	a.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWCGROUP,
		UseCgroupFD: true, CgroupFD: int(inside.Fd()),
	}
	a.cmd.Stdout, a.cmd.Stderr = os.Stdout, os.Stderr // of the container program itself
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go a.read(console)
	go func() {
		a.cmd.Wait()
		console.Close()
		close(a.done)
	}()
}

// tail follows a log until the container ends.
func (a *app) tail(file string) {
	f, err := os.Open(file)
	if err != nil {
		a.t.Error(err)
		return
	}
	defer f.Close()
	for r, line := bufio.NewReader(f), ""; ; {
		piece, err := r.ReadString('\n')
		line += piece
		if err == nil {
			a.note(func() { a.log = append(a.log, strings.TrimSuffix(line, "\n")) })
			line = ""
			continue
		}
		if !errors.Is(err, io.EOF) {
			a.t.Error(err)
			return
		}
		select {
		case <-a.done:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// root is the container's root as seen from outside.
func (a *app) root() string { return fmt.Sprintf("/proc/%d/root", a.cmd.Process.Pid) }

// systemctl runs it in the container.
func (a *app) systemctl(args ...string) string {
	a.t.Helper()
	return a.inside(append([]string{"systemctl"}, args...)...)
}

// asChild starts programs that systemd can see, as it talks to no others. A thread's children
// are born in the namespace it has joined; the thread ends with its goroutine, as it stays
// locked.
func (a *app) asChild(start func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = joinPIDs(a.cmd.Process.Pid); err == nil {
			err = start()
		}
	}()
	<-done
	return err
}

// joinPIDs makes the children of this thread be born in another process's PID
// namespace.
func joinPIDs(pid int) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWPID)
}

// property is one of the unit's.
func (a *app) property(name string) string {
	a.t.Helper()
	return strings.TrimSpace(a.systemctl("show", "--value", "--property="+name, "pithings.service"))
}

// All parts work for the user and under the restrictions that the service's
// unit gives, applied by the systemd that they are for. The terminal is handed
// over by the drop-in.
func TestTheServiceUnit(t *testing.T) {
	setLine(t, false)
	rests(t)
	kernelChips(t)
	writeConsole(t)
	before := screenshot(t)
	a := start(t, how{unit: true}, "things:\n"+motion+camera+loopback+display+weather+
		relay+pump+button+climate+light+attic+computer+flow)
	a.waitLog("part works\" thing=TG_MS")
	picture := a.motionShowsPicture()
	if mode := consoleMode(t); mode != 1 {
		t.Errorf("console mode %d, want 1 (graphics)", mode)
	}
	if err := os.WriteFile("/dev/tty1", []byte("\x1b[Hmore text of the console\r\n"), 0); err != nil {
		t.Fatal(err)
	}
	if d := difference(picture, screenshot(t)); d >= 8 {
		t.Errorf("the console printed over the picture: difference %.1f", d)
	}
	payload, _ := a.wait(a.count(), "bme680/state", success)
	agrees(t, payload)
	a.capture("TG_Loop")
	a.switches("relay", "on", "on", "SIM27", false)
	a.switches("pump", `{"state":"on","for":"1h"}`, "on", "SIM24", true) // which is kept in the state folder
	from := a.count()
	pull(t, "SIM4", true)
	a.wait(from, "button/event", nil)
	pull(t, "SIM4", false)
	for thing := range values {
		a.readings(from, thing)
	}
	a.host(from, "/")
	a.allUp(12)

	for name, want := range map[string]string{"ActiveState": "active", "SubState": "running", "NRestarts": "0", "Result": "success"} {
		if got := a.property(name); got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	status := a.processStatus()
	for name, want := range map[string]string{
		"CapEff": "0000000000000000", "CapBnd": "0000000000000000", "CapAmb": "0000000000000000",
		"NoNewPrivs": "1", "Seccomp": "2",
	} {
		if status[name] != want {
			t.Errorf("the process has %s %s, want %s", name, status[name], want)
		}
	}
	users, groups := accounts(t, "/etc/passwd"), accounts(t, "/etc/group")
	if uid := strings.Fields(status["Uid"])[0]; uid == "" || uid != users["pithings"] {
		t.Errorf("the process has the user %s, want pithings, which is %s", uid, users["pithings"])
	}
	if gid := strings.Fields(status["Gid"])[0]; gid != groups["pithings"] {
		t.Errorf("the process has the group %s, want pithings, which is %s", gid, groups["pithings"])
	}
	for group, number := range map[string]string{"gpio": "997", "i2c": "998", "video": "44", "spi": "996"} {
		if groups[group] != number {
			t.Errorf("the group %s has the number %s, want %s as before systemd-sysusers", group, groups[group], number)
		}
	}
	for _, group := range []string{"dialout", "render"} {
		if groups[group] == "" {
			t.Errorf("there is no group %s", group)
		}
	}
	state := filepath.Join(a.root(), "var/lib/pithings")
	if found, _ := filepath.Glob(state + "/*"); len(found) == 0 {
		t.Errorf("nothing in the state folder %s", state)
	}
	// Commands find it there, those of the group's members, too.
	for name, want := range map[string]os.FileMode{"run/pithings": 0o750, "run/pithings/socket": 0o660} {
		st, err := os.Stat(filepath.Join(a.root(), name))
		if err != nil {
			t.Error(err)
		} else if gid := st.Sys().(*syscall.Stat_t).Gid; st.Mode().Perm() != want || fmt.Sprint(gid) != strings.Fields(status["Gid"])[0] {
			t.Errorf("%s has mode %o and group %d, want %o and that of the process, %s", name, st.Mode().Perm(), gid, want, status["Gid"])
		}
	}
	if said := a.logged("StandardInput=tty"); len(said) > 0 {
		t.Errorf("the terminal is not its own: %q", said)
	}

	a.systemctl("stop", "pithings.service")
	if got := a.property("Result"); got != "success" {
		t.Errorf("it ended with %s, want success", got)
	}
	if mode := consoleMode(t); mode != 0 {
		t.Errorf("console mode %d after the end, want 0 (text)", mode)
	}
	eventually(t, "the console is back", func() bool { return difference(before, screenshot(t)) < 8 })
}

// processStatus is /proc/PID/status of the service's process.
func (a *app) processStatus() map[string]string {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.root(), "proc", a.property("MainPID"), "status"))
	if err != nil {
		a.t.Fatal(err)
	}
	status := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		status[name] = strings.TrimSpace(value)
	}
	return status
}
