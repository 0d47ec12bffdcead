package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/awsiot"
	"pithings/conf"
	"pithings/mqttlink"
	"pithings/mqttlink/endpoint"
)

// connection is the connection that a command line asks for. All commands that connect
// have the same long flags; letters say which of them has a letter of its own.
type connection struct {
	endpoint, host            string
	port                      uint16
	ca, cert, key, serverName string
	alpn                      string
	username, password        string
	passwordFile              string
	id                        string
	keepalive                 seconds
	extra                     mosquitto // of pub and watch
	certified                 bool      // certificates come from elsewhere
}

func (f *connection) add(fs *pflag.FlagSet, l letters) {
	fs.SetNormalizeFunc(oneName)
	fs.StringVarP(&f.endpoint, "endpoint", l["endpoint"], "", "the broker as a `URL`: HOST (mqtts on 8883), or mqtt://HOST, mqtts://HOST, ws://…, wss://…")
	fs.StringVarP(&f.host, "host", l["host"], "", "the broker as mosquitto's tools name it: `HOST`, mqtt on 1883, or mqtts on 8883 with --ca, --cert or that port")
	fs.Uint16VarP(&f.port, "port", l["port"], 0, "the broker's `PORT`, if it is not the usual one")
	fs.StringVarP(&f.ca, "ca", l["ca"], "", "certificate of the broker's authority, a PEM `FILE` or a folder of them (--rootCA, --cafile, --capath)")
	fs.StringVarP(&f.cert, "cert", l["cert"], "", "this client's certificate, a PEM `FILE`")
	fs.StringVarP(&f.key, "key", l["key"], "", "the certificate's private key, a PEM `FILE`")
	fs.StringVar(&f.serverName, "server-name", "", "`NAME` in the broker's certificate, if it is not the host's")
	fs.StringVarP(&f.username, "username", l["username"], "", "user `NAME`, for a broker that asks for one (or PITHINGS_MQTT_USERNAME)")
	fs.StringVar(&f.passwordFile, "password-file", "", "`FILE` with the password (or PITHINGS_MQTT_PASSWORD)")
	fs.StringVarP(&f.password, "pw", l["pw"], "", "the `PASSWORD`, for all users of this machine to see; better --password-file")
	fs.StringVarP(&f.id, "client-id", l["client-id"], "", "client `ID`; a broker keeps one connection for each (--id)")
	fs.VarP(&f.keepalive, "keepalive", l["keepalive"], "longest silence on the connection, in `SECONDS` (default 30)")
	fs.StringVar(&f.alpn, "alpn", "", "TLS application `PROTOCOL` for a port that serves several (--tls-alpn)")
	if l["host"] == "h" { // which takes the letter from help
		fs.Bool("help", false, "show this help")
	}
}

// localBroker is where the embedded broker of a running agent listens, and
// mosquitto's tools expect one.
const localBroker = "mqtt://127.0.0.1"

// broker returns the URL of the broker that the flags name, or "".
func (f *connection) broker() (string, error) {
	switch {
	case f.endpoint != "" && f.host != "":
		return "", usagef("-e and --host both name the broker: give one of them")
	case f.host != "":
		return f.hostURL()
	case f.endpoint == "":
		return "", nil
	}
	broker, err := withPort(withScheme(f.endpoint), f.port)
	if err == nil {
		_, err = endpoint.Parse(broker)
	}
	if err != nil {
		return "", usageError{err}
	}
	return broker, nil
}

// hostURL is the URL of a broker that is named as mosquitto's tools do.
func (f *connection) hostURL() (string, error) {
	host, port := f.host, f.port
	if strings.Contains(host, "://") {
		return "", usagef("--host %s: a host has no scheme; write -e %s", withoutUser(host), withoutUser(host))
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 || port != 0 && uint64(port) != n {
			return "", usagef("--host %s: write --host %s --port PORT, with a port from 1 to 65535", withoutUser(f.host), withoutUser(h))
		}
		host, port = h, uint16(n)
	}
	host = strings.Trim(host, "[]")
	tls := f.ca != "" || f.cert != "" || f.key != "" || f.serverName != "" || f.alpn != "" || f.extra.osCerts || port == 8883 || isAWS(host)
	url := "mqtt://"
	if tls {
		url = "mqtts://"
	}
	if port == 0 {
		port = 1883
		if tls {
			port = 8883
		}
	}
	url += net.JoinHostPort(host, strconv.Itoa(int(port)))
	if _, err := endpoint.Parse(url); err != nil {
		return "", usageError{err}
	}
	return url, nil
}

