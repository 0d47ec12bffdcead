package main

import (
	"fmt"
	"strconv"
	"strings"

	"pithings/mqttlink/endpoint"
	"pithings/mqttlink/topic"

	"github.com/spf13/pflag"
)

// mosquitto are the options that mosquitto_pub and mosquitto_sub have beyond the flags
// of a connection (docs/mosquitto.md). pub and watch take those that they can mean the
// same, and answer the others.
type mosquitto struct {
	url, topic  string // -L, and the topic in it
	idPrefix    string
	keepSession bool
	quiet       bool
	osCerts     bool
	inflight    int // 0: the usual number
	willTopic   string
	willPayload string
	willQoS     uint8
	willRetain  bool
}

// add adds the options to a command; clean is the letter of --disable-clean-session.
func (m *mosquitto) add(fs *pflag.FlagSet, verbose *bool, clean string) {
	fs.StringVarP(&m.url, "url", "L", "", "broker and topic in one `URL`: mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC")
	fs.StringVarP(&m.idPrefix, "id-prefix", "I", "", "the client id begins with this `PREFIX`")
	fs.BoolVarP(&m.keepSession, "disable-clean-session", clean, false, "let the broker keep the session; needs --client-id")
	fs.BoolVar(&m.quiet, "quiet", false, "print no errors while it runs; see the exit status")
	fs.StringVar(&m.willTopic, "will-topic", "", "`TOPIC` of the message that the broker publishes when the connection is lost")
	fs.StringVar(&m.willPayload, "will-payload", "", "`TEXT` of that message")
	fs.Uint8Var(&m.willQoS, "will-qos", 0, "its quality of service, 0 or 1")
	fs.BoolVar(&m.willRetain, "will-retain", false, "the broker is to keep that message")
	fs.BoolVar(&m.osCerts, "tls-use-os-certs", false, "encrypt, and trust the authorities that this system trusts")
	fs.BoolVarP(verbose, "debug", "d", false, "the same as --verbose")
	fs.Bool("nodelay", false, "") // Go's sockets never delay
	fs.VarP(only{"mqttv311", "311"}, "protocol-version", "V", "")
	fs.Var(only{"tlsv1.2", "tlsv1.2"}, "tls-version", "")
	fs.Var(only{"pem", "pem"}, "keyform", "")
	for _, name := range []string{"debug", "nodelay", "protocol-version", "tls-version", "keyform"} {
		fs.Lookup(name).Hidden = true
	}
	for _, u := range unlike {
		addAnswer(fs, u)
	}
}

// unlike are the options that are not taken.
var unlike = []unlikeOption{
	{"bind", "A", true, "-A is not supported: the kernel's routes choose the address (ip route add … src ADDRESS)"},
	{"property", "D", true, "-D is not supported: pithings speaks MQTT 3.1.1, which has no properties; put what they say into the payload"},
	{"srv", "S", false, "-S is not supported: look the broker up yourself (dig _mqtt._tcp.DOMAIN SRV) and name it with --host and --port"},
	{"session-expiry-interval", "x", true, "-x is not supported: pithings speaks MQTT 3.1.1, whose sessions do not expire; --disable-clean-session keeps one"},
	{"ciphers", "", true, "--ciphers is not supported: the safe ones that the broker has are used; leave it out"},
	{"insecure", "", false, "--insecure is not supported: the broker's name is always checked; give the name in its certificate with --server-name NAME"},
	{"proxy", "", true, "--proxy is not supported: use a tunnel (ssh -L 8883:BROKER:8883 GATEWAY, with --host localhost --server-name BROKER)"},
	{"psk", "", true, "--psk is not supported: use certificates (--ca, --cert, --key), or --ca with --username and --password-file"},
	{"psk-identity", "", true, "--psk-identity is not supported: use certificates (--ca, --cert, --key), or --ca with --username and --password-file"},
	{"tls-engine", "", true, "--tls-engine is not supported: give the private key as a PEM file with --key"},
	{"tls-engine-kpass-sha1", "", true, "--tls-engine-kpass-sha1 is not supported: give the private key as a PEM file without a pass phrase with --key"},
	{"unix", "", true, "--unix is not supported: let the broker listen on 127.0.0.1, too, and use --host localhost"},
}

