package history

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/version1.csv anew; the history itself is never")

// A history that the first version of the format wrote is read as it was, with all of its tiers, and
// continued.
func TestOldFiles(t *testing.T) {
	old, err := os.ReadFile(filepath.Join("testdata", "version1.history.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(old))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	k := Key{"hall", "temperature", "°C"}
	if err := os.WriteFile(filepath.Join(dir, fileName(k)), data, 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		t.Helper()
		f, err := OpenFile(dir, fileName(k))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		now := time.Unix(oldEnd, 0)
		var all strings.Builder
		for _, back := range []time.Duration{10 * time.Minute, 3 * 24 * time.Hour, 20 * 24 * time.Hour} {
			if err := f.WriteCSV(&all, Query{From: now.Add(-back), To: now, Points: 30, Now: now}); err != nil {
				t.Fatal(err)
			}
		}
		return all.String()
	}
	got := ask()
	golden := filepath.Join("testdata", "version1.csv")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it reads\n%s\nwant\n%s", got, want)
	}
	s := &series{header: header{k, 2}, name: fileName(k), fs: folder(dir)}
	const later = oldEnd + 3600 // in a slot of its own in each tier
	if err := s.open(later); err != nil {
		t.Fatal(err)
	}
	for at := int64(later); at < later+600; at++ {
		s.add(at, 20)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if again := ask(); again != got {
		t.Errorf("after it was continued it reads\n%s\nwant\n%s", again, got)
	}
}

// oldEnd is the second behind the last reading of testdata/version1.history.gz: of package history
// before states had histories (commit 45c728a), series.feed with wave, every 300 s for 20 days.
const oldEnd = 1_700_000_000 + 20*86400
