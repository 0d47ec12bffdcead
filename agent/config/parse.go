package config

import (
	"errors"
	"fmt"
	"io/fs"

	"pithings/conf"
	"pithings/conf/yamlfile"
	"pithings/mqttlink/durable"
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
func Load(path string, env []string) (*Config, []conf.Warning, error) {
	return LoadWith(path, env, With{})
}

// LoadMock is Load for a simulation: without an endpoint the embedded broker is
// used. An empty path is the built-in configuration, Mock.
func LoadMock(path string, env []string) (*Config, []conf.Warning, error) {
	return LoadWith(path, env, With{Mock: true})
}

// With is what LoadWith reads besides file and environment.
type With struct {
	Mock  bool  // as LoadMock
	State State // has the identity, under the file; nil: none
	Over  Over  // settings from afar, over the file; nil: none
}

// LoadConnection is Load for what uses the shared connection and the state folder
// alone: neither things nor flows need be there, nor a broker. An empty path is an
// empty configuration. With a state the identity in it counts.
func LoadConnection(path string, env []string, state State) (*Config, []conf.Warning, error) {
	source := path
	if path == "" {
		source = "command line"
	}
	d := newDecoder(source, conf.NewVariables(env)).only()
	d.state = state
	if path != "" {
		return d.load(path, env, false)
	}
	return d.connectionOf([]byte("{}"), env)
}

// ParseConnection is LoadConnection for a text that was never in a file.
func ParseConnection(source string, data []byte) (*Config, []conf.Warning, error) {
	vars := conf.NewVariables(nil)
	vars.Shell = true // the text is made of a command line
	return newDecoder(source, vars).only().connectionOf(data, nil)
}

// connectionOf decodes what is in no folder of its own, and reads its passwords.
func (d *decoder) connectionOf(data []byte, env []string) (*Config, []conf.Warning, error) {
	c := d.config(data, env, false, false)
	readPasswords(d.Report, c)
	refuseExposed(d.Report, c)
	return d.result(c)
}

// loading is the decoder for the file at path.
func loading(path string, env []string, with With) *decoder {
	source := path
	if path == "" {
		source = "built-in configuration"
	}
	d := newDecoder(source, conf.NewVariables(env))
	d.state, d.over = with.State, with.Over
	return d
}

func (d *decoder) load(path string, env []string, mock bool) (*Config, []conf.Warning, error) {
	var data []byte
	if path != "" {
		var err error
		if data, err = read(path); err != nil {
			return nil, nil, err
		}
	}
	c := d.config(data, env, path == "", mock)
	locate(d.Report, c, env)
	readPasswords(d.Report, c)
	refuseExposed(d.Report, c)
	return d.result(c)
}

// Parse reads a configuration from data; name stands for the file in messages.
// It opens no other file: relative paths and password files stay as they are.
func Parse(name string, data []byte, env []string) (*Config, []conf.Warning, error) {
	d := newDecoder(name, conf.NewVariables(env))
	return d.result(d.config(data, env, false, false))
}

func (d *decoder) result(c *Config) (*Config, []conf.Warning, error) {
	warnings, err := d.Result()
	if err != nil {
		return nil, warnings, err
	}
	c.places = d.Places
	if d.layer != nil {
		c.afar = d.layer.Layer.Source
	}
	return c, warnings, nil
}

// config decodes and checks. builtin starts from Mock and ignores data.
func (d *decoder) config(data []byte, env []string, builtin, mock bool) *Config {
	c := new(Config)
	conf.Fill(c)
	var list []conf.Entry
	if builtin {
		c = Mock()
		c.Broker.Listen = ""
	} else {
		doc := d.Document(data, "pithings config example shows one to start from")
		if doc == nil {
			return c
		}
		var ok bool
		if list, ok = d.Entries(doc, "configuration"); !ok {
			return c
		}
	}
	d.sections(c, list)
	environment(d.Decoder, c, env)
	d.takeIdentity(c)
	if mock && c.MQTT.Endpoint == "" && c.Broker.Listen == "" {
		c.Broker.Listen = mockBroker
	}
	d.takeLayer(c, data)
	d.lists(c, list)
	d.layer.things(c)
	if l := d.layer; l != nil {
		(&brokers{l.Connections, l.Layer.Source, l.Candidate, d.Report, l.Report}).take(c)
	}
	d.layer.end(d)
	validate(&checker{Report: d.Report, partial: d.partial}, c)
	return c
}

// read returns a file's bytes.
func read(path string) ([]byte, error) {
	data, err := durable.ReadFile(path, yamlfile.MaxFile)
	hint := ""
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, fs.ErrNotExist):
		hint = "; write one with: pithings config example > " + path
	case errors.Is(err, fs.ErrPermission):
		hint = "; let the user that runs pithings read it"
	}
	return nil, fmt.Errorf("configuration: %w%s", err, hint)
}
