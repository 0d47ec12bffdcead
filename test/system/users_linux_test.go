//go:build system

package system

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
)

var seed = flag.Uint64("seed", 0, "of the orders of commands that are tried; 0: another each time")

// The users of a Pi: numbers that no user has here.
const (
	piUID, guestUID, serviceUID = 61010, 61011, 61012
	ownGID, pithingsGID         = 61013, 61014
)

// orders is how many orders of commands are tried: half a minute.
const orders = 30

// house is a machine with a service and its users, in a mount namespace of its own.
type house struct {
	t        *testing.T
	dir      string
	endpoint string
	config   string
	flow     string
	service  *process
	watcher  *process
	said     int // messages so far
	accepted []string
	history  []string
}

// TestUsers: root, pi (a member of the group pithings), a guest and the service work in
// every order: nothing becomes unreadable for the service, and every message that was
// accepted arrives.
//
// The real places (/run/pithings, /var/lib/pithings) are file systems of the test's own.
func TestUsers(t *testing.T) {
	if os.Getenv("PITHINGS_TEST_USERS") == "" {
		inNamespace(t)
		return
	}
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", first)
	for n := range orders {
		t.Run(fmt.Sprint(n), func(t *testing.T) { oneOrder(t, rand.New(rand.NewPCG(first, uint64(n)))) })
	}
}

// inNamespace runs the test once more in a mount namespace.
func inNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		binary.Lacks(t, "only root can be several users")
	}
	script := `mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && exec "$@"`
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary.Need(t, "sh"), "-c", script, "sh", exe, "-test.run=^TestUsers$", "-test.v", fmt.Sprint("-seed=", *seed))
	c.Env = append(os.Environ(), "PITHINGS_TEST_USERS=1", "PITHINGS_TEST_BINARY="+binary.Path)
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		binary.Lacks(t, "mount namespaces: "+err.Error())
	case bytes.Contains(out, []byte("mount: ")):
		binary.Lacks(t, "mounting in a namespace: "+string(out))
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
}

// command is one thing that a user does.
type command struct {
	name string
	do   func(h *house)
}

var commands = []command{
	{"start the service", func(h *house) { h.start() }},
	{"stop the service", func(h *house) { h.stop(syscall.SIGTERM) }},
	{"kill the service", func(h *house) { h.stop(syscall.SIGKILL) }},
	{"root: pub", func(h *house) { h.pub(0) }},
	{"root: pub -e", func(h *house) { h.pub(0, "-e", h.endpoint) }},
	{"pi: pub", func(h *house) { h.pub(piUID) }},
	{"guest: pub", func(h *house) { h.pub(guestUID) }},
	{"root: flow deploy", func(h *house) { h.run(0, "", "flow", "deploy", h.flow) }},
	{"root: flow list", func(h *house) { h.run(0, "", "flow", "list") }},
	{"pi: queue ls", func(h *house) { h.try(piUID, "", "queue", "ls") }},
	{"root: queue import", func(h *house) {
		m := h.next()
		h.run(0, fmt.Sprintf("{\"topic\": \"users/x\", \"payload\": %q}\n", m), "queue", "import", "-")
		h.accepted = append(h.accepted, m)
	}},
	{"root: pub --drain", func(h *house) { h.run(0, "", "pub", "--drain", "-e", h.endpoint, "--timeout", "50s") }},
}

// oneOrder does ten commands in a random order, and then looks.
func oneOrder(t *testing.T, r *rand.Rand) {
	h := newHouse(t)
	order := r.Perm(len(commands))[:10]
	for _, i := range order {
		h.history = append(h.history, commands[i].name)
		commands[i].do(h)
		h.look()
		if t.Failed() {
			t.Fatalf("after %s", strings.Join(h.history, ", "))
		}
	}
	// It starts, and what the users could not hand over goes out when they say so.
	h.start()
	h.run(piUID, "", "pub", "--drain", "--timeout", "50s")
	h.run(guestUID, "", "pub", "--drain", "-e", h.endpoint, "--timeout", "50s")
	h.look()
	h.arrived()
	h.stop(syscall.SIGTERM)
	if t.Failed() {
		t.Logf("after %s", strings.Join(h.history, ", "))
	}
}

