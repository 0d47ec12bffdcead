package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"os"
)

// Authorities are the certificates that a user trusts to sign others.
type Authorities struct {
	Pool *x509.CertPool

	use  asn1.ObjectIdentifier // what they are trusted for
	path string                // file or folder, as the user gave it
	list []trusted
	odd  int   // certificates that could not be read
	why  error // the first reason
}

// trusted is one authority and the file that it stands in.
type trusted struct {
	cert *x509.Certificate
	file string
}

// ReadAuthorities reads a file of certificates, or every such file of a folder
// (.pem, .crt, .cer, .ca, .der, and .0 as OpenSSL's rehash makes them), by which
// servers are trusted. It fails with a Problem if there is no good certificate; odd ones
// beside good ones are left out.
func ReadAuthorities(path string) (*Authorities, error) { return readAuthorities(path, oidServerAuth) }

// ReadClientAuthorities is ReadAuthorities for a server: by these clients are trusted.
func ReadClientAuthorities(path string) (*Authorities, error) {
	return readAuthorities(path, oidClientAuth)
}

func readAuthorities(path string, use asn1.ObjectIdentifier) (*Authorities, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, problem(BadAuthority, err, "check the path", "CA %s cannot be read (%s)", path, reason(err))
	}
	if info.IsDir() {
		return readFolder(path, use)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, problem(BadAuthority, err, "check the path and its permissions", "CA file %s cannot be read (%s)", path, reason(err))
	}
	a := newAuthorities(path, use)
	if list := a.add(path, data); len(a.list) == 0 {
		if a.odd > 0 {
			return nil, problem(BadAuthority, a.why, "give the authority's certificate as its owner published it", "CA file %s holds no certificate that can be read (%v)", path, a.why)
		}
		what, fix := instead(data, list, path, wantAuthority)
		return nil, problem(BadAuthority, errNoCertificate, fix, "CA file %s %s", path, what)
	}
	return a, nil
}

func newAuthorities(path string, use asn1.ObjectIdentifier) *Authorities {
	return &Authorities{Pool: x509.NewCertPool(), use: use, path: path}
}

// readFolder reads what is good in a folder. A file that cannot be read is odd, as a
// certificate is.
func readFolder(path string, use asn1.ObjectIdentifier) (*Authorities, error) {
	files, err := filesIn(path)
	if err != nil {
		return nil, problem(BadAuthority, err, "check its permissions", "CA folder %s cannot be read (%s)", path, reason(err))
	}
	a := newAuthorities(path, use)
	for _, f := range files {
		data, err := readFile(f)
		if err != nil {
			a.note(fmt.Errorf("%s: %s", f, reason(err)))
			continue
		}
		odd, why := a.odd, a.why
		a.add(f, data)
		if a.odd > odd && why == nil {
			a.why = fmt.Errorf("%s: %w", f, a.why)
		}
	}
	switch {
	case len(a.list) > 0:
		return a, nil
	case a.odd > 0:
		return nil, problem(BadAuthority, a.why, "put the authority's certificate there as its owner published it", "CA folder %s holds no certificate that can be read (%v)", path, a.why)
	}
	return nil, problem(BadAuthority, errNoCertificate, "put the authority's file there, as NAME.pem or NAME.crt, or name the file", "CA folder %s holds no certificate", path)
}

// add takes the certificates of one file.
func (a *Authorities) add(file string, data []byte) []block {
	list := blocks(data)
	good, odd, why := certificates(list, a.use)
	for _, c := range good {
		a.Pool.AddCert(c)
		a.list = append(a.list, trusted{c, file})
	}
	a.odd += odd
	if a.why == nil {
		a.why = why
	}
	return list
}

func (a *Authorities) note(err error) {
	if a.odd++; a.why == nil {
		a.why = err
	}
}

// Odd returns what was left out, or nil: a warning, because what is left may do.
func (a *Authorities) Odd() error {
	if a.odd == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s cannot be read and is left out (%w)", a.path, count(a.odd, "certificate"), a.why)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
