package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// root is the folder of the project's source.
const root = "../.."

// lacks skips a test that cannot run here; in CI it fails it.
func lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip("NOT RUN: " + what)
}

// need returns the path of a program of the system's.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		lacks(t, program+" is missing; test/need installs it")
	}
	return path
}

// command runs a program, which must succeed, and returns what it prints.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.Command(need(t, name), args...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// theSource is that of the project, without what git says of its state.
func theSource(t *testing.T) source {
	t.Helper()
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	return source{root: abs, committed: time.Unix(1700000000, 0).UTC(), commit: "0123456789"}
}

// theLicences are those of the project.
func theLicences(t *testing.T) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, root+"/cmd/pithings/internal/notices/notices.txt.gz")))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// small is a program for each processor that does nothing: what is packed is the same, and
// built in a second.
var small = sync.OnceValues(func() (folder string, err error) {
	if folder, err = os.MkdirTemp("", "pithings-release-test-"); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return "", err
	}
	for _, p := range processors {
		arch := map[string]string{"armhf": "arm", "arm64": "arm64", "amd64": "amd64"}[p.debian]
		c := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", p.binary, "main.go")
		c.Dir, c.Env = folder, append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GO111MODULE=off")
		if out, err := c.CombinedOutput(); err != nil {
			os.Stderr.Write(out)
			return "", err
		}
	}
	return folder, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder, err := small(); err == nil {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// smallWork is the release of a version with small programs.
func smallWork(t *testing.T, version string) work {
	t.Helper()
	r, err := parseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := small()
	if err != nil {
		t.Fatal(err)
	}
	w := work{source: theSource(t), release: r, dist: t.TempDir(), out: io.Discard}
	for _, p := range processors {
		if err := os.WriteFile(w.path(p.binary), read(t, filepath.Join(folder, p.binary)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(w.path("LICENSES.txt"), []byte(theLicences(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	return w
}

// newKey makes a key to throw away, as RELEASE_KEY has it.
func newKey(t *testing.T, passphrase string) string {
	t.Helper()
	// Debian 12 and Raspberry Pi OS read keys of version 4.
	e, err := openpgp.NewEntity("pithings test", "throw this away", "test@pithings.example", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	if passphrase != "" {
		if err := e.EncryptPrivateKeys([]byte(passphrase), nil); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PrivateKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SerializePrivateWithoutSigning(w, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// newSigner signs with a key to throw away.
func newSigner(t *testing.T) *signer {
	t.Helper()
	s, err := readSigner(theSource(t), newKey(t, ""), "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
