package agent

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"strings"

	"pithings/agent/config"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/certs"
)

// BrokerOptions translates the embedded broker's configuration. It reads the files of
// certificates and hashes.
func BrokerOptions(c *config.Broker) (broker.Options, error) {
	o := broker.Options{MaxMemory: int64(c.MaxMemory), SessionExpiry: c.SessionExpiry.Duration, AllowAnonymous: c.AllowAnonymous}
	for _, u := range c.Users {
		hash := u.PasswordHash.Reveal()
		if u.PasswordFile != "" {
			var err error
			if hash, err = readHash(u.PasswordFile, u.Name); err != nil {
				return o, fmt.Errorf("broker.users: user %q: password_file: %w", u.Name, err)
			}
		}
		o.Users = append(o.Users, broker.User{Name: u.Name, Hash: hash, Publish: u.Publish, Subscribe: u.Subscribe})
	}
	if c.TLS.Cert == "" {
		return o, nil
	}
	pair, err := certs.ReadPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return o, fmt.Errorf("broker.tls: %w", err)
	}
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	if c.TLS.ClientCA != "" {
		a, err := certs.ReadClientAuthorities(c.TLS.ClientCA)
		if err != nil {
			return o, fmt.Errorf("broker.tls.client_ca: %w", err)
		}
		o.TLS.ClientCAs = a.Pool
	}
	return o, nil
}

// maxHashFile bounds a file of hashes; a line of mosquitto_passwd has 150 bytes.
const maxHashFile = 1 << 20

// readHash returns the hash of a user in a file: in the line NAME:HASH, or alone in
// the first line.
func readHash(path, name string) (string, error) {
	if info, err := os.Stat(path); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() { // a named pipe would wait for a writer
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	first := ""
	for lines := bufio.NewScanner(io.LimitReader(f, maxHashFile)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if hash, ok := strings.CutPrefix(line, name+":"); ok {
			return hash, nil
		}
		first = cmp.Or(first, line)
	}
	if strings.HasPrefix(first, "$") {
		return first, nil
	}
	return "", fmt.Errorf("%s has no line %s:HASH, nor a hash alone in its first line; write one with: pithings hash-password > FILE", path, name)
}