// isAWS reports whether a broker is AWS IoT Core by its name.
func isAWS(endpoint string) bool {
	_, _, ok := awsiot.Limits(endpoint)
	return ok
}

// checkAWS refuses a connection that AWS IoT Core would never take.
func checkAWS(m *config.MQTT) error {
	if m.Cert == "" && m.Username == "" && isAWS(m.Endpoint) {
		return usagef("AWS IoT Core asks for a certificate: give --cert FILE and --key FILE, or --username for an authoriser of your own")
	}
	return nil
}

// readURL takes what -L gives.
func (f *connection) readURL() error {
	if f.extra.url == "" {
		return nil
	}
	if f.endpoint != "" || f.host != "" {
		return usagef("-L names the broker, and so does -e or --host: give one of them")
	}
	u, err := f.extra.parseURL()
	if err != nil {
		return err
	}
	if f.port != 0 && f.port != u.port {
		return usagef("-L says port %d and --port says %d: give one of them", u.port, f.port)
	}
	f.endpoint, f.port, f.extra.topic, f.extra.url = u.endpoint, 0, u.topic, ""
	if u.username != "" {
		f.username = u.username
	}
	if u.password != "" {
		f.password = u.password
	}
	return nil
}

// check says what is wrong with the flags together.
func (f *connection) check(c *cobra.Command) error {
	if err := f.readURL(); err != nil {
		return err
	}
	if err := f.extra.check(f.id); err != nil {
		return err
	}
	if n, err := strconv.ParseFloat(f.key, 64); err == nil {
		if _, missing := os.Stat(f.key); missing != nil {
			return usagef("-k %s: -k is the certificate's private key here; for a keep-alive of %v seconds write --keepalive %s", f.key, n, f.key)
		}
	}
	if f.passwordFile != "" && f.password != "" {
		return usagef("--pw and --password-file both give the password: give one of them")
	}
	if (f.password != "" || f.passwordFile != "") && f.username == "" && os.Getenv("PITHINGS_MQTT_USERNAME") == "" {
		return usagef("a password goes with a user name: give --username NAME, too")
	}
	if f.password != "" && !f.extra.quiet {
		fmt.Fprintln(c.ErrOrStderr(), "pithings: warning: all users of this machine can see a password on the command line; better --password-file FILE, or PITHINGS_MQTT_PASSWORD")
	}
	return nil
}

// settings returns what the flags say. Without any that names the broker, its URL is
// otherwise.
func (f *connection) settings(c *cobra.Command, otherwise string) ([]setting, error) {
	if err := f.check(c); err != nil {
		return nil, err
	}
	if f.endpoint == "" && f.host == "" && f.port != 0 {
		if c.Flags().Lookup("url") == nil { // unlike mosquitto's tools, which call the local broker
			return nil, usagef("--port %d goes with the broker's name: give --host HOST, too", f.port)
		}
		f.host = "localhost"
	}
	endpoint, err := f.broker()
	if err != nil {
		return nil, err
	}
	if endpoint == "" {
		endpoint = otherwise
	}
	id, flag := f.id, "--endpoint"
	if f.host != "" {
		flag = "--host"
	}
	if f.extra.idPrefix != "" {
		id = fmt.Sprintf("%s%d", f.extra.idPrefix, os.Getpid())
	}
	all := append([]setting{
		{"endpoint", endpoint, flag}, {"ca", f.ca, "--ca"}, {"cert", f.cert, "--cert"}, {"key", f.key, "--key"},
		{"server_name", f.serverName, "--server-name"}, {"alpn", f.alpn, "--alpn"},
		{"username", f.username, "--username"}, {"password", f.password, "--pw"}, {"password_file", f.passwordFile, "--password-file"},
		{"client_id", id, "--client-id"}, {"keepalive", f.keepalive.setting(), "--keepalive"},
	}, f.extra.settings()...)
	given := all[:0]
	for _, s := range all {
		if s.value != "" {
			given = append(given, s)
		}
	}
	return given, nil
}

