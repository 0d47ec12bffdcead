package certs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// verify does what a handshake does with the server's certificates.
func verify(chain []*issued, a *Authorities, host string, at time.Time) error {
	var list []*x509.Certificate
	between := x509.NewCertPool()
	for i, c := range chain {
		list = append(list, c.cert)
		if i > 0 {
			between.AddCert(c.cert)
		}
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: between, CurrentTime: at, DNSName: host}
	if a != nil {
		o.Roots = a.Pool
	}
	if _, err := list[0].Verify(o); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: list, Err: err}
	}
	return nil
}

// What Go's verification refuses is explained by the certificate that is the reason,
// its file, and the option that makes it right. Public reports: eclipse/mosquitto#2692
// and thomasnordquist/MQTT-Explorer#596 (which certificate expired),
// owntracks/android#1694, mqttjs/MQTT.js#663, eclipse/mosquitto#3352 and
// influxdata/telegraf#15612 (certificates from tutorials).
func TestServerCertificateIsExplained(t *testing.T) {
	past := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-48*time.Hour), now.Add(-24*time.Hour) }
	future := func(c *x509.Certificate) { c.NotBefore = now.Add(24 * time.Hour); c.NotAfter = now.Add(48 * time.Hour) }
	all := func(list ...func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			for _, f := range list {
				f(c)
			}
		}
	}
	root := issue(t, "root", nil, authority)
	middle := issue(t, "middle", root, authority)
	broker := host("broker.example")
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	oldRoot := issue(t, "root", nil, all(authority, past))
	oldMiddle := issue(t, "middle", root, all(authority, past))
	newRoot := issue(t, "root", nil, authority) // another key
	renewed := issueFor(t, "root", oldRoot.key, nil, authority)
	noCA := issue(t, "root", nil, func(c *x509.Certificate) { c.BasicConstraintsValid = true })
	noSign := issue(t, "root", nil, func(c *x509.Certificate) { authority(c); c.KeyUsage = x509.KeyUsageDigitalSignature })
	flat := issue(t, "root", nil, func(c *x509.Certificate) { authority(c); c.MaxPathLenZero = true })
	below := issue(t, "below", flat, authority)
	oldSelf := issue(t, "b", nil, all(broker, past))
	self := issue(t, "broker.example", nil, broker)
	clientOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }

	for _, tt := range []struct {
		name  string
		chain []*issued
		ca    []*issued // of the user
		host  string
		kind  Kind // "" if it is good
		words []string
	}{
		{"good", []*issued{issue(t, "b", root, broker)}, []*issued{root}, "", "", nil},
		{"good, with intermediate", []*issued{issue(t, "b", middle, broker), middle}, []*issued{root}, "", "", nil},
		{"good, chain in the wrong order", []*issued{issue(t, "b", middle, broker), root, middle}, []*issued{root}, "", "", nil},
		{"good, self-signed and named as ca", []*issued{self}, []*issued{self}, "", "", nil},
		{"good, the root was renewed", []*issued{issue(t, "b", oldRoot, broker)}, []*issued{oldRoot, renewed}, "", "", nil},

		{"certificate expired", []*issued{issue(t, "b", root, all(broker, past))}, []*issued{root}, "",
			Expired, []string{"the certificate of broker.example:8883 expired on", "its operator must renew it", "clock reads"}},
		{"the user's authority expired", []*issued{issue(t, "b", oldRoot, broker)}, []*issued{oldRoot}, "",
			Expired, []string{`the authority "root" in `, "ca.pem", "expired on", "put its successor into"}},
		{"the intermediate expired", []*issued{issue(t, "b", oldMiddle, broker), oldMiddle}, []*issued{root}, "",
			Expired, []string{`the authority "middle", which broker.example:8883 sends along, expired on`}},
		{"self-signed and named as ca, expired", []*issued{oldSelf}, []*issued{oldSelf}, "", Expired, []string{"which is in ", "ca.pem"}},
		{"certificate not yet valid", []*issued{issue(t, "b", root, all(broker, future))}, []*issued{root}, "",
			NotYetValid, []string{"the certificate of broker.example:8883 is valid from", "timedatectl"}},

		{"common name only", []*issued{issue(t, "broker.example", root, nil)}, []*issued{root}, "",
			WrongName, []string{"only as common name (broker.example)", `-addext "subjectAltName=DNS:broker.example"`}},
		{"no name", []*issued{issue(t, "", root, nil)}, []*issued{root}, "", WrongName, []string{"for no host at all", "subjectAltName=DNS:broker.example"}},
		{"address as DNS name", []*issued{issue(t, "b", root, func(c *x509.Certificate) { c.DNSNames = []string{"192.0.2.1"} })}, []*issued{root}, "192.0.2.1",
			WrongName, []string{"has the address 192.0.2.1 as a DNS name", `-addext "subjectAltName=IP:192.0.2.1"`}},
		{"address as common name", []*issued{issue(t, "192.0.2.1", root, nil)}, []*issued{root}, "192.0.2.1", WrongName, []string{"subjectAltName=IP:192.0.2.1"}},
		{"another host", []*issued{issue(t, "b", root, host("a.example", "b.example"))}, []*issued{root}, "",
			WrongName, []string{"is for a.example, b.example, not for broker.example", "set the server name"}},
		{"another address", []*issued{issue(t, "b", root, host("192.0.2.7"))}, []*issued{root}, "192.0.2.1", WrongName, []string{"is for 192.0.2.7, not for 192.0.2.1"}},
		{"another host, and the root was renewed", []*issued{issue(t, "b", oldRoot, host("a.example"))}, []*issued{oldRoot, renewed}, "", WrongName, []string{"is for a.example"}},
		{"wildcard two levels up", []*issued{issue(t, "b", root, host("*.example"))}, []*issued{root}, "a.b.example", WrongName, []string{"is for *.example, not for a.b.example"}},

		{"intermediate missing", []*issued{issue(t, "b", middle, broker)}, []*issued{root}, "",
			UnknownCA, []string{`(which holds "root")`, `issued by "middle", whose certificate the server does not send`, "append it to the server's certificate file"}},
		{"another authority", []*issued{issue(t, "b", middle, broker), middle, root}, []*issued{issue(t, "other", nil, authority)}, "",
			UnknownCA, []string{`not from an authority in `, `(which holds "other")`, `but from "root"`}},
		{"the authority was made anew", []*issued{issue(t, "b", root, broker)}, []*issued{newRoot}, "",
			UnknownCA, []string{"another authority of the same name", `"root" in `, "sign the certificate again"}},
		{"self-signed", []*issued{self}, []*issued{root}, "", UnknownCA, []string{"signed by itself", "openssl s_client -connect broker.example:8883"}},

		{"no CA flag", []*issued{issue(t, "b", noCA, broker)}, []*issued{noCA}, "",
			Unfit, []string{`"root" in `, "not marked as an authority", "basicConstraints=critical,CA:TRUE"}},
		{"authority may not sign", []*issued{issue(t, "b", noSign, broker)}, []*issued{noSign}, "",
			Unfit, []string{`"root" in `, "may not sign certificates", "keyUsage=critical,keyCertSign"}},
		{"path too long", []*issued{issue(t, "b", below, broker), below}, []*issued{flat}, "", Unfit, []string{"allows only 0 authorities below it"}},
		{"only for clients", []*issued{issue(t, "b", root, all(broker, clientOnly))}, []*issued{root}, "", Unfit, []string{"is not for servers", "extendedKeyUsage=serverAuth"}},
		{"RSA", []*issued{issueFor(t, "b", long, root, broker)}, []*issued{root}, "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.host == "" {
				tt.host = "broker.example"
			}
			file := write(t, "ca.pem", pemOf(tt.ca...))
			a, err := ReadAuthorities(file)
			if err != nil {
				t.Fatal(err)
			}
			err = verify(tt.chain, a, tt.host, now)
			if tt.kind == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("Go takes it")
			}
			p := (Server{Address: tt.host + ":8883", Authorities: a, Now: now}).Explain(err)
			if p == nil {
				t.Fatalf("no explanation of %v", err)
			}
			wantProblem(t, p, tt.kind, tt.words...)
			if !errors.Is(p, err) {
				t.Error("the cause is not wrapped")
			}
		})
	}
}

