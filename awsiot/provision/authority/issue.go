package authority

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Existing opens the authority that is in a folder, and makes none.
func Existing(dir string) (*Authority, error) {
	for _, name := range []string{CACert, CAKey} {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s has no %s, without which nothing can be signed", dir, name)
		}
	}
	return open(dir, Options{}, (*Authority).read)
}

// Issue returns a device's certificate in DER, good until a time, at most that of the authority's;
// zero is as long as others. No file is written.
func (a *Authority) Issue(name string, public crypto.PublicKey, until time.Time) ([]byte, error) {
	if err := CheckDevice(name); err != nil {
		return nil, err
	}
	if until.IsZero() {
		until = a.now().AddDate(0, 0, a.Days)
	}
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	c, err := a.template(name, until)
	if err != nil {
		return nil, err
	}
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return x509.CreateCertificate(rand.Reader, c, a.cert, public, a.key)
}