// unlikeOption is an option that is answered with what to use instead.
type unlikeOption struct {
	name, letter string
	value        bool // it has one
	instead      answer
}

func addAnswer(fs *pflag.FlagSet, u unlikeOption) {
	fs.VarP(u.instead, u.name, u.letter, "")
	f := fs.Lookup(u.name)
	f.Hidden = true
	if !u.value {
		f.NoOptDefVal = "true"
	}
}

// Set implements pflag.Value: there is no value that would do.
func (a answer) Set(string) error { return a }

// String implements pflag.Value.
func (a answer) String() string { return "" }

// Type implements pflag.Value.
func (a answer) Type() string { return "answer" }

// only is the value of an option of which we have one kind.
type only struct{ long, short string }

func (o only) Set(v string) error {
	if v == o.long || v == o.short {
		return nil
	}
	switch o.long {
	case "mqttv311":
		return answer("-V " + quoted(v) + ": pithings speaks MQTT 3.1.1 alone; leave -V out")
	case "tlsv1.2":
		return answer("--tls-version " + quoted(v) + ": the newest that the broker has is used, TLS 1.2 at least; leave it out")
	}
	return answer("--keyform " + quoted(v) + ": give the private key as a PEM file with --key")
}

func (o only) String() string { return "" }
func (o only) Type() string   { return "only" }

// check says what is wrong with the options together; id is the client id, or "".
func (m *mosquitto) check(id string) error {
	switch {
	case m.idPrefix != "" && id != "":
		return usagef("--client-id and --id-prefix both give the client id: give one of them")
	case m.keepSession && id == "" && m.idPrefix == "":
		return usagef("--disable-clean-session needs --client-id ID: the broker keeps the session under that name")
	case m.willTopic == "" && (m.willPayload != "" || m.willRetain || m.willQoS != 0):
		return usagef("--will-payload, --will-qos and --will-retain go with --will-topic TOPIC: give it, too")
	case m.willTopic == "":
		return nil
	case m.willQoS > 1:
		return usagef("--will-qos %d: give 0 or 1", m.willQoS)
	}
	if err := topic.Check(m.willTopic); err != nil {
		return usagef("--will-topic: %w", err)
	}
	return nil
}

// settings are what the options say of the connection.
func (m *mosquitto) settings() (list []setting) {
	if m.inflight != 0 {
		list = append(list, setting{"window", strconv.Itoa(m.inflight), "--max-inflight"})
	}
	if m.willTopic == "" {
		return list
	}
	return append(list, []setting{{"will.topic", m.willTopic, "--will-topic"}, {"will.payload", m.willPayload, "--will-payload"},
		{"will.qos", strconv.Itoa(int(m.willQoS)), "--will-qos"}, {"will.retain", strconv.FormatBool(m.willRetain), "--will-retain"}}...)
}

// brokerURL is what -L says.
type brokerURL struct {
	endpoint, username, password, topic string
	port                                uint16
}

// parseURL reads -L as mosquitto's tools do: what stands between its signs is taken as
// it is, without %-encoding. Its errors do not show the URL, which may hold a password.
func (m *mosquitto) parseURL() (u brokerURL, err error) {
	const form = "mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC"
	scheme, rest, _ := strings.Cut(m.url, "://")
	if scheme != "mqtt" && scheme != "mqtts" {
		return u, usagef("-L: write %s; for WebSockets -e ws[s]://HOST/PATH and -t TOPIC", form)
	}
	var place string
	if place, u.topic, _ = strings.Cut(rest, "/"); u.topic == "" {
		return u, usagef("-L: the topic is missing; write %s", form)
	}
	if user, host, ok := strings.Cut(place, "@"); ok {
		place = host
		u.username, u.password, _ = strings.Cut(user, ":")
	}
	u.endpoint = scheme + "://" + place
	e, err := endpoint.Parse(u.endpoint)
	if err != nil {
		return u, usagef("-L: the broker in it cannot be read; write %s", form)
	}
	u.port = e.Port
	return u, nil
}

// quietly lets an error end the program without a line, if that is asked for.
func (m *mosquitto) quietly(err error) error {
	if err == nil || !m.quiet {
		return err
	}
	coded := &codeError{fmt.Errorf("%w", err), exitFailure, true}
	if c, ok := err.(*codeError); ok {
		coded.code = c.code
	}
	return coded
}
