package agent

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/spool/control"
	"pithings/spool/pub"
	"pithings/spool/queue"
	"pithings/spool/state"
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

// A socket that fails while the agent runs is made anew.
func TestSocketComesBack(t *testing.T) {
	dir := t.TempDir()
	a := newAgent(t, dir)
	broken := serviceOf[*controlService](a).server
	runAgent(t, a)
	client := control.NewClient((&state.Folder{Dir: dir}).Socket())
	defer client.Close()
	if _, err := pub.Connections(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	broken.Close()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) { // no event reports it
		if _, err := pub.Connections(t.Context(), client); err == nil {
			return
		} else if time.Since(began) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

func TestNoSuchConnection(t *testing.T) {
	a := newAgent(t, t.TempDir())
	defer a.Close()
	if _, err := a.links.desk("hall"); err == nil || !strings.Contains(err.Error(), "leave --connection out") {
		t.Errorf("%v", err)
	}
}

// A client of the socket that takes no answers does not keep the agent from ending.
func TestAClientThatReadsNoAnswersDelaysNoEnd(t *testing.T) {
	l := newLab(t, mock.Options{}, "mqtt: {client_id: pi, queue: {sync: never}}\nthings: [{name: b, type: environment, interval: 1h}]\n")
	client := control.NewClient(l.agent.folder.Socket())
	defer client.Close()
	s, err := client.Stream(t.Context(), "/api/v1/messages?connection=")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	line := []byte(queue.FromMessage(&mqttlink.Message{Topic: "x", QoS: 1}).String() + "\n")
	for taken := true; taken; { // until the agent waits for us
		if err := s.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := s.Write(bytes.Repeat(line, 100))
		taken = err == nil
	}
	began := time.Now()
	l.stop()
	if took := time.Since(began); took > patience/2 {
		t.Errorf("the end took %v", took)
	}
}
