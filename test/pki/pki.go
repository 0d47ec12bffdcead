// Package pki makes the certificates of brokers and clients for tests: in PEM files,
// which may be replaced while programs use them.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates. Its own is in ca.pem.
type Authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

// New makes an authority in a folder that goes with the test.
func New(t testing.TB) *Authority {
	a := &Authority{t: t, dir: t.TempDir(), next: 1}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: "test root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.key = a.issue("ca", a.cert, time.Now().Add(time.Hour))
	return a
}

// File is the path of a file: ca.pem, NAME.pem, NAME.key.
func (a *Authority) File(name string) string { return filepath.Join(a.dir, name) }

// Server issues a broker's certificate for an address, valid until then, in server.pem
// and server.key.
func (a *Authority) Server(address string, until time.Time) {
	a.t.Helper()
	a.issue("server", &x509.Certificate{Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.ParseIP(address)}, DNSNames: []string{"localhost"}}, until)
}

// Client issues that of a client, in NAME.pem and NAME.key.
func (a *Authority) Client(name string, until time.Time) {
	a.t.Helper()
	a.issue(name, &x509.Certificate{Subject: pkix.Name{CommonName: name}}, until)
}

func (a *Authority) issue(name string, c *x509.Certificate, until time.Time) *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(a.next)
	a.next++
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), until
	parent, signer := a.cert, a.key
	if signer == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	// Between the two they do not fit: a client that connects just then has to try again.
	a.write(name+".key", "PRIVATE KEY", pkcs8)
	a.write(name+".pem", "CERTIFICATE", der)
	return key
}

// write replaces a file as a whole.
func (a *Authority) write(name, kind string, der []byte) {
	a.t.Helper()
	b := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	fresh := a.File(name + ".new")
	if err := os.WriteFile(fresh, b, 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(fresh, a.File(name)); err != nil {
		a.t.Fatal(err)
	}
}
