package mqttlink

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"pithings/mqttlink/certs"
	"pithings/mqttlink/endpoint"
	"pithings/quietlog"
)

// credentials are what a handshake is made with, for the words about its failure.
type credentials struct {
	leaf        *x509.Certificate  // the client's certificate, if it has one
	authorities *certs.Authorities // nil: the system's
	requested   *atomic.Bool       // the server asked for a certificate
}

// asked reports whether the server asked for a certificate.
func (c credentials) asked() bool { return c.requested != nil && c.requested.Load() }

// tlsConfig reads the certificate files as they are now and returns what a
// handshake with the endpoint needs, with the client's certificate if it has one.
// A certificate outside its time is returned all the same: only the other end
// can say whether it refuses it, and our clock may be the wrong one.
func (o *Options) tlsConfig(e endpoint.Endpoint) (*tls.Config, credentials, error) {
	if !e.TLS() {
		return nil, credentials{}, nil
	}
	used := credentials{requested: new(atomic.Bool)}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: cmp.Or(o.ServerName, withoutZone(e.Host)),
		NextProtos: o.ALPN,
		Time:       o.now,
	}
	if o.CA != "" {
		a, err := certs.ReadAuthorities(o.CA)
		if err != nil {
			return nil, credentials{}, ofCertificates(err)
		}
		c.RootCAs, used.authorities = a.Pool, a
	}
	pair := new(tls.Certificate) // none
	if o.Cert != "" {
		read, err := certs.ReadPair(o.Cert, o.Key)
		if err != nil {
			return nil, credentials{}, ofCertificates(err)
		}
		pair, used.leaf = &read, read.Leaf
	}
	// GetClientCertificate, unlike Certificates, sends the certificate even if
	// its authority is not in the server's list: a server that refuses it then
	// says so by an alert, instead of missing a certificate.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		used.requested.Store(true)
		return pair, nil
	}
	return c, used, nil
}

// withoutZone is the name that a certificate can be for: a zone holds on this machine only.
func withoutZone(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.WithZone("").String()
	}
	return host
}

// CheckCertificates reads the certificate files named in o and returns all that is wrong
// with them; with a time, validity included. The Kind of a problem says which file it is
// about. Warnings are about what can be used, but for a part or not everywhere. It does
// not use the network.
func CheckCertificates(o Options, now time.Time) (warnings []string, problems []*Fault) {
	e, err := endpoint.Parse(o.Endpoint)
	if err != nil || !e.TLS() {
		return nil, nil
	}
	add := func(err error) {
		if p := (*certs.Problem)(nil); errors.As(err, &p) {
			problems = append(problems, ofProblem(p))
		}
	}
	if o.CA != "" {
		a, err := certs.ReadAuthorities(o.CA)
		add(err)
		if err == nil && a.Odd() != nil {
			warnings = append(warnings, quietlog.OneLine(a.Odd().Error()))
		}
	}
	if o.Cert == "" || o.Key == "" {
		return warnings, problems
	}
	pair, errs := certs.CheckPair(o.Cert, o.Key)
	for _, err := range errs {
		add(err)
	}
	if len(errs) > 0 {
		return warnings, problems
	}
	if doubts := certs.Doubts(pair.Leaf); doubts != "" {
		warnings = append(warnings, quietlog.OneLine("brokers may refuse the certificate "+o.Cert+": "+doubts))
	}
	if now.IsZero() {
		return warnings, problems
	}
	if f := (about{certFile: o.Cert, now: now, credentials: credentials{leaf: pair.Leaf}}).expiredClient(nil); f != nil {
		problems = append(problems, f)
	}
	return warnings, problems
}
