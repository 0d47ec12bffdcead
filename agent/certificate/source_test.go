package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink/certs"
	"pithings/test/pki"
)

// machine is what a certificate is made on.
type machine struct {
	t        *testing.T
	dir      string
	now      time.Time
	known    bool
	required []string
	hosts    []string
}

func newMachine(t *testing.T) *machine {
	return &machine{t: t, dir: filepath.Join(t.TempDir(), Folder), now: time.Now(), known: true, required: []string{"pi", "pi.local"}, hosts: []string{"192.0.2.7", "fd00::7"}}
}

func (m *machine) open() *Source {
	m.t.Helper()
	s, err := Open(Options{Dir: m.dir, Required: func() []string { return m.required }, Hosts: func() []string { return m.hosts },
		Known: func() bool { return m.known }, Log: slog.New(slog.DiscardHandler), now: func() time.Time { return m.now }})
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// get is the certificate that the next client sees.
func get(t *testing.T, s *Source) *x509.Certificate {
	t.Helper()
	pair, err := s.Get(new(tls.ClientHelloInfo))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// A certificate of our own making is what browsers accept, signs no other, and is made once.
func TestMadeOnce(t *testing.T) {
	m := newMachine(t)
	s := m.open()
	c := s.Leaf()
	for _, h := range []string{"pi", "pi.local", "localhost", "127.0.0.1", "::1", "192.0.2.7", "fd00::7"} {
		if err := c.VerifyHostname(h); err != nil {
			t.Error(err)
		}
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || c.IsCA || !c.BasicConstraintsValid || certs.ServerDoubts(c) != "" || !s.SelfMade() {
		t.Errorf("%T, authority %v: %s", c.PublicKey, c.IsCA, certs.ServerDoubts(c))
	}
	if d := c.NotAfter.Sub(c.NotBefore) + time.Second; d > 825*24*time.Hour || d < 800*24*time.Hour {
		t.Errorf("it is valid for %v", d)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: "pi.local", KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
		t.Error(err)
	}
	if f := Fingerprint(c); len(f) != 32*3-1 || strings.Count(f, ":") != 31 {
		t.Errorf("fingerprint %q", f)
	}
	m.hosts = []string{"192.0.2.99"} // a new address by DHCP
	if again := m.open(); !again.Leaf().Equal(c) || !get(t, again).Equal(c) {
		t.Error("the next start makes another one")
	}
	if info, err := os.Stat(filepath.Join(m.dir, KeyFile)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
}

// It is made anew before it ends, with the same key, and when this machine has another name; a
// clock that is not known to be right is no reason.
func TestMadeAnew(t *testing.T) {
	m := newMachine(t)
	s := m.open()
	first := s.Leaf()
	m.now = first.NotAfter.Add(-early - time.Minute)
	if !get(t, s).Equal(first) {
		t.Error("it is made anew too early")
	}
	for _, wrong := range []time.Time{time.Unix(0, 0), first.NotAfter.AddDate(20, 0, 0)} {
		m.now, m.known = wrong, false
		if !get(t, s).Equal(first) || !m.open().Leaf().Equal(first) {
			t.Errorf("a clock at %v that is not known makes another one", wrong)
		}
	}
	m.now, m.known = first.NotAfter.Add(-early+time.Minute), true
	second := get(t, s)
	if second.Equal(first) || !second.PublicKey.(*ecdsa.PublicKey).Equal(first.PublicKey) || !get(t, s).Equal(second) || !m.open().Leaf().Equal(second) {
		t.Error("it is not made anew, once, for the same key, before it ends")
	}
	m.required = append(m.required, "home.example")
	if err := s.Refresh(); err != nil || s.Leaf().VerifyHostname("home.example") != nil {
		t.Errorf("a new name: %v", err)
	}
	// Made with a clock that was far ahead.
	third := s.Leaf()
	m.now = third.NotBefore.Add(-time.Hour)
	if get(t, s).Equal(third) {
		t.Error("one that is not valid yet stays")
	}
}

// What cannot be used is made anew: a key that others can read, and files that are damaged.
func TestDamagedFiles(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"no key":         func(dir string) error { return os.Remove(filepath.Join(dir, KeyFile)) },
		"no certificate": func(dir string) error { return os.Remove(filepath.Join(dir, CertFile)) },
		"half a file":    func(dir string) error { return os.Truncate(filepath.Join(dir, CertFile), 100) },
		"an open key":    func(dir string) error { return os.Chmod(filepath.Join(dir, KeyFile), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "an open key" && runtime.GOOS == "windows" {
				t.Skip("Windows has no such modes")
			}
			m := newMachine(t)
			before := m.open().Leaf()
			if err := damage(m.dir); err != nil {
				t.Fatal(err)
			}
			next := m.open().Leaf()
			if next.Equal(before) || next.PublicKey.(*ecdsa.PublicKey).Equal(before.PublicKey) || !m.open().Leaf().Equal(next) {
				t.Error("it is not made anew, once")
			}
		})
	}
	// A folder that cannot be written: there is a file in its place.
	m := newMachine(t)
	if err := os.WriteFile(m.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := m.open().Leaf(); c == nil || c.VerifyHostname("pi") != nil {
		t.Error("without a folder there is no certificate")
	}
}

// The user's files are read again when they have changed; those that do not fit are not taken.
func TestFilesOfTheUser(t *testing.T) {
	ca, dir, at := pki.New(t), t.TempDir(), time.Now()
	put := func(address string, files ...string) { // issues a pair and copies some of it
		t.Helper()
		ca.Server(address, time.Now().Add(time.Hour))
		at = at.Add(time.Second) // file systems have coarse times
		for _, name := range files {
			text, err := os.ReadFile(ca.File(name))
			path := filepath.Join(dir, name)
			if err == nil {
				err = os.WriteFile(path, text, 0o600)
			}
			if err == nil {
				err = os.Chtimes(path, at, at)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	o := Options{Cert: filepath.Join(dir, "server.pem"), Key: filepath.Join(dir, "server.key"), Log: slog.New(slog.DiscardHandler)}
	if _, err := Open(o); err == nil {
		t.Fatal("there are no files")
	}
	put("192.0.2.1", "server.pem", "server.key")
	s, err := Open(o)
	if err != nil || s.SelfMade() {
		t.Fatal(err)
	}
	is := func(address string) {
		t.Helper()
		if c := get(t, s); c.VerifyHostname(address) != nil {
			t.Errorf("the certificate is for %v, not for %s", c.IPAddresses, address)
		}
	}
	is("192.0.2.1")
	put("192.0.2.2", "server.pem", "server.key")
	is("192.0.2.2")
	put("192.0.2.3", "server.pem") // its key follows
	is("192.0.2.2")
	if err := s.Refresh(); err == nil {
		t.Error("a certificate without its key is taken")
	}
	put("192.0.2.4", "server.pem", "server.key")
	if err := s.Refresh(); err != nil {
		t.Error(err)
	}
	is("192.0.2.4")
}
