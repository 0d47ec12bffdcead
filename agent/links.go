package agent

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"time"

	"pithings/agent/config"
	"pithings/awsiot"
	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
)

// links are an agent's connections: the one that things and flows share, and
// those of single things, each under its own certificate.
type links struct {
	embedded string // URL of the embedded broker, for connections without an endpoint
	shared   *mqttlink.Link
	own      map[string]*mqttlink.Link // by thing
	names    []string                  // of things with a connection of their own, in order
}

// newLinks makes the connections that the configuration needs; none is opened.
func newLinks(a *Agent) (*links, error) {
	l := &links{own: map[string]*mqttlink.Link{}}
	if a.broker != nil {
		l.embedded = a.broker.Endpoint()
	}
	c := a.o.Config
	needShared := len(c.Flows) > 0
	for i := range c.Things {
		t := &c.Things[i]
		if t.MQTT == nil {
			needShared = true
			continue
		}
		link, err := l.open(t.MQTT, t.Name, a.log.With("connection", t.Name))
		if err != nil {
			return nil, fmt.Errorf("connection of thing %s: %w", t.Name, err)
		}
		l.own[t.Name] = link
		l.names = append(l.names, t.Name)
	}
	if needShared {
		id := c.MQTT.ClientID
		if id == "" {
			var kept bool
			var err error
			if id, kept, err = a.state.clientID(); err != nil {
				return nil, err
			}
			if !kept {
				a.log.Info("another pithings owns the state folder, so this one has a client id for this run only", "client_id", id, "state", a.state.dir)
			}
		}
		var err error
		if l.shared, err = l.open(&c.MQTT, id, a.log); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *links) open(m *config.MQTT, id string, log *slog.Logger) (*mqttlink.Link, error) {
	o := LinkOptions(m)
	o.Endpoint = l.endpoint(m)
	if o.ClientID == "" {
		o.ClientID = id
	}
	o.Log = log
	if limits, drain, ok := awsiot.Limits(o.Endpoint); ok {
		o.Limits = limits
		if o.Drain == 0 || o.Drain > drain {
			o.Drain = drain
		}
	}
	return mqttlink.New(o)
}

// endpoint is where a connection goes: to the embedded broker when it has none.
func (l *links) endpoint(m *config.MQTT) string {
	if m.Endpoint == "" {
		return l.embedded
	}
	return m.Endpoint
}

// of returns the connection of a thing.
func (l *links) of(thing string) *mqttlink.Link {
	if own, ok := l.own[thing]; ok {
		return own
	}
	return l.shared
}

// all lists the connections with their names; "" is the shared one.
func (l *links) all(each func(name string, link *mqttlink.Link)) {
	if l.shared != nil {
		each("", l.shared)
	}
	for _, n := range l.names {
		each(n, l.own[n])
	}
}

func (l *links) start(serve func(func(context.Context) error)) {
	l.all(func(_ string, link *mqttlink.Link) { serve(link.Run) })
}

// states tells what each connection does, by name.
func (l *links) states() map[string]string {
	m := map[string]string{}
	l.all(func(name string, link *mqttlink.Link) {
		if name == "" {
			name = "shared"
		}
		m[name] = link.State().String()
	})
	return m
}

// LinkOptions translates a connection's configuration.
func LinkOptions(m *config.MQTT) mqttlink.Options {
	o := mqttlink.DefaultOptions()
	o.Endpoint = m.Endpoint
	if e, err := mqttlink.ParseEndpoint(m.Endpoint); err == nil && e.TLS() {
		o.CA, o.Cert, o.Key = m.CA, m.Cert, m.Key // the configuration has warned if they are not used
	}
	o.ClientID, o.Username, o.Password = m.ClientID, m.Username, m.Password.Reveal()
	o.ServerName = m.ServerName
	if m.ALPN != "" {
		o.ALPN = []string{m.ALPN}
	}
	o.KeepAlive, o.ConnectTimeout, o.AckTimeout = m.Keepalive.Duration, m.ConnectTimeout.Duration, m.AckTimeout.Duration
	o.Backoff = mqttlink.Backoff{Min: m.Reconnect.Min.Duration, Max: m.Reconnect.Max.Duration, Stable: m.Reconnect.Stable.Duration}
	o.MaxQueued = m.Queue.Max
	if m.Queue.Drop == config.DropOldest {
		o.Drop = outbox.DropOldest
	}
	if !math.IsInf(float64(m.Drain), 1) {
		o.Drain = float64(m.Drain)
	}
	o.Window = m.Window
	if m.Will.Topic != "" {
		o.Will = &mqttlink.Message{Topic: m.Will.Topic, Payload: []byte(m.Will.Payload), QoS: byte(m.Will.QoS), Retain: m.Will.Retain}
	}
	return o
}

// CheckCertificates reads the certificates and keys of all connections, without
// using the network, and tells what is wrong with the first that is.
func CheckCertificates(c *config.Config) error {
	check := func(m *config.MQTT) error {
		if m.Endpoint == "" {
			return nil
		}
		return mqttlink.CheckCertificates(LinkOptions(m), time.Now())
	}
	for i := range c.Things {
		if t := &c.Things[i]; t.MQTT != nil {
			if err := check(t.MQTT); err != nil {
				return fmt.Errorf("connection of thing %s: %w", t.Name, err)
			}
		}
	}
	return check(&c.MQTT)
}

// localIP is this machine's address toward the broker of thing, or nil.
func (l *links) localIP(thing string) net.IP {
	addr := l.of(thing).LocalAddr()
	if !addr.IsValid() {
		return nil
	}
	return addr.AsSlice()
}
