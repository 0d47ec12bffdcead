package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMistakesAreFoundBeforeBuilding, each with what to do.
func TestMistakesAreFoundBeforeBuilding(t *testing.T) {
	t.Setenv("RELEASE_KEY", "")
	t.Setenv("SOURCE_DATE_EPOCH", "")
	empty := t.TempDir()
	archive := t.TempDir() // a source without git
	if err := os.MkdirAll(filepath.Join(archive, "cmd/pithings"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(archive, "cmd/pithings/build.flags"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for says, args := range map[string][]string{
		"no version is given":                       {"--source", root},
		`"1.2.3" is not expected`:                   {"--source", root, "1.2.3"},
		"is not the folder of the project's source": {"--source", empty, "--version", "1.2.3"},
		"set SOURCE_DATE_EPOCH":                     {"--source", archive, "--version", "1.2.3"},
		"has no file pithings_*.deb":                {"--source", root, "--version", "1.2.3", "--earlier", empty},
		"not one of armhf, arm64 and amd64":         {"--source", root, "--version", "1.2.3", "--package", "mips"},
		"flag provided but not defined":             {"--foo"},
	} {
		if err := run(args, io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want %q in it", args, err, says)
		}
	}
	t.Setenv("RELEASE_KEY", "no/such/key.asc")
	if err := run([]string{"--source", root, "--version", "1.2.3"}, io.Discard); err == nil || !strings.Contains(err.Error(), "RELEASE_KEY: ") {
		t.Errorf("without the key's file: %v", err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if err := run([]string{"--source", archive, "--version", "1.2.3"}, io.Discard); err == nil || !strings.Contains(err.Error(), `SOURCE_DATE_EPOCH="yesterday"`) {
		t.Errorf("a date that is none: %v", err)
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if err := run([]string{"--help"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, word := range []string{"Usage: release", "RELEASE_KEY_PASSPHRASE", "-earlier folder", "-package processor", "-version version"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("no %q in\n%s", word, out.String())
		}
	}
}