// Without authorities of the user the system's count, and the file is not named.
func TestServerCertificateOfAnAuthorityUnknownToTheSystem(t *testing.T) {
	root := issue(t, "root", nil, authority)
	middle := issue(t, "middle", root, authority)
	for _, tt := range []struct {
		name  string
		chain []*issued
		words []string
	}{
		{"authority", []*issued{issue(t, "b", root, host("b.example")), root}, []string{`does not know, "root"`, "as ca"}},
		{"intermediate missing", []*issued{issue(t, "b", middle, host("b.example"))}, []string{`"middle" is an intermediate one`, "as ca"}},
		{"self-signed", []*issued{issue(t, "b.example", nil, host("b.example"))}, []string{"signed by itself", "as ca"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := (Server{Address: "b.example:8883", Now: now}).Explain(verify(tt.chain, nil, "b.example", now))
			if p == nil {
				t.Fatal("no explanation")
			}
			wantProblem(t, p, UnknownCA, tt.words...)
		})
	}
}

// A web server that is not trusted is corrected in the system, and what is not about its
// certificate stays as it is.
func TestCertificateOfAWebServer(t *testing.T) {
	valid := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Time{}, time.Now().Add(time.Hour) }
	root := issue(t, "root", nil, func(c *x509.Certificate) { authority(c); valid(c) })
	for _, chain := range [][]*issued{{issue(t, "b", root, func(c *x509.Certificate) { host("b.example")(c); valid(c) }), root}, {root}} {
		err := Web(verify(chain, nil, "b.example", time.Now()), "b.example")
		wantProblem(t, err, UnknownCA, "the certificate of b.example ", "/usr/local/share/ca-certificates/", "update-ca-certificates")
	}
	if err := errors.New("EOF"); Web(err, "b.example") != err {
		t.Error("another error is replaced")
	}
}

