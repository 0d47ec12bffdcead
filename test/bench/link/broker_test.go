package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// bench is a mosquitto without limits of its own, with a port that asks for a client
// certificate and a plain one.
type bench struct {
	*testing.B
	dir         string
	tls, plain  string // HOST:PORT
	ca          *x509.Certificate
	key         *ecdsa.PrivateKey
	certificate tls.Certificate
}

func newBench(b *testing.B) *bench {
	b.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		b.Skip("mosquitto is not installed")
	}
	n := &bench{B: b, dir: b.TempDir()}
	n.ca = &x509.Certificate{Subject: pkix.Name{CommonName: "bench root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	n.issue("ca", n.ca)
	n.issue("server", &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	n.issue("client", &x509.Certificate{Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	var err error
	if n.certificate, err = tls.LoadX509KeyPair(n.file("client.pem"), n.file("client.key")); err != nil {
		b.Fatal(err)
	}
	n.tls, n.plain = freeAddr(b), freeAddr(b)
	n.start()
	return n
}

func (n *bench) file(name string) string { return filepath.Join(n.dir, name) }

// issue writes NAME.pem and NAME.key, signed by the authority.
func (n *bench) issue(name string, c *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.Fatal(err)
	}
	if n.key == nil {
		n.key = key
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, n.ca, &key.PublicKey, n.key)
	if err != nil {
		n.Fatal(err)
	}
	if n.ca == c {
		if n.ca, err = x509.ParseCertificate(der); err != nil {
			n.Fatal(err)
		}
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		n.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(n.file(file), pem.EncodeToMemory(block), 0o644); err != nil {
			n.Fatal(err)
		}
	}
}

// start runs the broker until the benchmark ends.
func (n *bench) start() {
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	conf := fmt.Sprintf(`persistence false
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
user root
listener %s 127.0.0.1
listener %s 127.0.0.1
cafile %s
certfile %s
keyfile %s
require_certificate true
`, port(n.plain), port(n.tls), n.file("ca.pem"), n.file("server.pem"), n.file("server.key"))
	if err := os.WriteFile(n.file("mosquitto.conf"), []byte(conf), 0o644); err != nil {
		n.Fatal(err)
	}
	cmd := exec.Command("mosquitto", "-c", n.file("mosquitto.conf"))
	if err := cmd.Start(); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", n.tls)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			n.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (n *bench) tlsConfig() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(n.ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{n.certificate}}
}

func freeAddr(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
