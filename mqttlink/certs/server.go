package certs

import (
	"cmp"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Server is a server whose certificate was refused.
type Server struct {
	Address     string       // HOST:PORT, for messages
	Authorities *Authorities // nil: the system's
	Trust       string       // how a user makes an authority trusted; "": by the setting ca
	Now         time.Time
}

// Web explains why the certificate of a web server was refused, for clients that trust
// the system's authorities. It returns err if that is not about the certificate.
func Web(err error, host string) error {
	s := Server{Address: host, Now: time.Now(), Trust: "copy the authority's file to /usr/local/share/ca-certificates/NAME.crt, run update-ca-certificates, and restart pithings"}
	if p := s.Explain(err); p != nil {
		return p
	}
	return err
}

func (s Server) trust() string { return cmp.Or(s.Trust, "give the authority's file as ca") }

// Explain says why the server's certificate was refused, given the error of the
// handshake. It returns nil if that is not about the certificate.
func (s Server) Explain(err error) *Problem {
	if p := s.unusable(err); p != nil {
		return p
	}
	chain := presented(err)
	if len(chain) == 0 {
		return nil
	}
	w := s.climb(chain)
	for _, check := range []func(way) *Problem{s.time, s.strength, s.authority, s.rights, s.use} {
		if p := check(w); p != nil {
			p.Err = err
			return p
		}
	}
	var host x509.HostnameError
	if errors.As(err, &host) {
		p := s.wrongName(w.leaf(), host.Host)
		p.Err = err
		return p
	}
	return s.other(err)
}

// presented returns the certificates of the server, its own first.
func presented(err error) []*x509.Certificate {
	var v *tls.CertificateVerificationError
	if errors.As(err, &v) {
		return v.UnverifiedCertificates
	}
	return nil
}

// unusable explains a certificate that cannot even be parsed, or whose key crypto/rsa
// refuses before the chain is looked at.
func (s Server) unusable(err error) *Problem {
	text := err.Error()
	if _, why, ok := strings.Cut(text, "failed to parse certificate from server: "); ok {
		return problem(Unfit, err, "its operator must replace it", "the certificate of %s cannot be read (%v)", s.Address, readable(errors.New(why)))
	}
	if _, why, ok := strings.Cut(text, "invalid signature by the server certificate: crypto/rsa: "); ok && strings.Contains(why, "keys are insecure") {
		why, _, _ = strings.Cut(why, " (")
		return problem(Unfit, err, longerKey, "the certificate of %s has a short RSA key, which can be broken (%s)", s.Address, why)
	}
	return nil
}

const longerKey = "make it again with a longer key: openssl … -newkey rsa:2048"

// way is the way from a server's certificate upwards.
type way struct {
	steps    []step
	trusted  bool              // it ends at one of the user's authorities
	namesake *x509.Certificate // has the name of the issuer that is missing, but another key
	file     string            // where that stands
}

// step is one certificate and the file in which it was found; "" if the server sent it.
type step struct {
	cert *x509.Certificate
	file string
}

func (w way) leaf() *x509.Certificate { return w.steps[0].cert }
func (w way) top() step               { return w.steps[len(w.steps)-1] }

// maxSteps bounds the way, and maxNamesakes the certificates tried for one step.
const (
	maxSteps     = 10
	maxNamesakes = 20
)

// climb follows the issuers from a server's certificate. Unlike the verification it
// also goes over certificates that are expired or may not sign others.
func (s Server) climb(chain []*x509.Certificate) way {
	w := way{steps: []step{{cert: chain[0]}}}
	for len(w.steps) < maxSteps {
		last := w.top()
		if file, ok := s.file(last.cert); ok {
			w.steps[len(w.steps)-1].file, w.trusted = file, true
			return w
		}
		next, ok := s.issuerOf(last.cert, chain, &w)
		if !ok || slices.ContainsFunc(w.steps, func(p step) bool { return p.cert.Equal(next.cert) }) {
			return w
		}
		w.steps = append(w.steps, next)
	}
	return w
}

// file returns where one of the user's authorities stands.
func (s Server) file(c *x509.Certificate) (string, bool) {
	if s.Authorities == nil {
		return "", false
	}
	for _, t := range s.Authorities.list {
		if t.cert.Equal(c) {
			return t.file, true
		}
	}
	return "", false
}

// issuerOf finds the certificate that signed c: the user's before the server's, and
// one that is valid now before another.
func (s Server) issuerOf(c *x509.Certificate, chain []*x509.Certificate, w *way) (best step, found bool) {
	var candidates []step
	if s.Authorities != nil {
		for _, t := range s.Authorities.list {
			candidates = append(candidates, step(t))
		}
	}
	for _, sent := range chain {
		candidates = append(candidates, step{cert: sent})
	}
	tried := 0
	for _, p := range candidates {
		if string(p.cert.RawSubject) != string(c.RawIssuer) || tried == maxNamesakes {
			continue
		}
		tried++
		switch {
		case !mayHaveSigned(p.cert, c):
			if !p.cert.Equal(c) && w.namesake == nil {
				w.namesake, w.file = p.cert, p.file
			}
		case !found, !s.valid(best.cert) && s.valid(p.cert):
			best, found = p, true
		}
	}
	return best, found
}

func (s Server) valid(c *x509.Certificate) bool {
	return !s.Now.Before(c.NotBefore) && !s.Now.After(c.NotAfter)
}

// whose says in a message which certificate is meant.
func (s Server) whose(w way, i int) string {
	p := w.steps[i]
	switch {
	case i == 0 && p.file == "":
		return "the certificate of " + s.Address
	case i == 0:
		return fmt.Sprintf("the certificate of %s, which is in %s,", s.Address, p.file)
	case p.file != "":
		return fmt.Sprintf("the authority %s in %s, which signed the certificate of %s,", name(p.cert), p.file, s.Address)
	}
	return fmt.Sprintf("the authority %s, which %s sends along,", name(p.cert), s.Address)
}

// time finds the certificate that is outside its time.
func (s Server) time(w way) *Problem {
	for i, p := range w.steps {
		renew := "its operator must renew it"
		if p.file != "" {
			renew = "put its successor into " + p.file
		}
		if p := validity(s.whose(w, i), renew, p.cert, s.Now); p != nil {
			return p
		}
	}
	return nil
}

// Validity explains a certificate outside its time, with what the clock says, because
// on a Pi it is as often the clock that is wrong. It returns nil for a certificate
// that is valid at now.
func Validity(whose string, c *x509.Certificate, now time.Time) *Problem {
	return validity(whose, "renew it", c, now)
}

func validity(whose, renew string, c *x509.Certificate, now time.Time) *Problem {
	const minute = "2006-01-02 15:04"
	clock := now.UTC().Format(minute)
	switch {
	case c == nil:
		return nil
	case now.Before(c.NotBefore):
		return problem(NotYetValid, nil, "let it get the time (timedatectl), or set it", "%s is valid from %s UTC, but this machine's clock reads %s UTC",
			whose, c.NotBefore.UTC().Format(minute), clock)
	case now.After(c.NotAfter):
		return problem(Expired, nil, renew+", or set the clock if that is wrong", "%s expired on %s UTC (this machine's clock reads %s UTC)",
			whose, c.NotAfter.UTC().Format(minute), clock)
	}
	return nil
}

// leastRSA is the shortest RSA key that crypto/rsa verifies with, in bits.
const leastRSA = 1024

// strength finds signatures and keys that an attacker could forge.
func (s Server) strength(w way) *Problem {
	for i, p := range w.steps {
		// No client verifies the signature of the last one: it is known, or unknown.
		if i+1 < len(w.steps) {
			if a := p.cert.SignatureAlgorithm; forgeable(a) {
				return problem(Unfit, nil, "make it again with openssl … -sha256", "%s is signed with %s, which can be forged", s.whose(w, i), a)
			}
		}
		if k, ok := p.cert.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < leastRSA {
			return problem(Unfit, nil, longerKey, "%s has an RSA key of %d bits, which can be broken", s.whose(w, i), k.N.BitLen())
		}
	}
	return nil
}

// forgeable reports whether others can make signatures of that kind.
func forgeable(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// authority says what leads from the server's certificate to no authority.
func (s Server) authority(w way) *Problem {
	if s.Authorities == nil {
		return s.notOfSystem(w)
	}
	if w.trusted {
		return nil
	}
	top := w.top().cert
	in := s.Authorities.path
	switch {
	case w.namesake != nil && w.file != "":
		return problem(UnknownCA, nil, "the authority was made anew after it signed; give the old file, or sign the certificate again with the new one",
			"the certificate of %s is from another authority of the same name: %s in %s has another key", s.Address, name(w.namesake), w.file)
	case selfIssued(top) && len(w.steps) == 1:
		return problem(UnknownCA, nil, "give that certificate as ca; this saves it: "+s.show(),
			"the certificate of %s is signed by itself and not from an authority in %s (%s)", s.Address, in, s.Authorities.holds())
	case selfIssued(top):
		return problem(UnknownCA, nil, "give the file of that authority as ca", "the certificate of %s is not from an authority in %s (%s), but from %s", s.Address, in, s.Authorities.holds(), name(top))
	}
	return problem(UnknownCA, nil, fmt.Sprintf("give the file of the authority that issued it as ca; if %s is an intermediate one, the server must send its certificate too (append it to the server's certificate file)", issuer(top)),
		"the certificate of %s is not from an authority in %s (%s): it was issued by %s, whose certificate the server does not send", s.Address, in, s.Authorities.holds(), issuer(top))
}

// notOfSystem is authority where the user named none.
func (s Server) notOfSystem(w way) *Problem {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	between := x509.NewCertPool()
	for _, p := range w.steps[1:] {
		between.AddCert(p.cert)
	}
	_, err = w.leaf().Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: s.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		return nil
	}
	fix := s.trust()
	if selfIssued(w.leaf()) {
		if s.Trust == "" {
			fix = "give that certificate as ca; this saves it: " + s.show()
		}
		return problem(UnknownCA, nil, fix, "the certificate of %s is signed by itself and not from an authority that this system knows", s.Address)
	}
	if !selfIssued(w.top().cert) {
		fix += fmt.Sprintf("; or, if %s is an intermediate one, let the server send its certificate too", issuer(w.top().cert))
	}
	return problem(UnknownCA, nil, fix, "the certificate of %s is from an authority that this system does not know, %s", s.Address, issuer(w.top().cert))
}

func selfIssued(c *x509.Certificate) bool { return string(c.RawSubject) == string(c.RawIssuer) }

func (s Server) show() string {
	return "openssl s_client -connect " + shell(s.Address) + " </dev/null | openssl x509 -out ca.pem (compare its fingerprint)"
}

// holds lists the authorities of the user.
func (a *Authorities) holds() string {
	var names []string
	for _, t := range a.list {
		if len(names) == 3 {
			names = append(names, "…")
			break
		}
		names = append(names, name(t.cert))
	}
	text := "which holds " + strings.Join(names, ", ")
	if a.odd > 0 {
		text += fmt.Sprintf(", and %s that cannot be read", count(a.odd, "certificate"))
	}
	return text
}

// rights finds an authority that may not sign certificates.
func (s Server) rights(w way) *Problem {
	for i := 1; i < len(w.steps); i++ {
		c := w.steps[i].cert
		switch {
		case c.Version == 3 && !(c.BasicConstraintsValid && c.IsCA):
			return problem(Unfit, nil, `make it again with openssl req -x509 … -addext basicConstraints=critical,CA:TRUE`,
				"%s is not marked as an authority", s.whose(w, i))
		case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
			return problem(Unfit, nil, `make it again with openssl req -x509 … -addext keyUsage=critical,keyCertSign,cRLSign`,
				"%s may not sign certificates, says its key usage", s.whose(w, i))
		case c.BasicConstraintsValid && (c.MaxPathLen > 0 || c.MaxPathLenZero) && i-1 > c.MaxPathLen:
			return problem(Unfit, nil, "sign the server's certificate with an authority further up, or make this one again with a larger pathlen",
				"%s allows only %d authorities below it (pathlen), and there are %d", s.whose(w, i), c.MaxPathLen, i-1)
		}
	}
	return nil
}

// use finds a certificate that is not for servers.
func (s Server) use(w way) *Problem {
	for i, p := range w.steps {
		c := p.cert
		if len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 || i == len(w.steps)-1 && i > 0 && w.trusted {
			continue
		}
		if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
			return problem(Unfit, nil, "make it again with -addext extendedKeyUsage=serverAuth, or without extendedKeyUsage", "%s is not for servers (extended key usage)", s.whose(w, i))
		}
	}
	return nil
}

// other explains by the verification's error what the checks did not find.
func (s Server) other(err error) *Problem {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var critical x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &invalid) && (invalid.Reason == x509.Expired):
		if p := validity("the certificate "+name(invalid.Cert)+", which "+s.Address+" depends on,", "renew it", invalid.Cert, s.Now); p != nil {
			p.Err = err
			return p
		}
	case errors.As(err, &invalid):
		return problem(Unfit, err, "its operator must replace it", "the certificate of %s cannot be used (%s)", s.Address, clip(invalid.Error()))
	case errors.As(err, &unknown):
		return problem(UnknownCA, err, s.trust(), "the certificate of %s is from an authority that is not trusted", s.Address)
	case errors.As(err, &critical):
		return problem(Unfit, err, "its operator must replace it by one without", "the certificate of %s has a critical extension that pithings does not know", s.Address)
	}
	return problem(Unfit, err, "its operator must replace it", "the certificate of %s cannot be used (%s)", s.Address, clip(err.Error()))
}
