package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/spool/control"
)

// serveAgent lets something on a socket say that it is an agent, until the test ends.
func serveAgent(t *testing.T, path string, a control.Agent) {
	t.Helper()
	s, err := control.Listen(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(a.Routes()...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestRunningOwners has an agent whose configuration can be read, one whose cannot, and a
// simulation.
func TestRunningOwners(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pi.yaml")
	if err := os.WriteFile(file, []byte("broker: {listen: \"127.0.0.1:1883\"}\nthings: [{name: hall, type: motion, pin: GPIO17}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sockets := t.TempDir()
	for name, a := range map[string]control.Agent{
		"a": {State: "/a", Config: file},
		"b": {State: "/b", Config: filepath.Join(dir, "secret.yaml")},
		"c": {State: "/c", Config: file, Simulated: true},
	} {
		serveAgent(t, filepath.Join(sockets, name+".socket"), a)
	}
	var notes strings.Builder
	owners := runningOwners(t.Context(), control.Places{User: sockets}, &notes)
	if len(owners) != 1 || owners[0].Config != file || len(owners[0].Things) != 1 || owners[0].Things[0].Name != "hall" {
		t.Errorf("%+v", owners)
	}
	var none strings.Builder
	if owners := runningOwners(t.Context(), control.Places{User: t.TempDir(), Others: []string{sockets}}, &none); len(owners) != 0 || none.Len() != 0 {
		t.Errorf("of another user: %+v, %s", owners, none.String())
	}
	if n := strings.Count(notes.String(), "\n"); n != 1 || !strings.Contains(notes.String(), "secret.yaml") {
		t.Errorf("notes:\n%s", notes.String())
	}
}
