package mqttlink

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
)

// Options say where a link goes and how it behaves. Start from DefaultOptions:
// the zero value of CleanSession keeps a session at the broker, and that of
// MaxQueued queues nothing. Every other zero value means its default.
type Options struct {
	Endpoint string // see ParseEndpoint

	// For mqtts and wss. The files are read again at every attempt to connect,
	// so that they can be renewed under a running link.
	CA         string   // file, or folder of *.pem, *.crt, *.cer files; the system's authorities if empty
	Cert, Key  string   // the client's certificate chain and private key, PEM; both or neither
	ServerName string   // name the server's certificate must bear (SNI too), if not the endpoint's host
	ALPN       []string // protocol names offered; chosen for port 443 if empty

	Username, Password string
	ClientID           string // made up if empty and CleanSession
	CleanSession       bool
	Will               *Message

	KeepAlive      time.Duration // 30 s; whole seconds, at least 2
	ConnectTimeout time.Duration // 10 s, for name, connection, handshake and CONNACK together
	AckTimeout     time.Duration // 5 s without any PUBACK, or for a SUBACK, ends the session
	WriteTimeout   time.Duration // 5 s for the network to take one packet
	FlushTimeout   time.Duration // 2 s at the end of Run for what is still in the outbox
	Backoff        Backoff

	Window int     // messages sent and not yet acknowledged at a time, 20
	Drain  float64 // messages a second while a backlog is sent; 0: as fast as it is acknowledged
	// LiveFirst sends what is published while there is a connection ahead of what had
	// to wait for it, which goes to HistoryTopic in between: "{topic}" stands for the
	// message's own. Messages with a Life keep their topic. Otherwise all is sent in the
	// order of Publish.
	LiveFirst    bool
	HistoryTopic string // "{topic}/history"; "{topic}" to make no difference

	MaxQueued int // messages held: -1 without limit, 0 none while there is no connection
	Drop      outbox.Drop
	Outbox    outbox.Box // instead of one in memory with the above limit; Run does not close it

	// PoisonAfter is how many sessions in a row a message must have ended before it
	// is set aside, so that the others can pass: 3; at least 2, or -1 for never.
	PoisonAfter int
	// SetAside, if not nil, is handed what is set aside, to keep it. If it fails the
	// link keeps the message in memory (see Asides). It must return soon.
	SetAside func(Aside) error

	// Clock tells whether this machine's clock can be believed; nil: always. It is
	// run by whoever made it. While it is not, messages with a time field wait in the
	// outbox, and all behind them; if it reads earlier than the program was built, no
	// encrypted connection is attempted.
	Clock *clock.Clock

	Limits     Limits
	MaxInbound int // largest message handed to a handler, in bytes, 1 MiB; larger ones are dropped and told

	Log     *slog.Logger // nil: nothing is logged
	OnState func(State)  // called at each change, in order; must return soon

	// Dial opens the network connection below TLS and WebSocket; net.Dialer's if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	now func() time.Time // time.Now if nil; for certificates only
}

// DefaultOptions returns the options to start from.
func DefaultOptions() Options {
	return Options{CleanSession: true, MaxQueued: -1}
}

