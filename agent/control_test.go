package agent

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/agent/control"
	"pithings/agent/pub"
	"pithings/agent/state"
	"pithings/hw/mock"
	"pithings/mqttlink"
)

// newAgent makes an agent of one sensor, without a broker.
func newAgent(t *testing.T, dir string) *Agent {
	t.Helper()
	cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1:1}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment, interval: 1h}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// runAgent runs it until the test ends.
func runAgent(t *testing.T, a *Agent) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A pub that is reading lines does not keep an agent from starting.
func TestStartsBesidePub(t *testing.T) {
	dir := t.TempDir()
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- pub.Run(t.Context(), pub.Options{State: dir, Link: mqttlink.DefaultOptions(), Log: slog.New(slog.DiscardHandler),
			Input: pub.Lines(in, mqttlink.Message{Topic: "t", QoS: 1}), Verdicts: out})
	}()
	line := func(want string) {
		t.Helper()
		io.WriteString(feed, "x\n")
		b := make([]byte, 100)
		if n, err := answers.Read(b); err != nil || string(b[:n]) != want {
			t.Fatalf("%q, %v", b[:n], err)
		}
	}
	line("safe 1\n")
	a := newAgent(t, dir)
	runAgent(t, a)
	line("safe 2\n")
	feed.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s := a.links.shared.Stats(); s.Outbox.Messages < 2 {
		t.Errorf("the agent has %d messages", s.Outbox.Messages)
	}
}

// A socket that could not be made is made when it can be.
func TestSocketComesLater(t *testing.T) {
	dir := t.TempDir()
	socket := (&state.Folder{Dir: dir}).Socket()
	if err := os.MkdirAll(filepath.Join(socket, "x"), 0o700); err != nil { // in its way
		t.Fatal(err)
	}
	runAgent(t, newAgent(t, dir))
	if err := os.RemoveAll(socket); err != nil {
		t.Fatal(err)
	}
	client := control.NewClient(socket)
	defer client.Close()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		all, err := pub.Connections(t.Context(), client)
		if err == nil && len(all) == 1 {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal(all, err)
		}
	}
}

func TestNoSuchConnection(t *testing.T) {
	a := newAgent(t, t.TempDir())
	defer a.Close()
	if _, err := a.desk("hall"); err == nil || !strings.Contains(err.Error(), "leave --connection out") {
		t.Errorf("%v", err)
	}
}
