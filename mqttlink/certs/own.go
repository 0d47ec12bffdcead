package certs

import (
	"crypto/rsa"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
)

// Doubts names what about our own certificate makes servers refuse it, or "".
func Doubts(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	if weak := weakness(c); weak != "" {
		return weak
	}
	if !isFor(c, x509.ExtKeyUsageClientAuth) {
		return "it is not for clients; make it again with -addext extendedKeyUsage=clientAuth"
	}
	return ""
}

// ServerDoubts is Doubts for the certificate of a server of ours, which clients refuse.
func ServerDoubts(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	if weak := weakness(c); weak != "" {
		return weak
	}
	if !isFor(c, x509.ExtKeyUsageServerAuth) {
		return "it is not for servers; make it again with -addext extendedKeyUsage=serverAuth"
	}
	const again = `; make it again with openssl … -addext "subjectAltName=`
	if len(namesOf(c)) == 0 {
		return "it is for no host, because a common name does not count" + again + `DNS:NAME,IP:ADDRESS"`
	}
	for _, name := range c.DNSNames {
		if a, err := netip.ParseAddr(name); err == nil && !slices.ContainsFunc(c.IPAddresses, func(ip net.IP) bool { return ip.String() == a.String() }) {
			return "it has the address " + clip(name) + " as a DNS name, which does not count" + again + "IP:" + a.String() + `"`
		}
	}
	return ""
}

// weakness names what an attacker could forge.
func weakness(c *x509.Certificate) string {
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		return "its RSA key is short; make it again with openssl … -newkey rsa:2048"
	}
	if forgeable(c.SignatureAlgorithm) {
		return "it is signed with " + c.SignatureAlgorithm.String() + "; make it again with openssl … -sha256"
	}
	return ""
}

// isFor reports whether a certificate may be used for something.
func isFor(c *x509.Certificate, use x509.ExtKeyUsage) bool {
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, use) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}
