package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// client is an apt-get with folders of its own, which fetches from one source.
type client struct {
	dir string
}

// newClient makes one for a source at an address, whose key is in a file.
func newClient(t *testing.T, address, suite, key string) client {
	t.Helper()
	c := client{dir: t.TempDir()}
	for _, d := range []string{"etc/preferences.d", "etc/sources.d", "state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(c.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/sources.list", fmt.Sprintf("deb [arch=armhf,arm64,amd64 signed-by=%s] %s %s main\n", key, address, suite))
	write("status", "")
	// Nothing of this machine's own apt: its sources, keys, proxies and packages.
	write("apt.conf", strings.ReplaceAll(`Dir::Etc "DIR/etc"; Dir::Etc::main "none"; Dir::Etc::parts "preferences.d"; Dir::Etc::sourceparts "sources.d";
Dir::Etc::trusted "none"; Dir::Etc::trustedparts "none"; Dir::State "DIR/state"; Dir::State::status "DIR/status"; Dir::Cache "DIR/cache";
APT::Architecture "amd64"; APT::Architectures { "amd64"; "arm64"; "armhf"; }; APT::Sandbox::User "root"; Acquire::Languages "none";
Acquire::http::Proxy "false"; APT::Update::Error-Mode "any";
`, "DIR", c.dir))
	return c
}

func (c client) run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(need(t, program), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(c.dir, "apt.conf"), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// signed makes a source of small packages, and serves it.
func signed(t *testing.T, version string) (w work, address string) {
	t.Helper()
	w = smallWork(t, version)
	w.signer = newSigner(t)
	if err := w.publish(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(w.path("apt"))))
	t.Cleanup(server.Close)
	return w, server.URL
}

// TestAptTakesTheSource: apt-get verifies the signature and the packages, and fetches them.
func TestAptTakesTheSource(t *testing.T) {
	w, address := signed(t, "1.2.3")
	c := newClient(t, address, "stable", w.path(keyringName))
	if out, err := c.run(t, "apt-get", "update"); err != nil {
		t.Fatalf("apt-get update: %v\n%s", err, out)
	}
	for _, p := range processors {
		if out, err := c.run(t, "apt-get", "download", "pithings:"+p.debian); err != nil {
			t.Fatalf("apt-get download: %v\n%s", err, out)
		}
		name := "pithings_1.2.3_" + p.debian + ".deb"
		if got, want := read(t, filepath.Join(c.dir, name)), read(t, w.path(name)); string(got) != string(want) {
			t.Errorf("%s is not the package that was made", name)
		}
	}
	out, err := c.run(t, "apt-cache", "show", "pithings")
	if err != nil || !strings.Contains(out, "Version: 1.2.3\n") || !strings.Contains(out, "Description: parts of a Raspberry Pi") {
		t.Errorf("apt-cache show: %v\n%s", err, out)
	}
	command(t, "gpgv", "--keyring", dearmored(t, w.path(keyringName)), w.path("apt/dists/stable/Release.gpg"), w.path("apt/dists/stable/Release"))
}

// dearmored is the key as gpgv of Debian 12 reads it.
func dearmored(t *testing.T, key string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "key.gpg")
	command(t, "gpg", "--batch", "--yes", "--dearmor", "--output", out, key)
	return out
}

// TestAptRefuses what another key has signed, what is not signed and what was changed.
func TestAptRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		says  string
		spoil func(w work) error
	}{
		"another key": {"NO_PUBKEY", func(w work) error {
			key, err := newSigner(t).public()
			if err != nil {
				return err
			}
			return os.WriteFile(w.path(keyringName), key, 0o644)
		}},
		"a changed Release": {"BADSIG", func(w work) error {
			return replace(w.path("apt/dists/stable/InRelease"), "Label: pithings", "Label: Pithings")
		}},
		// apt takes the compressed one.
		"a changed index": {"Hash Sum mismatch", func(w work) error {
			name := w.path("apt/dists/stable/main/binary-amd64/Packages.gz")
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text[len(text)/2] ^= 1
			return os.WriteFile(name, text, 0o644)
		}},
		"no signature": {"is not signed", func(w work) error {
			w.signer = nil
			return w.publish()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, address := signed(t, "1.2.3")
			key := filepath.Join(t.TempDir(), keyringName)
			good := read(t, w.path(keyringName))
			if err := c.spoil(w); err != nil {
				t.Fatal(err)
			}
			if now, err := os.ReadFile(w.path(keyringName)); err == nil {
				good = now
			}
			if err := os.WriteFile(key, good, 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := newClient(t, address, "stable", key).run(t, "apt-get", "update")
			if err == nil || !strings.Contains(out, c.says) {
				t.Errorf("apt-get update: %v, want an error with %q\n%s", err, c.says, out)
			}
		})
	}
}

