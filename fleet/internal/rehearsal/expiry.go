package rehearsal

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"pithings/awsiot/provision/authority"
	"pithings/fleet/scenario"
)

// expiry gives devices certificates that end at a time of a scenario. They are signed with the
// authority's key and are in memory only: no file is changed.
type expiry struct {
	authority *authority.Authority
	all       map[int]*expiring
}

// expiring is what one device shows.
type expiring struct {
	now            atomic.Pointer[tls.Config]
	ended, renewed *tls.Config // of the next time that its certificate ends, and behind it
	own            *tls.Config // from its files
}

// newExpiry opens the authority of a folder of identities; nil: no certificate ends.
func newExpiry(p *scenario.Plan, o Options) (*expiry, error) {
	e := &expiry{all: map[int]*expiring{}}
	for f := range p.Faults {
		if p.Faults[f].Do != scenario.Expire {
			continue
		}
		if o.Own == nil {
			return nil, fmt.Errorf("%s at %s: certificates end of devices that have their own: give --identities, the folder of pithings provision local --count", scenario.Expire, p.Faults[f].At)
		}
		for i := range o.Devices {
			if p.Hits(f, i) && e.all[i] == nil {
				e.all[i] = &expiring{own: o.Own[i]}
				e.all[i].now.Store(o.Own[i])
			}
		}
	}
	if len(e.all) == 0 {
		return nil, nil
	}
	dir := o.Identities
	if _, err := os.Stat(filepath.Join(dir, authority.Devices)); err != nil { // it is that folder itself
		dir = filepath.Dir(filepath.Clean(dir))
	}
	var err error
	if e.authority, err = authority.Existing(dir); err != nil {
		return nil, fmt.Errorf("%s needs the key of the authority that made the identities: %w", scenario.Expire, err)
	}
	e.authority.Close() // it stays good for signing
	return e, nil
}

// of is the configuration with which a device connects, or nil for those whose certificates do not end.
func (e *expiry) of(device int) *tls.Config {
	if x := e.all[device]; x != nil {
		return x.now.Load()
	}
	return nil
}

// begin makes the certificates of a scenario that starts now.
func (e *expiry) begin(p *scenario.Plan, start time.Time) error {
	for i, x := range e.all {
		end := scenario.Never
		for f := range p.Faults {
			if p.Faults[f].Do == scenario.Expire && p.Hits(f, i) {
				end = min(end, p.From(f))
			}
		}
		// A certificate counts whole seconds, and is good in its last one (RFC 5280 section 4.1.2.5).
		short, err := e.issue(x.own, start.Add(end-time.Second))
		if err != nil {
			return err
		}
		renewed, err := e.issue(x.own, time.Time{})
		if err != nil {
			return err
		}
		x.renewed = renewed
		x.ended = short.Clone()
		x.ended.ClientSessionCache = tls.NewLRUClientSessionCache(1) // who resumes a session shows no certificate
		x.now.Store(short)
	}
	return nil
}

// issue makes a device a certificate for its key, of its name, until a time; zero: as long as others.
func (e *expiry) issue(own *tls.Config, until time.Time) (*tls.Config, error) {
	pair, err := own.GetClientCertificate(nil)
	if err != nil {
		return nil, err
	}
	der, err := e.authority.Issue(pair.Leaf.Subject.CommonName, pair.Leaf.PublicKey, until)
	if err != nil {
		return nil, err
	}
	c := own.Clone()
	c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	mine := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: pair.PrivateKey}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return mine, nil }
	return c, nil
}

// turn makes a device show the certificate that has ended, or another one.
func (e *expiry) turn(device int, ended bool) {
	x := e.all[device]
	if x == nil {
		return
	}
	if ended {
		x.now.Store(x.ended)
	} else {
		x.now.Store(x.renewed)
	}
}
