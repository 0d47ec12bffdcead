package authority

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"pithings/awsiot/provision"
	"pithings/mqttlink/durable"
)

// MaxFleet bounds the devices of Fleet.
const MaxFleet = 10000

// CheckDevice says why a name can be none of a device of an authority, or returns nil: it is a
// common name and a folder, too.
func CheckDevice(name string) error {
	if err := provision.CheckName(name); err != nil {
		return err
	}
	if len(name) > maxCommon {
		return fmt.Errorf("the device's name has %d characters, and a certificate's common name at most %d (RFC 5280)", len(name), maxCommon)
	}
	if strings.Contains(name, ":") {
		return fmt.Errorf("the device's name %q: no file system takes : everywhere; use - instead", name)
	}
	if strings.HasSuffix(name, ".new") {
		return fmt.Errorf("the device's name %q: that ending is of folders that are being made", name)
	}
	return nil
}

// Device makes a device's identity in devices/NAME. The error wraps provision.ErrThere if it has one.
func (a *Authority) Device(name string) (*provision.Device, error) {
	if err := CheckDevice(name); err != nil {
		return nil, err
	}
	dir := a.path(Devices, name)
	if d, err := provision.Read(dir); err == nil {
		return nil, fmt.Errorf("%s is there, good until %s, and %w: --renew makes its certificate anew when it ends soon; or choose another name, or move it away",
			dir, d.Pair.Leaf.NotAfter.UTC().Format("2006-01-02"), provision.ErrThere)
	}
	if err := durable.MakeFolder(a.path(Devices)); err != nil {
		return nil, err
	}
	key, text, err := provision.NewKey()
	if err != nil {
		return nil, err
	}
	cert, err := a.signDevice(name, key.Public())
	if err != nil {
		return nil, err
	}
	f := provision.Files{Key: text, Cert: cert, CA: provision.EncodeCert(a.cert.Raw), Config: provision.Config(name, a.endpoint(), provision.Paths{Cert: provision.CertFile, Key: provision.KeyFile, CA: provision.CAFile},
		"The computer itself is its first thing. More: pithings discover", true),
		About: provision.About{Thing: name, Endpoint: a.endpoint(), Source: provision.Local, Made: a.now().UTC()}}
	if err := provision.Write(dir, f); err != nil {
		return nil, err
	}
	return provision.Read(dir)
}

func (a *Authority) signDevice(name string, public crypto.PublicKey) ([]byte, error) {
	return a.sign(name, public, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
}

// FleetName is the name of the n-th device of a fleet, from 1 on.
func FleetName(n int) string { return fmt.Sprintf("dev-%04d", n) }

// Fleet makes those of n devices that are not there: after a run that was cut off, the rest. progress
// is called after each with how many are there.
func (a *Authority) Fleet(ctx context.Context, n int, progress func(there int)) (made int, err error) {
	if n < 1 || n > MaxFleet {
		return 0, fmt.Errorf("%d devices: give a number from 1 to %d", n, MaxFleet)
	}
	for i := 1; i <= n; i++ {
		if err := ctx.Err(); err != nil {
			return made, context.Cause(ctx)
		}
		_, err := os.Stat(a.path(Devices, FleetName(i)))
		if errors.Is(err, fs.ErrNotExist) {
			if _, err = a.Device(FleetName(i)); err == nil {
				made++
			}
		}
		if err != nil {
			return made, err
		}
		progress(i)
	}
	return made, nil
}

// endpoint is where devices find the broker.
func (a *Authority) endpoint() string {
	if a.Endpoint != "" {
		return a.Endpoint
	}
	host := ""
	for _, h := range a.hosts() { // those of Options.Hosts first
		if strings.HasPrefix(h, "*") {
			continue
		}
		if host == "" || len(a.Hosts) == 0 && strings.HasSuffix(h, ".local") {
			host = h
		}
	}
	return "mqtts://" + net.JoinHostPort(host, "8883")
}
