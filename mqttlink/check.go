package mqttlink

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"time"

	"pithings/mqttlink/dial"
	"pithings/mqttlink/endpoint"
	"pithings/mqttlink/topic"
)

// check fills in defaults and refuses what cannot work.
func (o *Options) check() (endpoint.Endpoint, error) {
	e, err := endpoint.Parse(o.Endpoint)
	if err != nil {
		return endpoint.Endpoint{}, fault(BadEndpoint, err, "%v", err)
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
		if err := topic.Check(topic.ExpandOwn(o.HistoryTopic, "x")); err != nil {
			return e, fault(BadOption, err, "history topic: %v", err)
		}
	}
	if o.PoisonAfter == 0 {
		o.PoisonAfter = 3
	}
	if o.PoisonAfter < -1 || o.PoisonAfter == 1 {
		return e, fault(BadOption, nil, "a message becomes a dead letter after %d sessions: use at least 2, or -1 for never", o.PoisonAfter)
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
	if err := o.checkPresence(); err != nil {
		return e, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		o.Dial = new(dial.Dialer).DialContext
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
	if err := topic.CheckString(o.ClientID); err != nil {
		return fault(BadOption, err, "client id: %v", err)
	}
	if max := o.Limits.MaxClientID; max > 0 && len(o.ClientID) > max {
		return fault(BadOption, nil, "%v", o.Limits.exceeded("client id "+short(o.ClientID), "bytes", len(o.ClientID), max))
	}
	if r := o.Limits.Rules; r != nil {
		if err := r.CheckClientID(o.ClientID); err != nil {
			return fault(BadOption, err, "%v", err)
		}
	}
	if len(o.Username) > topic.MaxBytes || len(o.Password) > topic.MaxBytes {
		return fault(BadOption, nil, "user name and password may have %d bytes each at most", topic.MaxBytes)
	}
	if o.Password != "" && o.Username == "" { // MQTT 3.1.1 section 3.1.2.9
		return fault(BadOption, nil, "a password is given without a user name: give both")
	}
	return nil
}

// checkFiles reads the certificates for the first time. Validity in time is the
// connection's business: the clock may be set, or the file renewed, before it counts.
func (o *Options) checkFiles(e endpoint.Endpoint) error {
	if !e.TLS() {
		for _, f := range []struct{ name, value string }{{"ca", o.CA}, {"cert", o.Cert}, {"key", o.Key}} {
			if f.value != "" {
				return fault(BadOption, nil, "%s is given, but %s is not encrypted: use %s, or leave ca, cert and key out", f.name, e, e.OtherPort())
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
			return fault(BadOption, nil, "ALPN name %q: use 1 to 255 bytes", short(name))
		}
	}
	_, _, err := o.tlsConfig(e)
	return err
}

// Check returns what New would refuse, but for the files of certificates.
func (o Options) Check() error {
	o.CA, o.Cert, o.Key = "", "", ""
	_, err := o.check()
	return err
}
