//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A token or a key that every user of the machine can read is no secret.
func TestFleetRefusesOpenSecrets(t *testing.T) {
	apart(t)
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // else no other user comes to the file
		t.Fatal(err)
	}
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("a token of sixteen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--token-file", "--http-key"} {
		code, _, errs := command("fleet", "-e", "mqtt://127.0.0.1:1", "--http", "127.0.0.1:0", flag, file)
		if code != exitFailure || !strings.Contains(errs, flag) || !strings.Contains(errs, "chmod 600 "+file) {
			t.Errorf("%s: %d %s", flag, code, errs)
		}
	}
}
