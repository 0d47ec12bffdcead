package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChecksums: sha256sum and gpgv take them, and notice what has changed.
func TestChecksums(t *testing.T) {
	w := smallWork(t, "1.2.3")
	w.signer = newSigner(t)
	if err := w.publish(); err != nil {
		t.Fatal(err)
	}
	check := func() error {
		_, err := client{dir: w.dist}.run(t, "sha256sum", "--check", "--strict", "SHA256SUMS")
		return err
	}
	if err := check(); err != nil {
		t.Errorf("sha256sum --check: %v", err)
	}
	listed := string(read(t, w.path("SHA256SUMS")))
	for _, name := range []string{"pithings-linux-armv6", "pithings_1.2.3_armhf.deb", "pithings_1.2.3.cdx.json", "LICENSES.txt"} {
		if !strings.Contains(listed, "  "+name+"\n") {
			t.Errorf("%s is not listed in\n%s", name, listed)
		}
	}
	key := dearmored(t, w.path(keyringName))
	verify := func() error {
		_, err := client{dir: w.dist}.run(t, "gpgv", "--keyring", key, "SHA256SUMS.asc", "SHA256SUMS")
		return err
	}
	if err := verify(); err != nil {
		t.Errorf("gpgv: %v", err)
	}
	if err := replace(w.path("pithings-linux-armv6"), "ELF", "elf"); err != nil {
		t.Fatal(err)
	}
	if check() == nil {
		t.Error("sha256sum takes a changed file")
	}
	if err := os.WriteFile(w.path("SHA256SUMS"), []byte(listed+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if verify() == nil {
		t.Error("gpgv takes a changed list")
	}
}

func TestKeys(t *testing.T) {
	plain, locked := newKey(t, ""), newKey(t, "secret")
	file := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(file, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	public, err := newSigner(t).public()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ value, passphrase, says string }{
		"the key":            {plain, "", ""},
		"a file":             {file, "", ""},
		"a relative path":    {"key.asc", "", ""},
		"a passphrase":       {locked, "secret", ""},
		"no passphrase":      {locked, "", "set RELEASE_KEY_PASSPHRASE"},
		"another passphrase": {locked, "Secret", "RELEASE_KEY_PASSPHRASE is wrong"},
		"a public key":       {string(public), "", "is a public key"},
		"no file":            {file + "x", "", "no such file"},
		"a cut key":          {plain[:200], "", "RELEASE_KEY: "},
	} {
		s, err := readSigner(source{root: filepath.Dir(file)}, c.value, c.passphrase)
		switch {
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v; want %q in it", name, err, c.says)
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says == "":
			if _, err := s.inline([]byte("text\n")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := s.detached([]byte("text\n")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

// TestChangedSourceIsNotSigned: what is signed can be made again from its commit.
func TestChangedSourceIsNotSigned(t *testing.T) {
	w := smallWork(t, "1.2.3")
	var said strings.Builder
	w.out, w.source.changed = &said, true
	if err := w.ready(); err != nil || !strings.Contains(said.String(), "warning: the source differs") {
		t.Errorf("%v, %q", err, said.String())
	}
	w.signer = newSigner(t)
	if err := w.ready(); err == nil {
		t.Error("a changed source is signed")
	}
	w.source.changed = false
	if err := w.ready(); err != nil {
		t.Error(err)
	}
}
