package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pithings/awsiot/provision"
	"pithings/conf"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// maxPassword is what MQTT can carry (3.1.1, section 3.1.3.5).
const maxPassword = 65535

// utf8BOM is the byte order mark in UTF-8.
const utf8BOM = "\uFEFF"

// maxPasswordFile is the largest file with one, in bytes: only its first line counts.
const maxPasswordFile = 1 << 20

// Connections calls f for every connection with its path in the file.
func (c *Config) Connections(f func(m *MQTT, path string)) {
	f(&c.MQTT, "mqtt")
	for i := range c.Things {
		if m := c.Things[i].MQTT; m != nil {
			f(m, fmt.Sprintf("things[%d].mqtt", i))
		}
	}
}

// locate makes the relative paths of certificates, keys, password files and flows
// absolute or relative to the working directory.
func locate(r *conf.Report, c *Config, env []string) {
	credentials := ""
	for _, e := range env {
		if dir, ok := strings.CutPrefix(e, conf.CredentialsDirectory+"="); ok {
			credentials = dir
		}
	}
	r.Locate(c, "", credentials)
	// Inherited paths follow the shared connection's.
	c.Connections(func(m *MQTT, path string) {
		for _, f := range []struct {
			file *string
			from string
			key  string
		}{{&m.CA, c.MQTT.CA, "ca"}, {&m.Cert, c.MQTT.Cert, "cert"}, {&m.Key, c.MQTT.Key, "key"}} {
			if own := r.Given(conf.Join(path, f.key)); !own {
				*f.file = f.from
			}
		}
		file := r.Given(conf.Join(path, "password_file"))
		text := r.Given(conf.Join(path, "password"))
		if !file && !text {
			m.PasswordFile = c.MQTT.PasswordFile
		}
	})
}

// readPasswords fills in the passwords that stand in files.
func readPasswords(r *conf.Report, c *Config) {
	read := map[string]conf.Secret{}
	c.Connections(func(m *MQTT, path string) {
		if m.accepted {
			m.PasswordFile = ""
		}
		if m.PasswordFile == "" || !m.Password.IsZero() {
			return
		}
		p, known := read[m.PasswordFile]
		if !known {
			text, err := readPassword(m.PasswordFile)
			if err != nil {
				r.Bad(conf.Join(path, "password_file"), "password_file: %v", err)
			}
			p = conf.NewSecret(text)
			read[m.PasswordFile] = p
		}
		m.Password = p
	})
}

func readPassword(path string) (string, error) {
	text, err := durable.ReadFile(path, maxPasswordFile)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	// Windows editors put a mark before the text; PowerShell's > writes UTF-16.
	line = strings.TrimRight(strings.TrimPrefix(line, utf8BOM), "\r\n")
	switch {
	case strings.HasPrefix(line, "\xff\xfe"), strings.HasPrefix(line, "\xfe\xff"):
		return "", fmt.Errorf("%s is UTF-16 text; save it as UTF-8 (in PowerShell: Set-Content -Encoding utf8)", path)
	case line == "":
		return "", fmt.Errorf("the first line of %s is empty; it has to be the password", path)
	case len(line) > maxPassword:
		return "", fmt.Errorf("the first line of %s is too long for a password", path)
	}
	return line, nil
}

// secrets calls f for every file that holds nothing but a secret, with its place and
// what it holds.
func (c *Config) secrets(f func(place, file, what string)) {
	c.Connections(func(m *MQTT, path string) {
		f(conf.Join(path, "key"), m.Key, "private key")
		f(conf.Join(path, "password_file"), m.PasswordFile, "password in")
	})
	f("broker.tls.key", c.Broker.TLS.Key, "private key")
	f("http.tls.key", c.HTTP.TLS.Key, "private key")
	f("http.token_file", c.HTTP.TokenFile, "token in")
	for i, u := range c.Broker.Users {
		f(fmt.Sprintf("broker.users[%d].password_file", i), u.PasswordFile, "password hashes in")
	}
	if c.Services.Secrets == "" {
		return
	}
	entries, _ := os.ReadDir(c.Services.Secrets) // what is wrong with the folder agent.Check reports
	for _, e := range entries {
		f("services.secrets", filepath.Join(c.Services.Secrets, e.Name()), "secret in")
	}
}

// refuseExposed refuses secrets that every user of this system can read in files of their own, each
// named once however many connections use it, and warns of those in the configuration, which holds
// other things, too.
func refuseExposed(r *conf.Report, c *Config) {
	named := map[string]bool{"": true}
	c.secrets(func(place, file, what string) {
		if !named[file] && certs.Exposed(file) {
			r.Bad(place, "every user of this system can read the %s %s; if none of them has taken it: chmod o= %s", what, file, provision.Quote(file))
		}
		named[file] = true
	})
	inFile := func(place string, secret conf.Secret, what string) {
		if r.InFile(place) && !secret.IsZero() && certs.Exposed(r.Source) {
			r.Warn(place, "every user of this system can read the %s in this file; chmod o-r %s, or use password_file", what, r.Source)
		}
	}
	c.Connections(func(m *MQTT, path string) { inFile(conf.Join(path, "password"), m.Password, "password") })
	for i, u := range c.Broker.Users {
		inFile(fmt.Sprintf("broker.users[%d].password_hash", i), u.PasswordHash, "password hash")
	}
}

// ReadPassword reads a password file as the key password_file does.
func ReadPassword(path string) (string, error) { return readPassword(path) }
