package authority

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"pithings/awsiot/provision"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// The files of an authority.
const (
	CAKey      = "ca.key"
	CACert     = "ca.pem"
	ServerKey  = "server.key"
	ServerCert = "server.pem"
	Devices    = "devices"
)

// Lifetimes of certificates. That of others is what the makers of browsers and telephones accept for
// a server.
const (
	CADays = 3650
	Days   = 825
)

// Options say what is made.
type Options struct {
	Days int // of server and devices, 825 if it is 0; never longer than the authority's
	// Hosts are names and addresses of the broker, beside those of this machine.
	Hosts []string
	// Hostname is this machine's.
	Hostname string
	// Endpoint is the broker's URL for devices; "": by the first of Hosts, or this machine's name.
	Endpoint string
	// BrokerDir is where the broker will have its files; "": here.
	BrokerDir string

	now func() time.Time
}

// Authority is one that is open.
type Authority struct {
	Dir  string
	cert *x509.Certificate
	key  crypto.Signer
	lock *os.File
	Options
}

// Open opens the authority in a folder, and makes it if the folder has none. Close releases it.
func Open(dir string, o Options) (*Authority, error) {
	return open(dir, o, (*Authority).load)
}

func open(dir string, o Options, load func(*Authority) error) (a *Authority, err error) {
	o.Days, o.now = cmp.Or(o.Days, Days), orNow(o.now)
	if err := durable.MakeFolder(dir); err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err == nil && os.PathSeparator == '/' && info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("other users can change the folder %s (mode %04o): chmod 700 %s, or name another", dir, info.Mode().Perm(), provision.Quote(dir))
	}
	a = &Authority{Dir: dir, Options: o}
	if a.lock, err = durable.OpenFile(a.path("lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	ok, err := durable.TryLock(a.lock)
	if err == nil && !ok {
		err = fmt.Errorf("another pithings provision works in %s: wait for its end", dir)
	}
	if err == nil {
		err = load(a)
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func orNow(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

// Close releases the folder.
func (a *Authority) Close() { a.lock.Close() }

// Until is the end of the authority's own certificate.
func (a *Authority) Until() time.Time { return a.cert.NotAfter }

func (a *Authority) path(name ...string) string {
	return filepath.Join(append([]string{a.Dir}, name...)...)
}

// load reads or makes the authority's key and certificate.
func (a *Authority) load() error {
	_, noCert := os.Stat(a.path(CACert))
	_, noKey := os.Stat(a.path(CAKey))
	switch {
	case noCert == nil && errors.Is(noKey, fs.ErrNotExist):
		return fmt.Errorf("%s has no %s, without which nothing can be signed: put it back, or name another folder to begin a new authority", a.Dir, CAKey)
	case errors.Is(noCert, fs.ErrNotExist):
		return a.make()
	}
	return a.read()
}

func (a *Authority) read() error {
	if err := provision.CheckMode(a.path(CAKey)); err != nil {
		return err
	}
	pair, err := certs.ReadPair(a.path(CACert), a.path(CAKey))
	if err != nil {
		return err
	}
	a.cert, a.key = pair.Leaf, pair.PrivateKey.(crypto.Signer)
	switch now := a.now(); {
	case !a.cert.IsCA:
		return fmt.Errorf("%s is no authority's certificate: name another folder", a.path(CACert))
	case now.After(a.cert.NotAfter):
		return fmt.Errorf("the authority's certificate %s ended on %s: pithings provision local --dir %s --renew makes it anew", a.path(CACert), a.cert.NotAfter.UTC().Format(time.DateOnly), provision.Quote(a.Dir))
	}
	return nil
}

// make makes the authority's certificate, and its key if an earlier run has not.
func (a *Authority) make() (err error) {
	if a.key, err = a.keyIn(a.path(CAKey)); err != nil {
		return err
	}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: clip("pithings CA of " + a.Hostname)}}
	return a.signSelf()
}

// maxCommon bounds a common name (RFC 5280 appendix A.1, ub-common-name), in characters.
const maxCommon = 64

func clip(s string) string { return s[:min(len(s), maxCommon)] }

// signSelf makes ca.pem, of a.key and the subject of a.cert.
func (a *Authority) signSelf() error {
	c, err := a.template(a.cert.Subject.CommonName, a.now().AddDate(0, 0, CADays))
	if err != nil {
		return err
	}
	c.RawSubject = a.cert.RawSubject // of one that is renewed: issued certificates name it
	c.IsCA, c.BasicConstraintsValid, c.MaxPathLenZero = true, true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, c, c, a.key.Public(), a.key)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return durable.Replace(a.path(CACert), provision.EncodeCert(der))
}

// keyIn returns the private key of a file, which it makes if there is none.
func (a *Authority) keyIn(path string) (crypto.Signer, error) {
	if _, err := os.Lstat(path); err == nil {
		return readKey(path)
	}
	key, text, err := provision.NewKey()
	if err != nil {
		return nil, err
	}
	return key, durable.Replace(path, text)
}

// readKey reads a key whose certificate a cut has prevented.
func readKey(path string) (crypto.Signer, error) {
	if err := provision.CheckMode(path); err != nil {
		return nil, err
	}
	text, err := durable.ReadFile(path, 64<<10)
	if err != nil {
		return nil, err
	}
	key, err := provision.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w: move it away", path, err)
	}
	if _, ok := key.(*ecdsa.PrivateKey); !ok {
		return nil, fmt.Errorf("private key %s is none of ours, which are on the curve P-256: move it away", path)
	}
	return key, nil
}

// template is a certificate from an hour ago on, for machines whose clock is a little slow.
func (a *Authority) template(name string, until time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // RFC 5280 section 4.1.2.2: at most 20 bytes, positive
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: a.now().Add(-time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
	}, nil
}

// sign makes a certificate for a key. complete adds what it is for.
func (a *Authority) sign(name string, public crypto.PublicKey, complete func(*x509.Certificate)) ([]byte, error) {
	until := a.now().AddDate(0, 0, a.Days)
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	c, err := a.template(name, until)
	if err != nil {
		return nil, err
	}
	complete(c)
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, public, a.key)
	return provision.EncodeCert(der), err
}
