package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"pithings/mqttlink"
)

// seedConn are the connection flags of the Things Graph example devices and of
// the BME680 tutorial's scripts, in their letters.
type seedConn struct {
	endpoint, ca, cert, key string
	username, passwordFile  string
	port                    uint16
}

func (f *seedConn) add(fs *pflag.FlagSet) {
	fs.StringVarP(&f.endpoint, "endpoint", "e", "", "the broker: HOST (mqtts on 8883), or mqtt://HOST, mqtts://HOST, ws://…, wss://…")
	fs.StringVarP(&f.ca, "rootCA", "r", "", "certificate of the broker's authority, a PEM file or a folder of them")
	fs.StringVarP(&f.cert, "cert", "c", "", "this client's certificate, a PEM file")
	fs.StringVarP(&f.key, "key", "k", "", "the certificate's private key, a PEM file")
	fs.StringVar(&f.username, "username", "", "user name, for a broker that asks for one (or PITHINGS_MQTT_USERNAME)")
	fs.StringVar(&f.passwordFile, "password-file", "", "file with the password (or PITHINGS_MQTT_PASSWORD)")
	fs.Uint16VarP(&f.port, "port", "p", 0, "the broker's port, if it is not the usual one of the scheme")
}

// resolve checks the flags together and returns the broker's URL.
func (f *seedConn) resolve() (endpoint string, err error) {
	if f.endpoint == "" {
		return "", usagef("-e is missing: name the broker, for example -e mqtt://127.0.0.1:1883, or -e HOST for TLS on port 8883")
	}
	if endpoint, err = withPort(withScheme(f.endpoint), f.port); err != nil {
		return "", usageError{err}
	}
	if _, err := mqttlink.ParseEndpoint(endpoint); err != nil {
		return "", usageError{err}
	}
	if (f.cert == "") != (f.key == "") {
		return "", usagef("-c and -k belong together: a certificate and its private key")
	}
	// A bare HOST means what it means to the scripts: mutual TLS.
	if f.cert == "" && !strings.Contains(f.endpoint, "://") {
		return "", usagef("Missing credentials for authentication. Give -c CERTIFICATE and -k KEY, or a URL such as mqtt://%s", f.endpoint)
	}
	return endpoint, nil
}

// mqtt returns the connection as the mqtt section of a configuration.
func (f *seedConn) mqtt() (map[string]any, error) {
	endpoint, err := f.resolve()
	if err != nil {
		return nil, err
	}
	username, password, err := f.password()
	if err != nil {
		return nil, err
	}
	m := map[string]any{"endpoint": endpoint}
	for key, v := range map[string]string{"ca": f.ca, "cert": f.cert, "key": f.key,
		"username": username, "password": password} {
		if v != "" {
			m[key] = v
		}
	}
	return m, nil
}

// link returns a connection of its own under the client id; "" makes one up. What is
// published over it is kept in memory only.
func (f *seedConn) link(id string, log *slog.Logger) (*mqttlink.Link, error) {
	o, err := f.options(id, log)
	if err != nil {
		return nil, err
	}
	return mqttlink.New(o)
}

// options returns the options of such a connection.
func (f *seedConn) options(id string, log *slog.Logger) (o mqttlink.Options, err error) {
	endpoint, err := f.resolve()
	if err != nil {
		return o, err
	}
	o = mqttlink.DefaultOptions()
	o.Endpoint = endpoint
	if e, err := mqttlink.ParseEndpoint(endpoint); err == nil && e.TLS() {
		o.CA, o.Cert, o.Key = f.ca, f.cert, f.key
	} else if f.ca != "" || f.cert != "" {
		log.Warn("the connection is not encrypted, so -r, -c and -k are not used; write mqtts://", "endpoint", endpoint)
	}
	o.ClientID, o.Log = id, log
	o.Username, o.Password, err = f.password()
	return o, err
}

// password returns user name and password, from the flags or the environment.
func (f *seedConn) password() (username, password string, err error) {
	username, password = f.username, os.Getenv("PITHINGS_MQTT_PASSWORD")
	if username == "" {
		username = os.Getenv("PITHINGS_MQTT_USERNAME")
	}
	if f.passwordFile != "" {
		text, err := os.ReadFile(f.passwordFile)
		if err != nil {
			return "", "", fmt.Errorf("password: %w", err)
		}
		password, _, _ = strings.Cut(string(text), "\n")
		password = strings.TrimSuffix(password, "\r")
	}
	return username, password, nil
}

// withScheme reads HOST and HOST:PORT as mqtts.
func withScheme(endpoint string) string {
	if endpoint == "" || strings.Contains(endpoint, "://") {
		return endpoint
	}
	return "mqtts://" + endpoint
}

// withPort sets the port of an endpoint; 0 leaves it alone.
func withPort(endpoint string, port uint16) (string, error) {
	if port == 0 {
		return endpoint, nil
	}
	scheme, rest, _ := strings.Cut(endpoint, "://")
	host, path, _ := strings.Cut(rest, "/")
	if h, p, err := net.SplitHostPort(host); err == nil {
		if p != fmt.Sprint(port) {
			return "", fmt.Errorf("the endpoint says port %s and -p says %d", p, port)
		}
		host = h
	}
	endpoint = scheme + "://" + net.JoinHostPort(strings.Trim(host, "[]"), fmt.Sprint(port))
	if path != "" {
		endpoint += "/" + path
	}
	return endpoint, nil
}
