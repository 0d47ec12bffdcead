package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/mqttlink/outbox"
)

// A folder is of real or of simulated things for good: a reading in a queue does not say
// which it is, and would be delivered as a real one.
func TestSimulationsAndRealThingsShareNoFolder(t *testing.T) {
	for name, tc := range map[string]struct {
		before    func(t *testing.T, s *Folder) // what happened there
		simulated error                         // the error of a simulation
		real      error                         // the error of real things
	}{
		"fresh":   {func(*testing.T, *Folder) {}, nil, nil},
		"flows":   {func(t *testing.T, s *Folder) { mkdir(t, filepath.Join(s.Dir, "flows")) }, nil, nil},
		"queue":   {func(t *testing.T, s *Folder) { fill(t, s) }, ErrReal, nil},
		"mock":    {func(t *testing.T, s *Folder) { claim(t, s, true) }, nil, ErrSimulated},
		"mock, q": {func(t *testing.T, s *Folder) { claim(t, s, true); fill(t, s) }, nil, ErrSimulated},
		"real, q": {func(t *testing.T, s *Folder) { claim(t, s, false); fill(t, s) }, ErrReal, nil},
	} {
		for simulated, want := range map[bool]error{true: tc.simulated, false: tc.real} {
			s := &Folder{Dir: t.TempDir()}
			tc.before(t, s)
			err := s.Claim(simulated)
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%s: simulated %v: %v, want %v", name, simulated, err, want)
			}
			if err != nil && !strings.Contains(err.Error(), "--state DIR") {
				t.Errorf("%s: %v does not say what to do", name, err)
			}
		}
	}
}

func claim(t *testing.T, s *Folder, simulated bool) {
	t.Helper()
	if err := s.Claim(simulated); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func fill(t *testing.T, s *Folder) {
	t.Helper()
	box, err := outbox.Open(s.QueueDir("pi"), outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := box.Append(outbox.Record{Topic: "bme680/temperature", Payload: []byte("21"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
}
