//go:build faults && linux

package faults

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

// authority signs the certificates of a broker and its clients, in files that are
// replaced while programs use them.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir(), next: 1}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: "test root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.key = a.issue("ca", a.cert, time.Now().Add(time.Hour))
	return a
}

// server issues the broker's certificate, in server.pem and server.key.
func (a *authority) server(address string, until time.Time) {
	a.issue("server", &x509.Certificate{Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.ParseIP(address)}}, until)
}

// client issues that of a client, in NAME.pem and NAME.key.
func (a *authority) client(name string, until time.Time) {
	a.issue(name, &x509.Certificate{Subject: pkix.Name{CommonName: name}}, until)
}

func (a *authority) issue(name string, c *x509.Certificate, until time.Time) *ecdsa.PrivateKey {
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
	// Between the two they do not fit: whoever connects just then has to try again.
	a.write(name+".key", "PRIVATE KEY", pkcs8)
	a.write(name+".pem", "CERTIFICATE", der)
	return key
}

// write replaces a file as a whole.
func (a *authority) write(name, kind string, der []byte) {
	b := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	fresh := a.file(name + ".new")
	if err := os.WriteFile(fresh, b, 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(fresh, a.file(name)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }
