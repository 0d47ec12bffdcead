package provision

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"pithings/mqttlink/certs"
	"pithings/quietlog"
)

// Condition is how good an identity is at a time.
type Condition string

// The conditions.
const (
	Good     Condition = "good"
	EndsSoon Condition = "ends soon"
	Ended    Condition = "ended"
	NotYet   Condition = "not valid yet" // or this machine's clock is slow
)

// Status says who a device is, until when, and what renews it.
type Status struct {
	ClientID    string    `json:"clientId"`
	Endpoint    string    `json:"endpoint,omitempty"`
	Source      string    `json:"source"` // what names the files
	Cert        string    `json:"cert"`
	Key         string    `json:"key"`
	CA          string    `json:"ca,omitempty"`
	Condition   Condition `json:"condition"`
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`      // hexadecimal
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the certificate, hexadecimal: AWS's certificate id
	Algorithm   string    `json:"keyType"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	DaysLeft    int       `json:"daysLeft"`
	Doubts      string    `json:"doubts,omitempty"` // why servers may refuse it
	Renewal     string    `json:"renewal"`
	Template    string    `json:"template,omitempty"`
}

// Paths are those of an identity, wherever they are.
type Paths struct{ Cert, Key, CA string }

// StatusOf looks at an identity that a configuration names: files, client id and endpoint. within is
// how long before its end a certificate ends soon.
func StatusOf(paths Paths, clientID, endpoint, source string, now time.Time, within time.Duration) (*Status, error) {
	pair, errs := certs.CheckPair(paths.Cert, paths.Key)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if err := CheckGiven(paths.Key); err != nil {
		return nil, err
	}
	s := &Status{ClientID: clientID, Endpoint: endpoint, Source: source, Cert: paths.Cert, Key: paths.Key, CA: paths.CA}
	s.look(pair.Leaf, now, within)
	s.Renewal = fmt.Sprintf("whoever issued it (%s); the agent reads the files again at every attempt to connect", s.Issuer)
	if issuedByAWS(pair.Leaf) {
		s.Renewal = renewalAWS
	}
	return s, nil
}

// renewalAWS is what renews a certificate that AWS IoT has issued.
const renewalAWS = "nothing needs to: AWS IoT issues certificates that are good for decades; for another one, provision again in another folder, or after this one is moved away"

// Status is StatusOf for an identity of its own folder.
func (d *Device) Status(now time.Time, within time.Duration) (*Status, error) {
	s, err := StatusOf(Paths{d.Cert(), d.Key(), d.CA()}, d.Thing, d.Endpoint, d.Dir, now, within)
	if err != nil {
		return nil, err
	}
	s.Template = d.Template
	if d.Source == Local {
		s.Renewal = "pithings provision local --dir FOLDER --renew, in the folder of the authority; then copy its device.crt here"
	}
	return s, nil
}

// Local is About.Source of what package authority makes.
const Local = "pithings provision local"

func (s *Status) look(c *x509.Certificate, now time.Time, within time.Duration) {
	sum := sha256.Sum256(c.Raw)
	s.Fingerprint, s.Serial = hex.EncodeToString(sum[:]), strings.TrimPrefix(c.SerialNumber.Text(16), "-")
	s.Subject, s.Issuer = quietlog.Short(quietlog.OneLine(c.Subject.String())), quietlog.Short(quietlog.OneLine(c.Issuer.String()))
	s.NotBefore, s.NotAfter = c.NotBefore.UTC(), c.NotAfter.UTC()
	left := c.NotAfter.Sub(now)
	s.DaysLeft = int(left / (24 * time.Hour))
	s.Algorithm, s.Doubts = algorithm(c), certs.Doubts(c)
	switch {
	case now.Before(c.NotBefore):
		s.Condition = NotYet
	case left <= 0:
		s.Condition = Ended
	case left <= within:
		s.Condition = EndsSoon
	default:
		s.Condition = Good
	}
}

// issuedByAWS reports whether a certificate is one that AWS IoT makes, by the name of its authority.
func issuedByAWS(c *x509.Certificate) bool {
	return strings.Contains(c.Issuer.String(), "Amazon Web Services")
}

func algorithm(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "EC " + k.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}

// String is for people, a line for each thing.
func (s *Status) String() string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, quietlog.OneLine(value))
		}
	}
	until := s.NotAfter.Format("2006-01-02 15:04 MST")
	switch s.Condition {
	case Good:
		until += fmt.Sprintf(" (%d days)", s.DaysLeft)
	case EndsSoon:
		until += fmt.Sprintf(" (ends soon: %d days)", s.DaysLeft)
	case Ended:
		until += " (it has ended)"
	case NotYet:
		until += " (valid only from " + s.NotBefore.Format("2006-01-02 15:04 MST") + " on: is the clock right?)"
	}
	line("client id", s.ClientID)
	line("endpoint", s.Endpoint)
	line("certificate", s.Subject)
	line("issuer", s.Issuer)
	line("serial", s.Serial)
	line("fingerprint", s.Fingerprint)
	line("key", s.Algorithm)
	line("until", until)
	line("doubts", s.Doubts)
	line("renewed by", s.Renewal)
	line("template", s.Template)
	line("files", strings.Join([]string{s.Cert, s.Key}, ", "))
	line("authority", s.CA)
	line("source", s.Source)
	return b.String()
}
