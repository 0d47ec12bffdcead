package link

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"pithings/test/pki"
)

// bench is a mosquitto without limits of its own, with a port that asks for a client
// certificate and a plain one.
type bench struct {
	*testing.B
	tls, plain string // HOST:PORT
	certs      *pki.Authority
}

func newBench(b *testing.B) *bench {
	b.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		b.Skip("mosquitto is not installed")
	}
	n := &bench{B: b, certs: pki.New(b)}
	n.certs.Server("127.0.0.1", time.Now().Add(time.Hour))
	n.certs.Client("client", time.Now().Add(time.Hour))
	n.tls, n.plain = freeAddr(b), freeAddr(b)
	n.start()
	return n
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
`, port(n.plain), port(n.tls), n.certs.File("ca.pem"), n.certs.File("server.pem"), n.certs.File("server.key"))
	if err := os.WriteFile(n.certs.File("mosquitto.conf"), []byte(conf), 0o644); err != nil {
		n.Fatal(err)
	}
	cmd := exec.Command("mosquitto", "-c", n.certs.File("mosquitto.conf"))
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
	ca, err := os.ReadFile(n.certs.File("ca.pem"))
	if err != nil {
		n.Fatal(err)
	}
	client, err := tls.LoadX509KeyPair(n.certs.File("client.pem"), n.certs.File("client.key"))
	if err != nil {
		n.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{client}}
}

func freeAddr(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