// Signatures and keys that crypto/x509 cannot make any more are checked on certificates
// that say they have them.
func TestWeakServerCertificate(t *testing.T) {
	root := issue(t, "root", nil, authority)
	leaf := issue(t, "b", root, host("b.example"))
	s := Server{Address: "b.example:8883", Now: now}
	leaf.cert.SignatureAlgorithm = x509.SHA1WithRSA
	wantProblem(t, s.strength(way{steps: []step{{cert: leaf.cert}, {cert: root.cert}}}), Unfit, "SHA1-RSA", "-sha256")
	if p := s.strength(way{steps: []step{{cert: leaf.cert}}}); p != nil {
		t.Errorf("a signature that no client verifies: %v", p)
	}
}

func TestOtherErrorsAreNotAboutTheCertificate(t *testing.T) {
	for _, err := range []error{errors.New("EOF"), &tls.CertificateVerificationError{Err: errors.New("x")}} {
		if p := (Server{}).Explain(err); p != nil {
			t.Errorf("%v: %v", err, p)
		}
	}
	p := (Server{Address: "b:8883"}).Explain(errors.New("tls: failed to parse certificate from server: x509: unsupported elliptic curve"))
	wantProblem(t, p, Unfit, "the certificate of b:8883 cannot be read", "named curve")
}

func TestDoubts(t *testing.T) {
	good := issue(t, "c", nil, nil)
	if d := Doubts(good.cert) + Doubts(nil); d != "" {
		t.Error(d)
	}
	if d := Doubts(issue(t, "c", nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }).cert); d == "" {
		t.Error("a certificate for servers is taken for one of a client")
	}
}

// What makes clients refuse a certificate of our own server is found before one connects.
func TestServerDoubts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*x509.Certificate)
		want   string // "" if it is good
	}{
		{"good", host("broker.example"), ""},
		{"an address, also as a name", host("broker.example", "192.0.2.7"), ""},
		{"for all uses", func(c *x509.Certificate) {
			host("b")(c)
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		}, ""},
		{"common name only", nil, "common name does not count"},
		{"an address as a name", func(c *x509.Certificate) { c.DNSNames = []string{"192.0.2.7"} }, `subjectAltName=IP:192.0.2.7"`},
		{"for clients", func(c *x509.Certificate) {
			host("b")(c)
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, "serverAuth"},
	} {
		c := issue(t, "b", nil, tt.change).cert
		if got := ServerDoubts(c); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	if ServerDoubts(nil) != "" {
		t.Error("no certificate is doubted")
	}
}

// A key is exposed if every user can read or change it where it lies.
func TestExposed(t *testing.T) {
	if os.PathSeparator != '/' {
		t.Skip("modes mean nothing here")
	}
	// t.TempDir lies below /tmp, which every user may enter.
	open := t.TempDir()
	for d := open; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		mode, folder os.FileMode
		want         bool
	}{
		{0o600, 0o755, false},
		{0o644, 0o755, true},
		{0o602, 0o755, true},
		{0o640, 0o755, false}, // given to a group
		{0o660, 0o755, false},
		{0o644, 0o700, false}, // as systemd's credentials
		{0o644, 0o750, false},
		{0o644, 0o711, true},
	} {
		dir := filepath.Join(open, "d")
		file := filepath.Join(dir, "key")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(file, tt.mode), os.Chmod(dir, tt.folder)); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{file, link} {
			if got := Exposed(path); got != tt.want {
				t.Errorf("file %o in folder %o: %v", tt.mode, tt.folder, got)
			}
		}
		os.Chmod(dir, 0o700)
	}
}
