package rogue

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"
)

// strangersCertificate shows a certificate with the device's name that no authority has signed.
func strangersCertificate(ctx context.Context, p *probe) Finding {
	c := p.device.TLS
	if c == nil || c.GetClientCertificate == nil {
		return notTested("no certificate is configured")
	}
	forged, err := selfSigned(p.device.Name)
	if err != nil {
		return lacking(err)
	}
	d := *p.device
	d.TLS = c.Clone()
	d.TLS.ClientSessionCache = nil
	d.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return forged, nil }
	return p.getsIn(ctx, d, d.login())
}

func selfSigned(name string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
