//go:build system && linux

package system

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pithings/test/binary"
)

// reloadable is a configuration file of an agent with its own broker, and its state folder.
func reloadable(t *testing.T, things string) (file, state string, write func(things string)) {
	t.Helper()
	dir := t.TempDir()
	file, state = filepath.Join(dir, "pithings.yaml"), filepath.Join(dir, "state")
	head := fmt.Sprintf("broker: {listen: \"127.0.0.1:%d\"}\nhttp: {listen: \"127.0.0.1:0\"}\nstate: %s\n", freePort(t), state)
	write = func(things string) {
		if err := os.WriteFile(file, []byte(head+things), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(things)
	return file, state, write
}

const oneThing = "things: [{name: one, type: motion, pin: mock}]\n"

// logs waits for a line of a process's log.
func logs(t *testing.T, p *process, want string) {
	t.Helper()
	for end := time.Now().Add(binary.Patience); !strings.Contains(p.logged(), want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not log %q:\n%s", want, p.logged())
		}
	}
}

// SIGHUP ended the agent. It reloads, as `pithings reload` does, and the service manager
// hears of it.
func TestReload(t *testing.T) {
	file, state, write := reloadable(t, oneThing)
	name := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	notified := func(want string) {
		t.Helper()
		b := make([]byte, 4096)
		for {
			manager.SetReadDeadline(time.Now().Add(binary.Patience))
			n, err := manager.Read(b)
			if err != nil {
				t.Fatalf("the service manager is not notified of %q: %v", want, err)
			}
			if strings.HasPrefix(string(b[:n]), want) {
				return
			}
		}
	}
	p := startAs(t, func(c *exec.Cmd) { c.Env = append(environment(t), "NOTIFY_SOCKET="+name) }, binary.Path, "run", "--config", file)
	notified("READY=1")

	write("things: [{name: one, type: motion, pin: mock}, {name: two, type: environment, bus: mock}]\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	notified("RELOADING=1\nMONOTONIC_USEC=")
	notified("READY=1")
	logs(t, p, `part works" thing=two`)

	write("things: [{name: one, type: motion, pni: mock}]\n")
	out, said, code := finish(t, "reload", "--state", state)
	if code != 1 || !strings.Contains(said, `did you mean "pin"?`) {
		t.Errorf("a wrong configuration: exit code %d: %s%s", code, out, said)
	}
	logs(t, p, "configuration is wrong: the one before stays")

	write("pictures: {max_count: 3}\n" + oneThing)
	out, said, code = finish(t, "reload", "--config", file)
	if code != 0 || !strings.Contains(out, "reloaded: things two") || !strings.Contains(out, "after the next start: pictures.max_count") {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	select {
	case <-p.ended:
		t.Errorf("the agent has ended:\n%s", p.logged())
	default:
	}
	if _, said, code := finish(t, "reload", "--state", t.TempDir()); code != 1 || !strings.Contains(said, "no agent runs there") {
		t.Errorf("without an agent: exit code %d: %s", code, said)
	}
}

// The end of a terminal still ends what was started in it.
func TestHangupOfTheTerminalEndsTheAgent(t *testing.T) {
	file, _, _ := reloadable(t, oneThing)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		binary.Lacks(t, "this container has no terminals: "+err.Error())
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		binary.Lacks(t, "this container has no terminals: "+err.Error())
	}
	p := startAs(t, func(c *exec.Cmd) {
		c.Env, c.Stdin = environment(t), terminal
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}, binary.Path, "run", "--config", file)
	terminal.Close()
	logs(t, p, "part works")
	// With the terminal still there it is a reload.
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	logs(t, p, "configuration reloaded")
	master.Close()
	select {
	case <-p.ended:
	case <-time.After(binary.Patience):
		t.Errorf("it outlives its terminal:\n%s", p.logged())
	}
}

// health names what does not work, and a dead agent.
func TestHealth(t *testing.T) {
	file, state, _ := reloadable(t, "things: [{name: one, type: motion, pin: mock}, {name: cam, type: camera, device: /dev/video77}]\n")
	p := start(t, binary.Path, "run", "--config", file)
	logs(t, p, "part does not work")
	logs(t, p, "part works")
	logs(t, p, "connected")
	health := func(args ...string) (string, int) {
		c := exec.Command(binary.Path, append([]string{"health", "--state", state}, args...)...)
		c.Env = environment(t)
		out, _ := c.CombinedOutput()
		return string(out), c.ProcessState.ExitCode()
	}
	if out, code := health(); code != 0 || !strings.HasPrefix(out, "thing cam: down: ") || strings.Count(out, "\n") != 1 {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := health("--strict"); code != 1 || !strings.HasPrefix(out, "thing cam: down: ") {
		t.Errorf("--strict: exit code %d: %s", code, out)
	}
	if out, code := health("--json"); code != 0 || !strings.Contains(out, `"queues"`) {
		t.Errorf("--json: exit code %d: %s", code, out)
	}
	p.interrupt()
	if out, code := health(); code != 1 || !strings.Contains(out, "no agent runs there") {
		t.Errorf("without an agent: exit code %d: %s", code, out)
	}
}
