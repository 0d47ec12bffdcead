package authority

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"pithings/awsiot/provision"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// maxHosts bounds the names of a server.
const maxHosts = 100

// CheckHost says why a text is no name or address that a certificate can have, or returns nil.
func CheckHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if host == "" || len(host) > 253 {
		return fmt.Errorf("the host %q: give a name or an address", host)
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(host, "*."), ".") {
		bad := strings.ContainsFunc(label, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
		})
		if label == "" || len(label) > 63 || bad || strings.HasPrefix(label, "-") {
			return fmt.Errorf("the host %q: give a name such as broker.local, or an address; no scheme and no port", host)
		}
	}
	return nil
}

// hosts are the names that clients use for a broker on this machine, and further ones.
func (a *Authority) hosts() []string {
	var all []string
	add := func(h string) {
		if !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	for _, h := range a.Hosts {
		add(h)
	}
	if h := strings.ToLower(a.Hostname); CheckHost(h) == nil {
		add(h)
		if !strings.Contains(h, ".") {
			add(h + ".local") // as mDNS has it
		}
	}
	for _, h := range []string{"localhost", "127.0.0.1", "::1"} {
		add(h)
	}
	return all
}

// Server makes the broker's key and certificate, if there are none. It reports whether it did.
func (a *Authority) Server() (made bool, err error) {
	if len(a.Hosts) > maxHosts {
		return false, fmt.Errorf("%d hosts are more than the %d that are possible", len(a.Hosts), maxHosts)
	}
	for _, h := range a.Hosts {
		if err := CheckHost(h); err != nil {
			return false, err
		}
	}
	_, err = os.Stat(a.path(ServerCert))
	if errors.Is(err, fs.ErrNotExist) {
		key, err := a.keyIn(a.path(ServerKey))
		if err != nil {
			return false, err
		}
		return true, a.signServer(key.Public(), a.hosts())
	}
	c, err := a.serverCert()
	if err != nil {
		return false, err
	}
	for _, h := range a.Hosts {
		if c.VerifyHostname(h) != nil {
			return false, fmt.Errorf("%s is there, and is not for %s: add --renew, which makes it anew with that name and its present ones", a.path(ServerCert), h)
		}
	}
	return false, nil
}

func (a *Authority) serverCert() (*x509.Certificate, error) {
	if err := provision.CheckMode(a.path(ServerKey)); err != nil {
		return nil, err
	}
	pair, err := certs.ReadPair(a.path(ServerCert), a.path(ServerKey))
	if err != nil {
		return nil, err
	}
	return pair.Leaf, nil
}

// signServer makes server.pem.
func (a *Authority) signServer(public crypto.PublicKey, hosts []string) error {
	text, err := a.sign(clip(hosts[0]), public, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, h := range hosts {
			if ip := net.ParseIP(h); ip != nil {
				c.IPAddresses = append(c.IPAddresses, ip)
			} else {
				c.DNSNames = append(c.DNSNames, h)
			}
		}
	})
	if err != nil {
		return err
	}
	return durable.Replace(a.path(ServerCert), text)
}

// renewServer makes the certificate anew if it ends soon, or lacks one of the hosts.
func (a *Authority) renewServer() (bool, error) {
	c, err := a.serverCert()
	if err != nil {
		return false, err
	}
	hosts, more := append([]string(nil), c.DNSNames...), false
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	for _, h := range a.Hosts {
		if err := CheckHost(h); err != nil {
			return false, err
		}
		if c.VerifyHostname(h) != nil {
			hosts, more = append(hosts, h), true
		}
	}
	if !more && !a.soon(c) {
		return false, nil
	}
	return true, a.signServer(c.PublicKey, hosts)
}
