package fleet

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"

	"pithings/awsiot"
	"pithings/awsiot/provision"
	"pithings/awsiot/provision/authority"
	"pithings/mqttlink/certs"
)

// identities are what devices show of themselves in a handshake.
type identities struct {
	shared *tls.Config
	own    []*tls.Config // of devices with certificates of their own
	alpn   []string      // of those
}

// of is Options.TLS of the engine.
func (i *identities) of(device int) *tls.Config {
	if i.own != nil {
		return i.own[device]
	}
	return i.shared
}

// readTLS reads the certificates of a plan, and the names of devices that have their own.
func (p *plan) readTLS() (*identities, error) {
	if !p.endpoint.TLS() {
		if p.Identities != "" {
			return nil, fmt.Errorf("%s is not encrypted, and identities are certificates: write mqtts://", p.endpoint)
		}
		return nil, nil
	}
	all, ca := &identities{}, p.Broker.CA
	var devices []*provision.Device
	switch {
	case p.Identities == "":
	case p.Factory: // which makes them
		ca = cmp.Or(ca, filepath.Join(p.Identities, authority.CACert))
	default:
		var err error
		devices, err = readIdentities(p.Identities, p.Devices)
		if err == nil && p.rogues() > 0 { // one more, as a witness, if there is
			if more, err := readIdentities(p.Identities, p.Devices+1); err == nil {
				devices = more
			}
		}
		if err != nil {
			return nil, err
		}
		ca = cmp.Or(ca, devices[0].CA())
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: cmp.Or(p.Broker.ServerName, p.endpoint.Host),
		NextProtos: p.Broker.ALPN,
		// Those of microcontrollers and of AWS IoT Core. ML-KEM, which Go would offer, too, needs a
		// large key for each handshake: a sixth of its processor time.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		// Resumed handshakes have no certificates and no signatures.
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	if ca != "" {
		a, err := certs.ReadAuthorities(ca)
		if err != nil {
			return nil, err
		}
		c.RootCAs = a.Pool
	}
	all.shared, all.alpn = c, awsiot.ALPN(p.Broker.Endpoint, true, false)
	switch {
	case devices != nil:
		for _, d := range devices {
			all.own = append(all.own, all.device(d))
			p.names = append(p.names, d.Thing)
		}
		if len(p.names) > p.Devices {
			p.spare = p.names[p.Devices]
			p.names = p.names[:p.Devices]
		}
	case p.Broker.Cert != "":
		pair, err := certs.ReadPair(p.Broker.Cert, p.Broker.Key)
		if err != nil {
			return nil, err
		}
		c.GetClientCertificate = certificate(&pair)
	}
	return all, nil
}

// device is what a device with a certificate of its own shows.
func (i *identities) device(d *provision.Device) *tls.Config {
	one := i.shared.Clone()
	one.GetClientCertificate = certificate(&d.Pair)
	one.ClientSessionCache = new(ticket)
	if one.NextProtos == nil { // Broker shows no certificate that it could follow from
		one.NextProtos = i.alpn
	}
	return one
}

// certificate shows a certificate whatever authorities the broker names: one that refuses it
// then says so.
func certificate(pair *tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
}

// ticket is the session of one device. Devices with certificates of their own must not share one:
// who resumes a session is who began it.
type ticket struct {
	mu sync.Mutex
	s  *tls.ClientSessionState
}

// Get implements tls.ClientSessionCache. A device has one broker, so one entry.
func (t *ticket) Get(string) (*tls.ClientSessionState, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.s, t.s != nil
}

// Put implements tls.ClientSessionCache.
func (t *ticket) Put(_ string, s *tls.ClientSessionState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.s = s
}

// readIdentities reads the first n identities of a folder, in order of their names.
func readIdentities(dir string, n int) ([]*provision.Device, error) {
	if below := filepath.Join(dir, authority.Devices); isFolder(below) {
		dir = below
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("identities: %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(dir, e.Name(), provision.AboutFile)); err == nil {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	if len(names) < n {
		return nil, fmt.Errorf("identities: %d devices are asked for, and %s has %d; make more: pithings provision local --dir … --count %d", n, dir, len(names), n)
	}
	all := make([]*provision.Device, n)
	for i, name := range names[:n] {
		if all[i], err = provision.Read(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// IdentityEndpoint is the broker's URL as the first of a folder of identities has it; "" if it has
// none.
func IdentityEndpoint(dir string) (string, error) {
	all, err := readIdentities(dir, 1)
	if err != nil {
		return "", err
	}
	return all[0].Endpoint, nil
}
