package certs

import (
	"crypto/x509"
	"net/netip"
	"strings"
)

// wrongName explains a certificate for another host.
func (s Server) wrongName(c *x509.Certificate, host string) *Problem {
	names := namesOf(c)
	want, isIP := "DNS:"+host, false
	if a, err := netip.ParseAddr(host); err == nil {
		want, isIP = "IP:"+a.Unmap().String(), true
	}
	again := `make it again with openssl … -addext "subjectAltName=` + want + `"`
	switch {
	case len(names) == 0 && c.Subject.CommonName != "":
		return problem(WrongName, nil, again, "the certificate of %s has its name only as common name (%s), which does not count", s.Address, clip(c.Subject.CommonName))
	case len(names) == 0:
		return problem(WrongName, nil, again, "the certificate of %s is for no host at all", s.Address)
	case isIP && anyFold(c.DNSNames, host):
		return problem(WrongName, nil, again, "the certificate of %s has the address %s as a DNS name, which does not count", s.Address, host)
	}
	if len(names) > 4 {
		names = append(names[:4], "…")
	}
	return problem(WrongName, nil, "use that name in the endpoint, or set the server name; or "+again, "the certificate of %s is for %s, not for %s", s.Address, clip(strings.Join(names, ", ")), host)
}

// namesOf lists the hosts that a certificate is for.
func namesOf(c *x509.Certificate) []string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func anyFold(list []string, s string) bool {
	for _, one := range list {
		if strings.EqualFold(one, s) {
			return true
		}
	}
	return false
}