// overrides returns the flags as variables that override the environment as that
// overrides the file, and the flags by those variables.
func (f *connection) overrides(c *cobra.Command, otherwise string) (env []string, flags map[string]string, err error) {
	all, err := f.settings(c, otherwise)
	flags = map[string]string{}
	for _, s := range all {
		env = append(env, s.variable()+"="+s.value)
		flags[s.variable()] = s.flag
	}
	return env, flags, err
}

// section returns the connection as the mqtt section of a configuration, for commands
// that take it from the command line alone, as the seeds' do; the environment gives
// user name and password.
func (f *connection) section(c *cobra.Command) (map[string]any, error) {
	all, err := f.settings(c, "")
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	for _, s := range all {
		m[s.key] = s.value
	}
	for _, name := range []string{"username", "password"} {
		if v := os.Getenv("PITHINGS_MQTT_" + strings.ToUpper(name)); v != "" && m[name] == nil {
			m[name] = v
		}
	}
	if f.passwordFile != "" {
		delete(m, "password_file")
		if m["password"], err = config.ReadPassword(f.passwordFile); err != nil {
			return nil, fmt.Errorf("--password-file: %w", err)
		}
	}
	switch {
	case m["endpoint"] == nil:
		return nil, usagef("-e is missing: name the broker, for example -e mqtt://127.0.0.1:1883, or -e HOST for TLS on port 8883")
	case (f.cert == "") != (f.key == ""):
		return nil, usagef("-c and -k belong together: a certificate and its private key")
	// A bare HOST means what it means to the scripts: mutual TLS.
	case !f.certified && f.cert == "" && m["username"] == nil && f.endpoint != "" && !strings.Contains(f.endpoint, "://"):
		return nil, usagef("Missing credentials for authentication. Give -c CERTIFICATE and -k KEY, or --username, or a URL such as mqtt://%s", withoutUser(f.endpoint))
	}
	return m, nil
}

// parseConnection reads a configuration that the command line makes up.
func parseConnection(c *cobra.Command, document map[string]any) (*config.Config, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	cfg, warnings, err := config.ParseConnection("command line", text)
	for _, w := range warnings {
		w.Line = 0 // a place in a text that no file holds
		fmt.Fprintln(c.ErrOrStderr(), "pithings: warning:", w)
	}
	return cfg, asUsage(err)
}

// asUsage makes a wrong command line of problems with a configuration that it has
// made up.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	var problems *conf.Error
	if errors.As(err, &problems) {
		for i := range problems.Problems {
			problems.Problems[i].Line = 0
		}
	}
	return usageError{err}
}

// options returns the options of a link of that connection alone.
func (f *connection) options(c *cobra.Command) (o mqttlink.Options, err error) {
	m, err := f.section(c)
	if err != nil {
		return o, err
	}
	cfg, err := parseConnection(c, map[string]any{"mqtt": m})
	if err != nil {
		return o, err
	}
	if !f.certified {
		err = checkAWS(&cfg.MQTT)
	}
	return agent.LinkOptions(&cfg.MQTT), err
}

// withoutUser is a broker's name for a message: what stands before an @ may hold a
// password.
func withoutUser(broker string) string {
	if i := strings.LastIndexByte(broker, '@'); i >= 0 {
		scheme, _, ok := strings.Cut(broker[:i], "://")
		if broker = broker[i+1:]; ok {
			broker = scheme + "://" + broker
		}
	}
	return broker
}

// withScheme reads HOST and HOST:PORT as mqtts.
func withScheme(broker string) string {
	if broker == "" {
		return ""
	}
	if !strings.Contains(broker, "://") {
		broker = "mqtts://" + broker
	}
	return endpoint.Spell(broker)
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
			return "", fmt.Errorf("the endpoint says port %s and --port says %d", p, port)
		}
		host = h
	}
	endpoint = scheme + "://" + net.JoinHostPort(strings.Trim(host, "[]"), fmt.Sprint(port))
	if path != "" {
		endpoint += "/" + path
	}
	return endpoint, nil
}
