package state

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Quarantine lasts until it is ended; a damaged file does not end it.
func TestQuarantine(t *testing.T) {
	f := &Folder{Dir: t.TempDir()}
	if _, on := f.Quarantine(); on {
		t.Error("it has begun by itself")
	}
	began := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	if err := f.SetQuarantine(began); err != nil {
		t.Fatal(err)
	}
	if since, on := f.Quarantine(); !on || !since.Equal(began) {
		t.Errorf("%v, %v", since, on)
	}
	for _, damage := range []string{"", "x", string(make([]byte, 5000))} {
		if err := os.WriteFile(filepath.Join(f.Dir, quarantineName), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, on := f.Quarantine(); !on {
			t.Errorf("a file of %d bytes has ended it", len(damage))
		}
	}
	for range 2 {
		if err := f.SetQuarantine(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, on := f.Quarantine(); on {
			t.Error("it has not ended")
		}
	}
}
