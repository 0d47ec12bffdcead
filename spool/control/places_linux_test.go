package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pithings/api"
)

// agentAt serves an agent with that state folder, shared in the folder of the
// environment, until the test ends or stop is called.
func agentAt(t *testing.T, stateDir string) (stop func()) {
	t.Helper()
	s, err := Listen(filepath.Join(stateDir, "socket"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Share(stateDir); err != nil {
		t.Fatal(err)
	}
	s.Serve(Agent{Version: "test", State: stateDir}.Routes()...)
	says := func(text string) http.Handler { return api.JSON(func(*http.Request) (any, error) { return text, nil }) }
	s.Serve(api.Route{Method: "POST", Path: "/look", For: api.Group, Handler: says("seen")},
		api.Route{Method: "POST", Path: "/change", For: api.Owner, Doc: "change it", Handler: says("changed")})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// Whoever looks for agents finds the service first, then those of the user; what is dead
// is none.
func TestFind(t *testing.T) {
	run, service, ofService := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", run)
	places := Places{Service: service, User: filepath.Join(run, "pithings")}
	find := func() (states []string) {
		agents, denied := places.Find(t.Context())
		if denied {
			t.Error("denied")
		}
		for _, a := range agents {
			states = append(states, filepath.Base(a.State))
			if a.PID != os.Getpid() || a.Service != (a.State == ofService) {
				t.Errorf("%+v", a)
			}
		}
		return states
	}
	if got := find(); len(got) > 0 {
		t.Errorf("%q before anything runs", got)
	}
	dirs := []string{t.TempDir(), t.TempDir()}
	stop := agentAt(t, dirs[0])
	agentAt(t, dirs[1])
	dead, err := net.Listen("unix", filepath.Join(run, "pithings", "dead.socket"))
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	t.Setenv("RUNTIME_DIRECTORY", service)
	agentAt(t, ofService)
	got := find()
	if len(got) != 3 || got[0] != filepath.Base(ofService) {
		t.Errorf("found %q, want the service and two more", got)
	}
	stop()
	if got := find(); len(got) != 2 {
		t.Errorf("found %q after one has ended", got)
	}
	if left, _ := filepath.Glob(filepath.Join(run, "pithings", "*.socket")); len(left) != 2 { // the dead one, and that of the second
		t.Errorf("sockets that are left: %q", left)
	}
	for path, want := range map[string]os.FileMode{filepath.Join(service, serviceSocket): 0o660, socketOf(places.User, dirs[1]): 0o600, filepath.Join(dirs[1], "socket"): 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %o", path, st.Mode(), err, want)
		}
	}
}

// Members of the group may look, and only the agent's user and root may change it: the
// kernel says who asks.
func TestGroupMayLook(t *testing.T) {
	if path := os.Getenv("PITHINGS_TEST_SOCKET"); path != "" { // as the other user
		c := NewClient(path)
		defer c.Close()
		for _, what := range []string{"/look", "/change"} {
			var answer string
			err := c.Do(t.Context(), http.MethodPost, what, nil, &answer)
			t.Logf("%s: %q %v", what, answer, err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can ask as another user; make test runs this as root")
	}
	const uid, gid, stranger = 61000, 61001, 61002
	service := filepath.Join("/tmp", filepath.Base(t.TempDir())+"-pithings-places") // which other users can reach
	if err := os.Mkdir(service, 0o750); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(service)
	t.Setenv("RUNTIME_DIRECTORY", service)
	agentAt(t, t.TempDir())
	socket := filepath.Join(service, serviceSocket)
	if err := errors.Join(os.Chown(service, 0, gid), os.Chown(socket, 0, gid)); err != nil {
		t.Fatal(err)
	}
	as := func(groups ...uint32) string {
		exe := filepath.Join("/tmp", filepath.Base(service)+".test")
		defer os.Remove(exe)
		if b, err := os.ReadFile("/proc/self/exe"); err != nil || os.WriteFile(exe, b, 0o755) != nil {
			t.Fatal(err)
		}
		c := exec.Command(exe, "-test.run=^TestGroupMayLook$", "-test.v")
		c.Env, c.Dir = []string{"PITHINGS_TEST_SOCKET=" + socket}, "/tmp"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: stranger, Groups: groups}}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := as(gid); !strings.Contains(out, `/look: "seen"`) || !strings.Contains(out, "/change: \"\" only root and the user of the agent may change it") {
		t.Errorf("a member: %s", out)
	}
	if out := as(); !strings.Contains(out, `/look: "" no running pithings`) || !strings.Contains(out, "permission denied") {
		t.Errorf("a stranger: %s", out)
	}
	if answer := ""; NewClient(socket).Do(t.Context(), http.MethodPost, "/change", nil, &answer) != nil || answer != "changed" {
		t.Errorf("root: %q", answer)
	}
}
