package display

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
)

// trustOwn lets a transport, which is for pictures of our own, trust our own certificate, beside those
// that it trusts anyhow: one that we have made ourselves is signed by no authority.
func (f *fetcher) trustOwn(t *http.Transport) {
	if f.opts.OwnCertificate == nil {
		return
	}
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		raw, err := t.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		// VerifyConnection verifies instead.
		conn := tls.Client(raw, &tls.Config{ServerName: host, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			return f.verify(host, s.PeerCertificates)
		}})
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return conn, nil
	}
}

// verify is how crypto/tls verifies the certificates of a host, the server's own first, but for ours.
func (f *fetcher) verify(host string, chain []*x509.Certificate) error {
	if own := f.opts.OwnCertificate(); own != nil && chain[0].Equal(own) {
		return nil
	}
	o := x509.VerifyOptions{Roots: f.opts.RootCAs, DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(o); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}
