package authority

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/provision"
	"pithings/mqttlink/certs"
)

// at opens an authority at a time.
func at(t *testing.T, dir string, now time.Time, hosts ...string) *Authority {
	t.Helper()
	a, err := Open(dir, options(now, hosts...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func options(now time.Time, hosts ...string) Options {
	return Options{Hosts: hosts, Hostname: "Hall", now: func() time.Time { return now }}
}

func read(t *testing.T, path ...string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	c, err := provision.ParseCert(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// verify checks a certificate as a program at the other end does.
func verify(t *testing.T, dir string, c *x509.Certificate, use x509.ExtKeyUsage, now time.Time) {
	t.Helper()
	ca, err := certs.ReadAuthorities(filepath.Join(dir, CACert))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: ca.Pool, KeyUsages: []x509.ExtKeyUsage{use}, CurrentTime: now}); err != nil {
		t.Errorf("%s: %v", c.Subject, err)
	}
}

func TestAuthority(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "pki"), time.Now()
	a := at(t, dir, now, "broker.example", "192.168.1.5", "fd00::5")
	if made, err := a.Server(); err != nil || !made {
		t.Fatal(made, err)
	}
	d, err := a.Device("hall")
	if err != nil {
		t.Fatal(err)
	}
	ca, server := read(t, dir, CACert), read(t, dir, ServerCert)
	if !ca.IsCA || !ca.MaxPathLenZero || ca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || len(ca.ExtKeyUsage) > 0 {
		t.Errorf("the authority may do %v %v", ca.KeyUsage, ca.ExtKeyUsage)
	}
	verify(t, dir, server, x509.ExtKeyUsageServerAuth, now)
	verify(t, dir, d.Pair.Leaf, x509.ExtKeyUsageClientAuth, now)
	for _, h := range []string{"broker.example", "192.168.1.5", "fd00::5", "hall", "hall.local", "localhost", "127.0.0.1", "::1"} {
		if err := server.VerifyHostname(h); err != nil {
			t.Error(err)
		}
	}
	if certs.Doubts(d.Pair.Leaf) != "" || certs.ServerDoubts(server) != "" {
		t.Errorf("%q %q", certs.Doubts(d.Pair.Leaf), certs.ServerDoubts(server))
	}
	if err := ca.CheckSignatureFrom(ca); err != nil {
		t.Error(err)
	}
	// No certificate can do what another is for.
	if d.Pair.Leaf.IsCA || slices.Contains(d.Pair.Leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(server.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		t.Error("a certificate may do too much")
	}
	if d.Thing != "hall" || d.Pair.Leaf.Subject.CommonName != "hall" || d.Endpoint != "mqtts://broker.example:8883" || d.CA() == "" {
		t.Errorf("%+v", d.About)
	}
	if runtime.GOOS == "windows" {
		return
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A second run makes what is missing, and leaves the rest, byte for byte.
func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	a := at(t, dir, time.Now())
	for _, f := range []func() error{
		func() error { _, err := a.Server(); return err },
		func() error { _, err := a.Device("hall"); return err },
		func() error { _, err := a.Mosquitto(); return err },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	before := tree(t, dir)
	a = at(t, dir, time.Now().Add(time.Hour))
	if made, err := a.Server(); err != nil || made {
		t.Error(made, err)
	}
	if made, err := a.Mosquitto(); err != nil || made != nil {
		t.Error(made, err)
	}
	if _, err := a.Device("hall"); !errors.Is(err, provision.ErrThere) || !strings.Contains(err.Error(), "--renew") {
		t.Error(err)
	}
	a.Hosts = []string{"other.example"}
	if _, err := a.Server(); err == nil || !strings.Contains(err.Error(), "--renew") {
		t.Error(err)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("%s\nwas\n%s", after, before)
	}
}

// tree is all files of a folder with what is in them.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %q\n", path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A run that is cut off between a key and its certificate is continued with that key.
func TestCutBetweenKeyAndCertificate(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	os.Chmod(dir, 0o700)
	a := at(t, dir, now)
	if _, err := a.Server(); err != nil {
		t.Fatal(err)
	}
	a.Close()
	ca, server := read(t, dir, CACert), read(t, dir, ServerCert)
	for _, name := range []string{CACert, ServerCert} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	a = at(t, dir, now)
	if made, err := a.Server(); err != nil || !made {
		t.Fatal(made, err)
	}
	for _, pair := range [][2]*x509.Certificate{{ca, read(t, dir, CACert)}, {server, read(t, dir, ServerCert)}} {
		if fmt.Sprint(pair[0].PublicKey) != fmt.Sprint(pair[1].PublicKey) || pair[0].Subject.String() != pair[1].Subject.String() {
			t.Errorf("%s has another key", pair[0].Subject)
		}
	}
	verify(t, dir, server, x509.ExtKeyUsageServerAuth, now) // of before, by the new ca.pem
}

func TestFleet(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	a := at(t, dir, time.Now())
	ctx, stop := context.WithCancelCause(t.Context())
	reason := errors.New("Ctrl-C")
	if made, err := a.Fleet(ctx, 5, func(there int) {
		if there == 3 {
			stop(reason)
		}
	}); made != 3 || !errors.Is(err, reason) {
		t.Fatal(made, err)
	}
	var seen []int
	if made, err := a.Fleet(t.Context(), 5, func(there int) { seen = append(seen, there) }); made != 2 || err != nil || !slices.Equal(seen, []int{1, 2, 3, 4, 5}) {
		t.Fatal(made, err, seen)
	}
	keys := map[string]bool{}
	for n := 1; n <= 5; n++ {
		d, err := provision.Read(filepath.Join(dir, Devices, fmt.Sprintf("dev-%04d", n)))
		if err != nil {
			t.Fatal(err)
		}
		keys[fmt.Sprint(d.Pair.Leaf.PublicKey)] = true
	}
	if len(keys) != 5 {
		t.Errorf("%d different keys", len(keys))
	}
	for _, n := range []int{0, -1, MaxFleet + 1} {
		if _, err := a.Fleet(t.Context(), n, func(int) {}); err == nil {
			t.Errorf("%d devices", n)
		}
	}
}

// Certificates that end soon are made anew for their keys, wherever those are; the others stay.
func TestRenew(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	os.Chmod(dir, 0o700)
	a := at(t, dir, now)
	if _, err := a.Server(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Device("old"); err != nil {
		t.Fatal(err)
	}
	a.Close()
	// On the Pi, and nowhere else.
	if err := os.Remove(filepath.Join(dir, Devices, "old", provision.KeyFile)); err != nil {
		t.Fatal(err)
	}
	later := now.AddDate(0, 0, Days-20)
	a = at(t, dir, later)
	if _, err := a.Device("young"); err != nil {
		t.Fatal(err)
	}
	a.Close()
	was, young := read(t, dir, Devices, "old", provision.CertFile), read(t, dir, Devices, "young", provision.CertFile)
	looked := 0
	r, err := Renew(t.Context(), dir, options(later, "new.example"), func(n, of int) { looked = n })
	if err != nil || r.CA || !r.Server || !slices.Equal(r.Devices, []string{"old"}) || r.Looked != 2 || looked != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	is := read(t, dir, Devices, "old", provision.CertFile)
	if fmt.Sprint(is.PublicKey) != fmt.Sprint(was.PublicKey) || is.Subject.String() != was.Subject.String() || !is.NotAfter.After(was.NotAfter) || is.SerialNumber.Cmp(was.SerialNumber) == 0 {
		t.Errorf("%v was %v", is.Subject, was.Subject)
	}
	verify(t, dir, is, x509.ExtKeyUsageClientAuth, was.NotAfter.Add(time.Hour))
	if !read(t, dir, Devices, "young", provision.CertFile).Equal(young) {
		t.Error("the young one is another")
	}
	server := read(t, dir, ServerCert)
	for _, h := range []string{"new.example", "hall.local", "::1"} {
		if err := server.VerifyHostname(h); err != nil {
			t.Error(err)
		}
	}
	if r, err := Renew(t.Context(), dir, options(later), func(int, int) {}); err != nil || r.Server || len(r.Devices) > 0 {
		t.Errorf("once more: %+v, %v", r, err)
	}
}

// The authority itself is renewed with the same key and name: what it has signed stays good.
func TestRenewOfTheAuthority(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	os.Chmod(dir, 0o700)
	a := at(t, dir, now)
	a.Close()
	last := a.Until().AddDate(0, 0, -20)
	a = at(t, dir, last)
	d, err := a.Device("hall")
	if err != nil {
		t.Fatal(err)
	}
	if d.Pair.Leaf.NotAfter.After(a.Until()) {
		t.Error("a device's certificate outlives its authority's")
	}
	a.Close()
	over := a.Until().AddDate(0, 0, 1)
	if _, err := Open(dir, options(over)); err == nil || !strings.Contains(err.Error(), "--renew") {
		t.Errorf("%v", err)
	}
	r, err := Renew(t.Context(), dir, options(last), func(int, int) {})
	if err != nil || !r.CA || len(r.Devices) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	verify(t, dir, d.Pair.Leaf, x509.ExtKeyUsageClientAuth, last)
	verify(t, dir, read(t, dir, Devices, "hall", provision.CertFile), x509.ExtKeyUsageClientAuth, over)
	if !read(t, dir, Devices, "hall", provision.CAFile).Equal(read(t, dir, CACert)) {
		t.Error("the device has the old authority")
	}
}

func TestBadFolders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	for _, tt := range []struct {
		name  string
		spoil func(dir string) error
		want  string
	}{
		{"open key", func(dir string) error { return os.Chmod(filepath.Join(dir, CAKey), 0o640) }, "chmod 600"},
		{"open folder", func(dir string) error { return os.Chmod(dir, 0o777) }, "chmod 700"},
		{"no key", func(dir string) error { return os.Remove(filepath.Join(dir, CAKey)) }, "put it back"},
		{"another key", func(dir string) error {
			_, text, err := provision.NewKey()
			return errors.Join(err, os.WriteFile(filepath.Join(dir, CAKey), text, 0o600))
		}, "does not belong"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			os.Chmod(dir, 0o700)
			at(t, dir, time.Now()).Close()
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, options(time.Now())); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	at(t, dir, time.Now())
	if _, err := Open(dir, options(time.Now())); err == nil || !strings.Contains(err.Error(), "wait") {
		t.Errorf("two at a time: %v", err)
	}
}

func TestNamesOfDevicesAndHosts(t *testing.T) {
	for _, name := range []string{"a:b", "x.new", strings.Repeat("x", 65), "a/b", "", ".."} {
		if CheckDevice(name) == nil {
			t.Errorf("device %q", name)
		}
	}
	for _, h := range []string{"", "a b", "mqtts://h", "h:8883", "a..b", "-a", "[::1]", "é", strings.Repeat("a", 64), "1.2.3.4/24"} {
		if CheckHost(h) == nil {
			t.Errorf("host %q", h)
		}
	}
	for _, h := range []string{"h", "a.b-c.d", "*.example.com", "10.0.0.1", "fe80::1", "a_b"} {
		if err := CheckHost(h); err != nil {
			t.Error(err)
		}
	}
}

// The two configurations of a mosquitto that this project has say the same but for paths.
func TestConfigurationIsThatOfDeploy(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/mosquitto/pithings.conf")
	if err != nil {
		t.Fatal(err)
	}
	lines := func(text, dir string) (all []string) {
		for line := range strings.Lines(strings.ReplaceAll(text, dir, "DIR/")) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "# ") && line != "#" {
				all = append(all, regexp.MustCompile(`\s+`).ReplaceAllString(line, " "))
			}
		}
		return all
	}
	ours, theirs := lines(mosquittoConf, "DIR/"), lines(string(text), "/etc/mosquitto/pithings/")
	if len(ours) < 15 || !slices.Equal(ours, theirs) {
		t.Errorf("%q\n%q", ours, theirs)
	}
}