// replace changes the first place of a text in a file.
func replace(path, old, with string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), old) {
		return fmt.Errorf("%s has no %q", path, old)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), old, with, 1)), 0o644)
}

// TestEarlierVersionsStay: the source has the packages of earlier versions, so that apt can
// go back to them.
func TestEarlierVersionsStay(t *testing.T) {
	first, _ := signed(t, "1.2.3")
	w := smallWork(t, "1.3.0")
	w.signer = first.signer
	for _, p := range processors {
		w.earlier = append(w.earlier, first.path("pithings_1.2.3_"+p.debian+".deb"))
	}
	// Of what was only tried, users of stable get nothing.
	tried := smallWork(t, "1.2.4-rc.1")
	l, err := tried.licences()
	if err != nil {
		t.Fatal(err)
	}
	file, err := makeDeb(tried.source, tried.release, l, processors[0], tried.dist)
	if err != nil {
		t.Fatal(err)
	}
	w.earlier = append(w.earlier, file)
	var said strings.Builder
	w.out = &said
	if err := w.publish(); err != nil {
		t.Fatal(err)
	}
	leftOut := filepath.Base(file) + " is left out: it is a pre-release, and the suite is stable\n"
	if strings.Count(said.String(), "left out") != 1 || !strings.Contains(said.String(), leftOut) {
		t.Errorf("it says\n%s\nwant once %q", said.String(), leftOut)
	}
	c := newClient(t, "file:"+w.path("apt"), "stable", w.path(keyringName))
	if out, err := c.run(t, "apt-get", "update"); err != nil {
		t.Fatalf("apt-get update: %v\n%s", err, out)
	}
	out, err := c.run(t, "apt-cache", "policy", "pithings")
	if err != nil || !strings.Contains(out, "Candidate: 1.3.0") || !strings.Contains(out, " 1.2.3 ") || strings.Contains(out, "1.2.4") {
		t.Errorf("apt-cache policy: %v\n%s", err, out)
	}
	if found, err := filepath.Glob(w.path("apt/" + pool + "/*~*")); err != nil || len(found) > 0 {
		t.Errorf("the pool of stable has %q, %v", found, err)
	}
	// The suite of pre-releases keeps both.
	next := smallWork(t, "1.4.0-rc.1")
	next.earlier = w.earlier
	if kept, err := next.kept(); err != nil || len(kept) != len(w.earlier) {
		t.Errorf("testing keeps %q, %v", kept, err)
	}
	// A version that is published does not change.
	w.earlier = []string{w.path("pithings_1.3.0_amd64.deb")}
	apt := aptSource{dir: w.path("apt"), suite: "stable", date: w.source.committed}
	if err := apt.write(append(w.earlier, w.earlier...), nil); err == nil || !strings.Contains(err.Error(), "in the source already") {
		t.Errorf("one package twice: %v", err)
	}
}

// TestPreReleasesAreApart: users of the stable suite get no version that is only tried.
func TestPreReleasesAreApart(t *testing.T) {
	w, address := signed(t, "2.0.0-rc.1")
	c := newClient(t, address, "testing", w.path(keyringName))
	if out, err := c.run(t, "apt-get", "update"); err != nil {
		t.Fatalf("apt-get update: %v\n%s", err, out)
	}
	if out, err := newClient(t, address, "stable", w.path(keyringName)).run(t, "apt-get", "update"); err == nil {
		t.Errorf("there is a suite stable:\n%s", out)
	}
}

// TestSourceTakesPackagesOnly: a file that is none is named.
func TestSourceTakesPackagesOnly(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "text": "hello, this is a text and no package\n", "ar": "!<arch>\n"} {
		file := filepath.Join(t.TempDir(), "pithings_1_amd64.deb")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := aptSource{dir: t.TempDir(), suite: "stable"}.write([]string{file}, nil)
		if err == nil || !strings.Contains(err.Error(), file+": not a Debian package") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
