package broker

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"pithings/mqttlink/broker/internal/access"
)

// User is a user who may connect; see Options.Users.
type User = access.User

// Options bound what clients can make the broker do. Zero values mean the
// defaults given.
type Options struct {
	// MaxMemory is the budget, in bytes, for all that the broker keeps: retained
	// messages, the queues of sessions, what is being read and written. 16 MiB; at
	// least 4 MiB. The process takes up to twice as much, until garbage is collected.
	MaxMemory  int64
	MaxPacket  int // bytes of the largest publish, 1 MiB; at most a quarter of MaxMemory
	MaxClients int // connections at a time, 256
	// SessionExpiry is how long a session is kept for an absent client: 2 h.
	SessionExpiry time.Duration

	// Users may connect with their password or certificate. Without any, and without
	// certificates, every client may, on the loopback interface.
	Users []User
	// AllowAnonymous lets clients in that give no name, also from the network.
	AllowAnonymous bool

	// TLS encrypts; with ClientCAs, a verified certificate is a login, its common name
	// the user. How certificates are asked for is decided by Start.
	TLS *tls.Config
}

// Limits of Options.
const (
	MinMemory = 4 << 20
	MaxMemory = 1 << 30
)

// ErrNoLogin is wrapped when an address can be reached from the network, and clients
// would need no login.
var ErrNoLogin = errors.New("other hosts can reach it, and nothing asks them for a password; add users (broker.users), or write allow_anonymous: true if every host on that network may see and send everything")

func (o Options) withDefaults() Options {
	o.MaxMemory = cmp.Or(o.MaxMemory, 16<<20)
	o.MaxPacket = cmp.Or(o.MaxPacket, min(1<<20, int(o.MaxMemory/4)))
	o.MaxClients = cmp.Or(o.MaxClients, 256)
	o.SessionExpiry = cmp.Or(o.SessionExpiry, 2*time.Hour)
	return o
}

// Check returns the first thing wrong with options for an address, without listening.
func (o Options) Check(addr string) error {
	o = o.withDefaults()
	host, _, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		return fmt.Errorf("address %q: write it like 127.0.0.1:1883: %w", addr, err)
	case o.MaxMemory < MinMemory || o.MaxMemory > MaxMemory:
		return fmt.Errorf("a budget of %d bytes: it is from %d to %d", o.MaxMemory, MinMemory, MaxMemory)
	case o.MaxPacket < 0 || int64(o.MaxPacket) > o.MaxMemory/4:
		return fmt.Errorf("packets of %d bytes: the limit is a quarter of the budget, %d", o.MaxPacket, o.MaxMemory/4)
	case o.MaxClients < 0 || o.SessionExpiry < 0:
		return errors.New("numbers and times are positive")
	}
	if err := o.rules(addr).Check(); err != nil {
		return err
	}
	if !loopback(host) && len(o.Users) == 0 && !o.AllowAnonymous && !o.certificates() {
		return ErrNoLogin
	}
	return nil
}

func (o Options) certificates() bool { return o.TLS != nil && o.TLS.ClientCAs != nil }

func (o Options) rules(addr string) access.Rules {
	host, _, _ := net.SplitHostPort(addr)
	return access.Rules{
		Users:          o.Users,
		AllowAnonymous: o.AllowAnonymous || len(o.Users) == 0 && !o.certificates() && loopback(host),
		Certificates:   o.certificates(),
	}
}

// loopback reports whether a host is this computer for sure: what a name stands for
// may change.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// tlsConfig is the configuration to listen with.
func (o Options) tlsConfig() *tls.Config {
	if o.TLS == nil {
		return nil
	}
	c := o.TLS.Clone()
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	if c.ClientCAs != nil {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if o.AllowAnonymous || o.passwords() {
			c.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return c
}

// passwords reports whether a user can log in with one.
func (o Options) passwords() bool {
	for _, u := range o.Users {
		if u.Hash != "" {
			return true
		}
	}
	return false
}

// gate makes the gate of the options.
func (o Options) gate(addr string) (*access.Gate, error) { return access.NewGate(o.rules(addr), nil) }