func newHouse(t *testing.T) *house {
	// The users see the program and their homes; t.TempDir is root's.
	dir, err := os.MkdirTemp("", "pithings-users-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &house{t: t, dir: dir, config: filepath.Join(dir, "pithings.yaml"), flow: filepath.Join(dir, "hall.yaml")}
	port := mosquitto(t, "allow_anonymous true", "persistence false")
	h.watcher = subscribe(t, port, "-q", "1")
	h.endpoint = fmt.Sprintf("mqtt://127.0.0.1:%d", port)
	text := fmt.Sprintf("mqtt: {endpoint: %q, queue: {sync: always}}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: bme, type: environment, bus: mock, interval: 1h}]\n", h.endpoint)
	const flow = "name: Hall\ntrigger: {thing: TG_MS, event: StateChanged}\nsteps: [{name: Picture, thing: TG_Camera, action: capture}]\n"
	err = errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(binary.Path), 0o755), os.WriteFile(h.config, []byte(text), 0o644), os.WriteFile(h.flow, []byte(flow), 0o644),
		os.RemoveAll("/var/lib/pithings"), os.RemoveAll("/run/pithings"))
	for _, uid := range []int{0, piUID, guestUID} {
		err = errors.Join(err, os.Mkdir(h.home(uid), 0o700), os.Chown(h.home(uid), uid, gidOf(uid)))
	}
	if err != nil {
		t.Fatal(err)
	}
	// As StateDirectory= makes it.
	if err := errors.Join(os.Mkdir("/var/lib/pithings", 0o700), os.Chown("/var/lib/pithings", serviceUID, pithingsGID)); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) home(uid int) string { return filepath.Join(h.dir, fmt.Sprint("home", uid)) }

func gidOf(uid int) int {
	if uid == 0 {
		return 0
	}
	return ownGID
}

// as makes a command one of a user's.
func (h *house) as(c *exec.Cmd, uid int) {
	groups := map[int][]uint32{piUID: {pithingsGID}}[uid]
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.home(uid), "TMPDIR=" + h.home(uid)}
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gidOf(uid)), Groups: groups}}
}

// try runs a command of a user's, which may fail.
func (h *house) try(uid int, stdin string, args ...string) (string, error) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), binary.Patience)
	defer cancel()
	c := exec.CommandContext(ctx, binary.Path, args...)
	h.as(c, uid)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	return string(out), err
}

// run runs one that has to succeed.
func (h *house) run(uid int, stdin string, args ...string) {
	h.t.Helper()
	if out, err := h.try(uid, stdin, args...); err != nil {
		h.t.Errorf("user %d: pithings %s: %v\n%s", uid, strings.Join(args, " "), err, out)
	}
}

func (h *house) next() string {
	h.said++
	return fmt.Sprintf("message %d", h.said)
}

// pub publishes a message as a user.
func (h *house) pub(uid int, more ...string) {
	h.t.Helper()
	m := h.next()
	h.run(uid, "", append([]string{"pub", "-t", "users/x", "-m", m}, more...)...)
	h.accepted = append(h.accepted, m)
}

// start starts the service as its unit does.
func (h *house) start() {
	h.t.Helper()
	if h.service != nil {
		return
	}
	if err := errors.Join(os.Mkdir("/run/pithings", 0o750), os.Chown("/run/pithings", serviceUID, pithingsGID)); err != nil {
		h.t.Fatal(err)
	}
	h.service = startAs(h.t, func(c *exec.Cmd) {
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "STATE_DIRECTORY=/var/lib/pithings", "RUNTIME_DIRECTORY=/run/pithings"}
		c.Dir = "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: serviceUID, Gid: pithingsGID}}
	}, binary.Path, "run", "--config", h.config)
	h.service.log("msg=connected")
}

// stop ends it, and removes its folder, as systemd does.
func (h *house) stop(how os.Signal) {
	h.t.Helper()
	if h.service == nil {
		return
	}
	h.service.cmd.Process.Signal(how)
	select {
	case <-h.service.ended:
	case <-time.After(binary.Patience):
		h.t.Fatal("the service does not end")
	}
	if code := h.service.cmd.ProcessState.ExitCode(); how == syscall.SIGTERM && code != 0 {
		h.t.Errorf("the service ended with %d:\n%s", code, h.service.logged())
	}
	h.service = nil
	if err := os.RemoveAll("/run/pithings"); err != nil {
		h.t.Fatal(err)
	}
}

// look checks that all in the folder of the service is the service's.
func (h *house) look() {
	h.t.Helper()
	err := filepath.WalkDir("/var/lib/pithings", func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the service has just removed it
		} else if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != serviceUID {
			h.t.Errorf("%s belongs to user %d", path, info.Sys().(*syscall.Stat_t).Uid)
		}
		return nil
	})
	if err != nil {
		h.t.Error(err)
	}
}

// arrived waits for all messages that were accepted.
func (h *house) arrived() {
	h.t.Helper()
	deadline := time.Now().Add(binary.Patience)
	for {
		h.watcher.mu.Lock()
		got := slices.Clone(h.watcher.lines)
		h.watcher.mu.Unlock()
		missing := slices.DeleteFunc(slices.Clone(h.accepted), func(m string) bool { return slices.Contains(got, "users/x "+m) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Errorf("accepted and never arrived: %q", missing)
			return
		}
		time.Sleep(50 * time.Millisecond) // a foreign process's output: nothing to wait on
	}
}
