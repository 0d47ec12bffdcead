package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every program of testdata/language prints, line by line, what CPython prints.
func TestLanguageAsInPython(t *testing.T) {
	files, _ := filepath.Glob("testdata/language/*.py")
	var programs []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, string(source))
	}
	if len(programs) < 3 {
		t.Fatalf("only %d programs", len(programs))
	}
	for i, want := range runPython311(t, programs) {
		got := strings.Split(runHere(programs[i]), "\n")
		for n, line := range strings.Split(want, "\n") {
			if n >= len(got) {
				t.Errorf("%s: it ends after %d lines, before\n%s", files[i], n, line)
				break
			}
			if got[n] != line {
				t.Errorf("%s, output line %d:\n got %s\nwant %s", files[i], n+1, got[n], line)
			}
		}
	}
}
