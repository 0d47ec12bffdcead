package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"pithings/conf"
	"pithings/mqttlink/broker"
)

// broker checks the embedded broker's users and encryption.
func (d *checker) broker(b *Broker) {
	switch t := b.TLS; {
	case (t.Cert == "") != (t.Key == ""):
		d.Bad("broker.tls", "broker.tls: cert and key belong together; give both, or neither for connections without encryption")
	case t.ClientCA != "" && t.Cert == "":
		d.Bad("broker.tls.client_ca", "broker.tls.client_ca: client certificates need encryption; give cert and key")
	}
	names := map[string]bool{}
	for i := range b.Users {
		d.brokerUser(b, &b.Users[i], fmt.Sprintf("broker.users[%d]", i), names)
	}
	if d.Problems.Count() > 0 || d.partial {
		return
	}
	o := broker.Options{MaxMemory: int64(b.MaxMemory), AllowAnonymous: b.AllowAnonymous}
	if len(b.Users) > 0 {
		o.Users = []broker.User{{Name: "any"}}
	}
	if b.TLS.ClientCA != "" {
		o.TLS = &tls.Config{ClientCAs: x509.NewCertPool()}
	}
	if err := o.Check(b.Listen); errors.Is(err, broker.ErrNoLogin) {
		d.Bad("broker.listen", `broker.listen: other hosts can reach %s, and nothing asks them for a password; add users, or let everybody in:
  users: [{name: NAME, password_hash: HASH}]   # made by: pithings hash-password
  allow_anonymous: true                        # everybody on that network may see and send everything`, b.Listen)
	}
	if len(b.Users) > 0 && b.TLS.Cert == "" && !loopback(b.Listen) {
		d.Warn("broker.listen", "broker.listen: connections to %s are not encrypted, so every host on the way can read passwords; give broker.tls a cert and key", b.Listen)
	}
}

// brokerUser checks one user. Hashes are read when the broker starts, as certificates
// are: they may be in files.
func (d *checker) brokerUser(b *Broker, u *BrokerUser, path string, names map[string]bool) {
	switch {
	case u.Name == "":
		d.Bad(path, "broker.users: a user has no name")
	case names[u.Name]:
		d.Bad(conf.Join(path, "name"), "broker.users: user %s is there twice", conf.Quote(u.Name))
	case !u.PasswordHash.IsZero() && u.PasswordFile != "":
		d.Bad(conf.Join(path, "password_file"), "broker.users: user %s has password_hash and password_file; give one", conf.Quote(u.Name))
	}
	names[u.Name] = true
	// An empty list allows nothing; one that is not there is another matter.
	for _, list := range []struct {
		key     string
		filters *[]string
	}{{"publish", &u.Publish}, {"subscribe", &u.Subscribe}} {
		if given := d.Given(conf.Join(path, list.key)); given && *list.filters == nil {
			*list.filters = []string{}
		}
	}
	one := broker.User{Name: u.Name, Hash: u.PasswordHash.Reveal(), Publish: u.Publish, Subscribe: u.Subscribe}
	o := broker.Options{AllowAnonymous: b.AllowAnonymous, Users: []broker.User{one}}
	if b.TLS.ClientCA != "" || u.PasswordFile != "" { // the hash is read later
		o.TLS = &tls.Config{ClientCAs: x509.NewCertPool()}
	}
	if u.Name == "" {
		return
	}
	if err := o.Check("127.0.0.1:1883"); err != nil {
		at := path
		if strings.Contains(err.Error(), "hash: ") {
			at = conf.Join(path, "password_hash")
		}
		d.Bad(at, "broker.users: %v", err)
	}
}
