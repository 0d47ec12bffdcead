package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"pithings/flow/flowyaml/yamlfile"
)

// mockBroker is where the embedded broker of a simulation listens when no
// endpoint is given.
const mockBroker = "127.0.0.1:1883"

// Load reads the configuration in the file at path, overridden by the
// PITHINGS_… variables in env ("NAME=VALUE", as os.Environ gives them; the last
// of equal names holds, so that a command line's options can be appended).
//
// Relative paths of certificates, keys and password files are looked up in
// $CREDENTIALS_DIRECTORY and then in the configuration's own folder. Password
// files are read. An *Error lists what is wrong with the configuration.
func Load(path string, env []string) (*Config, []Warning, error) {
	return load(path, env, false)
}

// LoadMock is Load for a simulation: without an endpoint the embedded broker is
// used. An empty path is the built-in configuration, Mock.
func LoadMock(path string, env []string) (*Config, []Warning, error) {
	return load(path, env, true)
}

// LoadConnection is Load for what uses the shared connection and the state folder
// alone: neither things nor flows need be there, nor a broker. An empty path is an
// empty configuration.
func LoadConnection(path string, env []string) (*Config, []Warning, error) {
	if path != "" {
		return newDecoder(path).only().load(path, env, false)
	}
	d := newDecoder("command line").only()
	c := d.config([]byte("{}"), env, false, false)
	d.readPasswords(c)
	return d.result(c)
}

// ParseConnection is LoadConnection for a text that nobody wrote into a file.
func ParseConnection(source string, data []byte) (*Config, []Warning, error) {
	d := newDecoder(source).only()
	c := d.config(data, nil, false, false)
	d.readPasswords(c)
	return d.result(c)
}

// only lets the decoder do without what an agent needs.
func (d *decoder) only() *decoder {
	d.partial = true
	return d
}

func load(path string, env []string, mock bool) (*Config, []Warning, error) {
	return newDecoder(path).load(path, env, mock)
}

func (d *decoder) load(path string, env []string, mock bool) (*Config, []Warning, error) {
	var data []byte
	shared := false
	if path == "" {
		d.source = "built-in configuration"
	} else {
		var err error
		if data, shared, err = read(path); err != nil {
			return nil, nil, err
		}
	}
	c := d.config(data, env, path == "", mock)
	d.locate(c, env)
	d.readPasswords(c)
	if shared {
		d.warnReadable(c)
	}
	return d.result(c)
}

// Parse reads a configuration from data; name stands for the file in messages.
// It opens no other file: relative paths and password files stay as they are.
func Parse(name string, data []byte, env []string) (*Config, []Warning, error) {
	d := newDecoder(name)
	return d.result(d.config(data, env, false, false))
}

func (d *decoder) result(c *Config) (*Config, []Warning, error) {
	sortProblems(d.warnings)
	if err := d.problems.err(); err != nil {
		return nil, d.warnings, err
	}
	return c, d.warnings, nil
}

// config decodes and checks. builtin starts from Mock and ignores data.
func (d *decoder) config(data []byte, env []string, builtin, mock bool) *Config {
	c := new(Config)
	fill(c)
	var list []entry
	if builtin {
		c = Mock()
		c.Broker.Listen = ""
	} else {
		doc := d.parseYAML(data)
		if doc == nil {
			return c
		}
		d.findAnchors(doc)
		var ok bool
		if list, ok = d.entries(doc, "configuration", 0); !ok {
			return c
		}
	}
	d.sections(c, list)
	d.environment(c, env)
	if mock && c.MQTT.Endpoint == "" && c.Broker.Listen == "" {
		c.Broker.Listen = mockBroker
	}
	for _, e := range list {
		switch e.key {
		case "things":
			d.things(c, e)
		case "flows":
			d.flows(c, e)
		}
	}
	d.validate(c)
	return c
}

// read returns a file's bytes, at most one more than allowed, and whether all
// users of the system may read it.
func read(path string) (data []byte, shared bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		hint := ""
		switch {
		case errors.Is(err, fs.ErrNotExist):
			hint = "; write one with: pithings config example > " + path
		case errors.Is(err, fs.ErrPermission):
			hint = "; let the user that runs pithings read it"
		}
		return nil, false, fmt.Errorf("configuration: %w%s", err, hint)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("configuration: %w", err)
	}
	if info.IsDir() {
		return nil, false, fmt.Errorf("configuration: %s is a folder; name the file in it", path)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(f, yamlfile.MaxFile+1)); err != nil {
		return nil, false, fmt.Errorf("configuration: %w", err)
	}
	// Windows has no such bits; Go invents them.
	shared = runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
	return b.Bytes(), shared, nil
}
