package manual

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"pithings/test/binary"
)

// Check compares a folder's files that match a pattern with what they should be, and
// writes them if update. A file too many is an error, too.
func Check(t *testing.T, dir, pattern string, want map[string]string, update bool) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range old {
		if _, ok := want[filepath.Base(path)]; ok {
			continue
		}
		if !update {
			t.Errorf("%s is made from nothing: delete it, or run the test with -update", path)
		} else if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
	for name, text := range want {
		path := filepath.Join(dir, name)
		if update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Error(err)
			}
			continue
		}
		switch b, err := os.ReadFile(path); {
		case errors.Is(err, fs.ErrNotExist):
			t.Errorf("%s is missing: run the test with -update", path)
		case err != nil:
			t.Error(err)
		case string(b) != text:
			t.Errorf("%s is out of date: run the test with -update", path)
		}
	}
}

// Lint has mandoc look at pages of a folder: not a warning is left.
func Lint(t *testing.T, dir string, names ...string) {
	t.Helper()
	t.Run("mandoc", func(t *testing.T) {
		c := exec.Command(binary.Need(t, "mandoc"), append([]string{"-Tlint", "-W", "warning"}, slices.Sorted(slices.Values(names))...)...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 || len(names) == 0 {
			t.Errorf("mandoc: %d pages, %v\n%s", len(names), err, out)
		}
	})
}
