//go:build system

package system

import (
	"testing"
	"time"

	"pithings/test/pki"
)

// authority signs the certificates of a broker on this machine and its clients.
type authority struct{ *pki.Authority }

func newAuthority(t *testing.T) authority { return authority{pki.New(t)} }

// client makes the certificate of a thing.
func (a authority) client(name string) { a.Client(name, time.Now().Add(time.Hour)) }

// mutual is the configuration of a mosquitto that wants a client certificate.
func (a authority) mutual() []string {
	a.Server("127.0.0.1", time.Now().Add(time.Hour))
	return []string{
		"cafile " + a.File("ca.pem"), "certfile " + a.File("server.pem"), "keyfile " + a.File("server.key"),
		"require_certificate true", "use_identity_as_username true", "allow_anonymous false",
	}
}

// flags are the seeds' letters for a client's certificate.
func (a authority) flags(client string) []string {
	return []string{"-r", a.File("ca.pem"), "-c", a.File(client + ".pem"), "-k", a.File(client + ".key")}
}
