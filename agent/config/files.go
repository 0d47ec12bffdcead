package config

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxPassword is what MQTT can carry (3.1.1, section 3.1.3.5).
const maxPassword = 65535

// connections calls f for every connection with its path in the file.
func (c *Config) connections(f func(m *MQTT, path string)) {
	f(&c.MQTT, "mqtt")
	for i := range c.Things {
		if m := c.Things[i].MQTT; m != nil {
			f(m, fmt.Sprintf("things[%d].mqtt", i))
		}
	}
}

// locate makes the relative paths of certificates, keys and password files
// absolute or relative to the working directory.
func (d *decoder) locate(c *Config, env []string) {
	credentials := ""
	for _, e := range env {
		if dir, ok := strings.CutPrefix(e, "CREDENTIALS_DIRECTORY="); ok {
			credentials = dir
		}
	}
	c.connections(func(m *MQTT, path string) {
		for _, f := range []struct {
			file *string
			key  string
		}{{&m.CA, "ca"}, {&m.Cert, "cert"}, {&m.Key, "key"}, {&m.PasswordFile, "password_file"}} {
			at, own := d.places[join(path, f.key)]
			if *f.file == "" || filepath.IsAbs(*f.file) || path != "mqtt" && !own {
				continue
			}
			if inCredentials := filepath.Join(credentials, *f.file); credentials != "" && filepath.IsLocal(*f.file) && isFile(inCredentials) {
				*f.file = inCredentials
			} else if at.source == d.source { // and not from the environment
				*f.file = filepath.Join(filepath.Dir(d.source), *f.file)
			}
		}
	})
	for i := range c.Flows {
		if f := &c.Flows[i].File; *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(filepath.Dir(d.source), *f)
		}
	}
	// Inherited paths follow the shared connection's.
	c.connections(func(m *MQTT, path string) {
		for _, f := range []struct {
			file *string
			from string
			key  string
		}{{&m.CA, c.MQTT.CA, "ca"}, {&m.Cert, c.MQTT.Cert, "cert"}, {&m.Key, c.MQTT.Key, "key"}} {
			if _, own := d.places[join(path, f.key)]; !own {
				*f.file = f.from
			}
		}
		_, file := d.places[join(path, "password_file")]
		_, text := d.places[join(path, "password")]
		if !file && !text {
			m.PasswordFile = c.MQTT.PasswordFile
		}
	})
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// readPasswords fills in the passwords that stand in files.
func (d *decoder) readPasswords(c *Config) {
	read := map[string]Secret{}
	c.connections(func(m *MQTT, path string) {
		if m.PasswordFile == "" || !m.Password.IsZero() {
			return
		}
		p, known := read[m.PasswordFile]
		if !known {
			text, err := readPassword(m.PasswordFile)
			if err != nil {
				d.problems.add(d.problem(join(path, "password_file"), "password_file: %v", err))
			}
			p = NewSecret(text)
			read[m.PasswordFile] = p
		}
		m.Password = p
	})
}

func readPassword(path string) (string, error) {
	// Looked at before it is opened: a named pipe would wait for a writer.
	if info, err := os.Stat(path); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxPassword+2)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "":
		return "", fmt.Errorf("the first line of %s is empty; it has to be the password", path)
	case len(line) > maxPassword:
		return "", fmt.Errorf("the first line of %s is too long for a password", path)
	}
	return line, nil
}

// warnReadable warns about passwords in a file that everybody may read.
func (d *decoder) warnReadable(c *Config) {
	c.connections(func(m *MQTT, path string) {
		at, ok := d.places[join(path, "password")]
		if ok && at.source == d.source && !m.Password.IsZero() {
			d.warnings = append(d.warnings, d.problem(join(path, "password"),
				"every user of this system can read the password in this file; chmod o-r %s, or use password_file", d.source))
		}
	})
}
