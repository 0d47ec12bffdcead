package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// keySource is a folder that passes for the source, with the project's .gitignore, in git.
func keySource(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pithings")
	put(t, filepath.Join(dir, ".gitignore"), string(read(t, root+"/.gitignore")))
	put(t, filepath.Join(dir, "cmd/pithings/build.flags"), "")
	// It builds nothing, and leaves the environment that it got.
	put(t, filepath.Join(dir, "Makefile"), "build-all:\n\t@mkdir -p dist && env >dist/environment && exit 1\n")
	command(t, "git", "init", "--quiet", dir)
	command(t, "git", "-C", dir, "add", ".")
	command(t, "git", "-C", dir, "-c", "user.name=test", "-c", "user.email=test@pithings.example", "commit", "--quiet", "--message=first")
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTheDocumentedKeySigns: a key where docs/releasing.md puts it is read there, and leaves
// the source as it was committed. So does one in the source, which no commit takes.
func TestTheDocumentedKeySigns(t *testing.T) {
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:RELEASE_KEY=|> )(\S+\.asc)\b`).FindAllStringSubmatch(string(read(t, root+"/docs/releasing.md")), -1) {
		if !strings.HasPrefix(m[1], "dist/") {
			documented[m[1]] = true
		}
	}
	if len(documented) != 1 {
		t.Fatalf("docs/releasing.md has the key in %v, want one place", documented)
	}
	for key := range documented {
		dir := keySource(t)
		inside := filepath.Base(key)
		put(t, filepath.Join(dir, key), newKey(t, ""))
		put(t, filepath.Join(dir, inside), newKey(t, ""))
		for _, name := range []string{key, inside} {
			if err := signable(dir, name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		command(t, "git", "-C", dir, "add", ".")
		if staged := command(t, "git", "-C", dir, "status", "--porcelain"); staged != "" {
			t.Errorf("git add takes\n%s", staged)
		}
		put(t, filepath.Join(dir, "more.go"), "package more\n")
		if err := signable(dir, key); err == nil || !strings.Contains(err.Error(), "differs from its commit") {
			t.Errorf("with a file that is not committed: %v", err)
		}
	}
}

// signable does all that comes before a release is built.
func signable(dir, key string) error {
	s, err := openSource(dir)
	if err != nil {
		return err
	}
	sign, err := readSigner(s, key, "")
	if err != nil {
		return err
	}
	return work{source: s, signer: sign, out: io.Discard}.ready()
}

// TestTheBuildDoesNotGetTheKey: neither in variables of the environment nor in those that make
// was called with.
func TestTheBuildDoesNotGetTheKey(t *testing.T) {
	const passphrase = "xyzzy-passphrase"
	dir := keySource(t)
	put(t, filepath.Join(dir, "../release-key.asc"), newKey(t, passphrase))
	t.Setenv("RELEASE_KEY", "../release-key.asc")
	t.Setenv("RELEASE_KEY_PASSPHRASE", passphrase)
	t.Setenv("MAKEFLAGS", " -- RELEASE_KEY_PASSPHRASE="+passphrase)
	t.Setenv("SOURCE_DATE_EPOCH", "")
	t.Setenv("OTHER_VARIABLE", "stays")
	err := run([]string{"--source", dir, "--version", "1.2.3"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "make build-all") {
		t.Fatalf("%v; want the error of the build", err)
	}
	env := string(read(t, filepath.Join(dir, "dist/environment")))
	if !strings.Contains(env, "OTHER_VARIABLE=stays\n") {
		t.Errorf("the build lacks the rest of the environment:\n%s", env)
	}
	for _, secret := range []string{"RELEASE_KEY", "release-key", passphrase} {
		if strings.Contains(env, secret) {
			t.Errorf("the build gets %q", secret)
		}
	}
}