// check fills in defaults and refuses what cannot work.
func (o *Options) check() (Endpoint, error) {
	e, err := ParseEndpoint(o.Endpoint)
	if err != nil {
		return Endpoint{}, err
	}
	for _, d := range []struct {
		v    *time.Duration
		def  time.Duration
		name string
	}{
		{&o.KeepAlive, 30 * time.Second, "keep-alive"},
		{&o.ConnectTimeout, 10 * time.Second, "connect time-out"},
		{&o.AckTimeout, 5 * time.Second, "acknowledgement time-out"},
		{&o.WriteTimeout, 5 * time.Second, "write time-out"},
		{&o.FlushTimeout, 2 * time.Second, "flush time-out"},
		{&o.Backoff.Min, time.Second, "shortest back-off"},
		{&o.Backoff.Max, 32 * time.Second, "longest back-off"},
		{&o.Backoff.Stable, 20 * time.Second, "stable time"},
	} {
		if *d.v < 0 {
			return e, fault(BadOption, nil, "%s is %s: give a positive time", d.name, *d.v)
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	o.Backoff = o.Backoff.withDefaults()
	// With 1 s the ping, sent a quarter late, meets brokers that round their
	// half as much again down to nothing.
	if o.KeepAlive < 2*time.Second || o.KeepAlive > 65535*time.Second {
		return e, fault(BadOption, nil, "keep-alive is %s: use 2 to 65535 seconds", o.KeepAlive)
	}
	if o.Window == 0 {
		o.Window = 20
	}
	// The upper bound keeps packet identifiers, of which there are 65,535, plenty.
	if o.Window < 1 || o.Window > 10000 {
		return e, fault(BadOption, nil, "the window is %d messages: use 1 to 10000", o.Window)
	}
	if !(o.Drain >= 0 && o.Drain <= 1e6) {
		return e, fault(BadOption, nil, "the drain rate is %v messages a second: use 0 (no limit) or more", o.Drain)
	}
	if o.HistoryTopic == "" {
		o.HistoryTopic = "{topic}/history"
	}
	if o.LiveFirst {
		if err := ValidTopic(o.historyTopic("x")); err != nil {
			return e, fault(BadOption, err, "history topic: %v", err)
		}
	}
	if o.PoisonAfter == 0 {
		o.PoisonAfter = 3
	}
	if o.PoisonAfter < -1 || o.PoisonAfter == 1 {
		return e, fault(BadOption, nil, "a message is set aside after %d sessions: use at least 2, or -1 for never", o.PoisonAfter)
	}
	if o.MaxQueued < -1 {
		return e, fault(BadOption, nil, "the queue holds %d messages: use -1 (no limit), 0 (none) or a number", o.MaxQueued)
	}
	if o.MaxInbound <= 0 {
		o.MaxInbound = 1 << 20
	}
	if max := o.Limits.MaxUnacked; max > 0 && o.Window > max {
		return e, fault(BadOption, nil, "%v", o.Limits.exceeded("the window", "messages", o.Window, max))
	}
	if max := o.Limits.MaxKeepAlive; max > 0 && o.KeepAlive > max {
		return e, fault(BadOption, nil, "%v", o.Limits.exceeded("the keep-alive", "seconds", int(o.KeepAlive/time.Second), int(max/time.Second)))
	}
	if err := o.checkIdentity(); err != nil {
		return e, err
	}
	if o.Will != nil {
		if err := o.Limits.check(*o.Will); err != nil {
			return e, fault(BadOption, err, "will: %v", err)
		}
		if len(o.Will.Payload) > maxString { // MQTT 3.1.1 section 3.1.3.3
			return e, fault(BadOption, nil, "will: payload of %d bytes, at most %d are allowed", len(o.Will.Payload), maxString)
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.now == nil {
		o.now = time.Now
	}
	return e, o.checkFiles(e)
}

// checkIdentity checks what the client says of itself in CONNECT.
func (o *Options) checkIdentity() error {
	if o.ClientID == "" {
		if !o.CleanSession {
			return fault(BadOption, nil, "a session can be kept only for a client id: set one, or use a clean session")
		}
		var b [6]byte
		rand.Read(b[:]) // never fails
		o.ClientID = "pithings-" + hex.EncodeToString(b[:])
	}
	if err := validString(o.ClientID); err != nil {
		return fault(BadOption, err, "client id: %v", err)
	}
	if max := o.Limits.MaxClientID; max > 0 && len(o.ClientID) > max {
		return fault(BadOption, nil, "%v", o.Limits.exceeded("client id "+clip(o.ClientID), "bytes", len(o.ClientID), max))
	}
	if r := o.Limits.Rules; r != nil {
		if err := r.CheckClientID(o.ClientID); err != nil {
			return fault(BadOption, err, "%v", err)
		}
	}
	if len(o.Username) > maxString || len(o.Password) > maxString {
		return fault(BadOption, nil, "user name and password may have %d bytes each at most", maxString)
	}
	if o.Password != "" && o.Username == "" { // MQTT 3.1.1 section 3.1.2.9
		return fault(BadOption, nil, "a password is given without a user name: give both")
	}
	return nil
}

// checkFiles reads the certificates for the first time. Validity in time is the
// connection's business: the clock may be set, or the file renewed, before it counts.
func (o *Options) checkFiles(e Endpoint) error {
	if !e.TLS() {
		for _, f := range []struct{ name, value string }{{"ca", o.CA}, {"cert", o.Cert}, {"key", o.Key}} {
			if f.value != "" {
				return fault(BadOption, nil, "%s is given, but %s is not encrypted: use %s, or leave ca, cert and key out", f.name, e, secure(e))
			}
		}
		return nil
	}
	switch {
	case o.Cert != "" && o.Key == "":
		return fault(BadKey, nil, "certificate %s is given without its private key: give key too", o.Cert)
	case o.Cert == "" && o.Key != "":
		return fault(BadCertificate, nil, "private key %s is given without its certificate: give cert too", o.Key)
	}
	for _, name := range o.ALPN {
		if name == "" || len(name) > 255 { // RFC 7301 section 3.1
			return fault(BadOption, nil, "ALPN name %q: use 1 to 255 bytes", clip(name))
		}
	}
	_, _, err := o.tlsConfig(e)
	return err
}

// Secrets stay out of logs even when somebody prints the whole value.
var _ fmt.Stringer = Options{}

// String returns the endpoint and client id.
func (o Options) String() string {
	e, err := ParseEndpoint(o.Endpoint)
	if err != nil {
		return "link without a valid endpoint"
	}
	return fmt.Sprintf("%s as %s", e, o.ClientID)
}
