//go:build faults && linux

package faults

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pithings/test/binary"
)

// mosquitto is a real broker that keeps sessions when it is restarted. Watchers
// reach it by a socket in the file system, whatever happens to the network.
type mosquitto struct {
	t      *testing.T // it ends with it
	start  func(*exec.Cmd) error
	config string
	socket string
	p      *process // nil: it is down

	mu       sync.Mutex
	sessions map[string]int // connections accepted, by client id
	log      []string
}

// newMosquitto configures a broker with the further lines given, which is down.
func newMosquitto(t *testing.T, start func(*exec.Cmd) error, config ...string) *mosquitto {
	t.Helper()
	dir := t.TempDir()
	m := &mosquitto{t: t, start: start, config: filepath.Join(dir, "mosquitto.conf"), sessions: map[string]int{}}
	// The path of a socket is short (108 bytes).
	short, err := os.MkdirTemp("", "mosquitto")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(short)
		if t.Failed() {
			t.Logf("mosquitto said:\n%s", tail(strings.Join(m.log, "\n")))
		}
	})
	m.socket = filepath.Join(short, "s")
	// Not per_listener_settings: with that, a client that has not come back after
	// a restart belongs to no listener, and what is published meanwhile is denied to it.
	lines := []string{
		"allow_anonymous true",
		"persistence true", "persistence_location " + dir + "/", "autosave_interval 0",
		"max_queued_messages 0", "max_queued_bytes 0",
		"connection_messages true", "log_dest stdout", "log_type error", "log_type warning", "log_type notice", "log_type information",
		"listener 0 " + m.socket,
	}
	if os.Geteuid() == 0 {
		lines = append(lines, "user root") // it would give its rights up, and then not see our files
	}
	lines = append(lines, config...)
	if err := os.WriteFile(m.config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

var accepted = regexp.MustCompile(`New client connected from \S+ as (\S+) \(`)

// up starts the broker, and returns when it listens.
func (m *mosquitto) up(t *testing.T) {
	t.Helper()
	os.Remove(m.socket) // which it does not remove at its end
	running := make(chan struct{})
	var once sync.Once
	m.p = run(m.t, m.start, func(line string) {
		if strings.HasSuffix(line, " running") {
			once.Do(func() { close(running) })
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.log = append(m.log, line)
		if c := accepted.FindStringSubmatch(line); c != nil {
			m.sessions[c[1]]++
		}
	}, binary.Need(t, "stdbuf"), "-oL", binary.Need(t, "mosquitto"), "-c", m.config)
	select {
	case <-running:
	case <-m.p.ended:
		t.Fatalf("mosquitto does not run: %s", m.p.complained())
	}
}

// down ends the broker; it writes its sessions down before.
func (m *mosquitto) down(t *testing.T) {
	t.Helper()
	m.p.end(t, syscall.SIGTERM)
	m.p = nil
}

// accepted returns how many connections of a client the broker has accepted.
func (m *mosquitto) accepted(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[id]
}

// freePort returns a port without a listener.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
