package authority

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"pithings/awsiot/provision"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// Renewed says what Renew has made anew.
type Renewed struct {
	CA, Server bool
	Devices    []string
	Looked     int // devices
}

// soonDays is how long before its end a certificate is made anew.
const soonDays = 30

// soon reports whether a certificate ends within 30 days, or a third of its time if that is less.
func (a *Authority) soon(c *x509.Certificate) bool {
	within := min(soonDays*24*time.Hour, c.NotAfter.Sub(c.NotBefore)/3)
	return c.NotAfter.Sub(a.now()) < within
}

// Renew opens the authority in a folder, and makes the certificates anew that end soon, for the keys
// that they have. A device's key need not be there any more. progress is called after each device.
func Renew(ctx context.Context, dir string, o Options, progress func(looked, of int)) (r Renewed, err error) {
	if _, err := os.Stat(filepath.Join(dir, CACert)); err != nil {
		return r, fmt.Errorf("no authority is in the folder %s (%w): without --renew it is made", dir, err)
	}
	a, err := open(dir, o, func(a *Authority) (err error) {
		if r.CA, err = a.renewCA(); err != nil {
			return err
		}
		return a.read()
	})
	if err != nil {
		return r, err
	}
	defer a.Close()
	if _, err := os.Stat(a.path(ServerCert)); err == nil {
		if r.Server, err = a.renewServer(); err != nil {
			return r, err
		}
	}
	entries, err := os.ReadDir(a.path(Devices))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	for i, e := range entries {
		if err := ctx.Err(); err != nil {
			return r, context.Cause(ctx)
		}
		if !e.IsDir() || CheckDevice(e.Name()) != nil {
			continue
		}
		r.Looked++
		anew, err := a.renewDevice(e.Name(), r.CA)
		if err != nil {
			return r, err
		}
		if anew {
			r.Devices = append(r.Devices, e.Name())
		}
		progress(i+1, len(entries))
	}
	return r, nil
}

// renewCA makes ca.pem anew, of the same key and name, if it ends soon or has ended.
func (a *Authority) renewCA() (bool, error) {
	if err := provision.CheckMode(a.path(CAKey)); err != nil {
		return false, err
	}
	pair, err := certs.ReadPair(a.path(CACert), a.path(CAKey))
	if err != nil || !pair.Leaf.IsCA || !a.soon(pair.Leaf) {
		return false, err
	}
	a.cert, a.key = pair.Leaf, pair.PrivateKey.(crypto.Signer)
	return true, a.signSelf()
}

// renewDevice makes a device's certificate anew if it ends soon; newCA says that its ca.pem is an old
// one.
func (a *Authority) renewDevice(name string, newCA bool) (bool, error) {
	file := a.path(Devices, name, provision.CertFile)
	text, err := durable.ReadFile(file, 64<<10)
	if err != nil {
		return false, fmt.Errorf("%w: put it back, or move %s away", err, a.path(Devices, name))
	}
	c, err := provision.ParseCert(text)
	if err != nil {
		return false, fmt.Errorf("certificate %s: %w: move %s away", file, err, a.path(Devices, name))
	}
	if c.Subject.CommonName != name || c.CheckSignatureFrom(a.cert) != nil {
		return false, fmt.Errorf("certificate %s is not the one that this authority made for %s: move %s away", file, name, a.path(Devices, name))
	}
	if newCA {
		if err := durable.Replace(a.path(Devices, name, provision.CAFile), provision.EncodeCert(a.cert.Raw)); err != nil {
			return false, err
		}
	}
	// The end of the old authority may have cut its time short.
	if !a.soon(c) && !(newCA && c.NotAfter.Sub(a.now()) < soonDays*24*time.Hour) {
		return false, nil
	}
	if text, err = a.signDevice(name, c.PublicKey); err != nil {
		return false, err
	}
	return true, durable.Replace(file, text)
}
