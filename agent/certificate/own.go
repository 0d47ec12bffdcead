package certificate

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pithings/awsiot/provision"
	"pithings/awsiot/provision/authority"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// Folder is where a certificate of our own making is in a state folder.
const Folder = "web-tls"

// The files in it.
const (
	KeyFile  = "key.pem"
	CertFile = "cert.pem"
)

const (
	// lifetime is one day less than what the makers of browsers accept for a server whose authority is
	// none of theirs: 825 days, both ends included (support.apple.com/103769).
	lifetime = (authority.Days - 1) * 24 * time.Hour
	// early is how long before its end a certificate is made anew.
	early = 30 * 24 * time.Hour
	// slow is how far a client's clock may be behind.
	slow = time.Hour
	// maxHosts bounds the names and addresses of a certificate.
	maxHosts = 50
)

// own reads our certificate, and makes it if there is none, it is due, or it lacks one of the hosts.
func (s *Source) own(required []string) error {
	if s.pair == nil {
		pair, err := s.readOwn()
		switch {
		case err == nil:
			s.pair = &pair
		case !errors.Is(err, fs.ErrNotExist):
			s.o.Log.Warn("web server: its own certificate cannot be used, and is made anew", "err", err)
		}
	}
	why := "there was none"
	if s.pair != nil {
		why = s.due(s.pair.Leaf)
		for _, h := range required {
			if why == "" && s.pair.Leaf.VerifyHostname(h) != nil {
				why = "it was not for " + h
			}
		}
	}
	if why == "" {
		return nil
	}
	pair, err := s.make()
	if err != nil {
		return err
	}
	s.pair = pair
	s.o.Log.Info("web server has made a certificate", "because", why, "sha256", Fingerprint(pair.Leaf), "until", pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	return nil
}

// due is why a certificate is to be made anew for its time, "" if it is not. A clock that is not known
// to be right is no reason: each boot without a network would make another certificate.
func (s *Source) due(c *x509.Certificate) string {
	now := s.o.now()
	switch {
	case !s.o.Known():
	case now.Before(c.NotBefore):
		return "it was not valid yet"
	case now.Add(early).After(c.NotAfter):
		return "it ended on " + c.NotAfter.UTC().Format(time.DateOnly)
	}
	return ""
}

func (s *Source) path(name string) string { return filepath.Join(s.o.Dir, name) }

func (s *Source) readOwn() (tls.Certificate, error) {
	for _, name := range []string{KeyFile, CertFile} {
		if _, err := os.Stat(s.path(name)); err != nil {
			return tls.Certificate{}, err
		}
	}
	if err := provision.CheckMode(s.path(KeyFile)); err != nil {
		return tls.Certificate{}, err
	}
	return certs.ReadPair(s.path(CertFile), s.path(KeyFile))
}

// make makes a certificate for the key that there is, or a new one. It is kept in memory alone if the
// state folder cannot be written.
func (s *Source) make() (*tls.Certificate, error) {
	key, text, err := s.key()
	if err != nil {
		return nil, err
	}
	template, err := s.template()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	err = durable.MakeFolder(s.o.Dir)
	if err == nil && text != nil {
		err = durable.Replace(s.path(KeyFile), text)
	}
	if err == nil {
		err = durable.Replace(s.path(CertFile), provision.EncodeCert(der))
	}
	if err != nil {
		s.o.Log.Error("web server: its certificate cannot be kept: the next start makes another one", "err", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// key is that of the certificate before, so that who trusts the key need not look again. text is nil
// unless it is new.
func (s *Source) key() (key crypto.Signer, text []byte, err error) {
	if s.pair != nil {
		if key, ok := s.pair.PrivateKey.(crypto.Signer); ok {
			return key, nil, nil
		}
	}
	return provision.NewKey()
}

// template is a certificate that signs no other: whoever adds it to the trusted ones trusts this
// server, and no site that a thief of its key would invent.
func (s *Source) template() (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // RFC 5280 section 4.1.2.2
	if err != nil {
		return nil, err
	}
	from := s.o.now().Add(-slow).UTC().Truncate(time.Second)
	c := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), NotBefore: from, NotAfter: from.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	seen := map[string]bool{}
	for _, h := range slices.Concat(s.o.Required(), s.o.Hosts(), []string{"localhost", "127.0.0.1", "::1"}) {
		if seen[h] || len(seen) == maxHosts || authority.CheckHost(h) != nil {
			continue
		}
		seen[h] = true
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	c.Subject = pkix.Name{CommonName: "pithings"}
	if len(c.DNSNames) > 0 {
		c.Subject.CommonName = fmt.Sprintf("pithings of %.50s", c.DNSNames[0]) // at most 64 (appendix A.1)
	}
	return c, nil
}
