//go:build system

package system

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

// authority signs the certificates of a broker and its clients, in files.
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
	a.key = a.issue("ca", a.cert, nil)
	return a
}

// issue writes NAME.pem and NAME.key, signed by parent, or by itself.
func (a *authority) issue(name string, c *x509.Certificate, parent *x509.Certificate) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(a.next)
	a.next++
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	signer := a.key
	if parent == nil {
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
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", pkcs8)
	return key
}

func (a *authority) write(file, kind string, der []byte) {
	b := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(a.file(file), b, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// server makes the broker's certificate, client that of a thing.
func (a *authority) server() {
	a.issue("server", &x509.Certificate{Subject: pkix.Name{CommonName: "broker"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}, a.cert)
}

func (a *authority) client(name string) {
	a.issue(name, &x509.Certificate{Subject: pkix.Name{CommonName: name}}, a.cert)
}

// mutual is the configuration of a mosquitto that wants a client certificate.
func (a *authority) mutual() []string {
	a.server()
	return []string{
		"cafile " + a.file("ca.pem"), "certfile " + a.file("server.pem"), "keyfile " + a.file("server.key"),
		"require_certificate true", "use_identity_as_username true", "allow_anonymous false",
	}
}

// flags are the seeds' letters for a client's certificate.
func (a *authority) flags(client string) []string {
	return []string{"-r", a.file("ca.pem"), "-c", a.file(client + ".pem"), "-k", a.file(client + ".key")}
}
