package agent

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"time"

	"pithings/agent/config"
	"pithings/agent/flows"
	"pithings/agent/pub"
	"pithings/agent/queue"
	"pithings/awsiot"
	"pithings/mqttlink"
)

// links are an agent's connections: the one that things and flows share, and
// those of single things, each under its own certificate.
type links struct {
	embedded string // URL of the embedded broker, for connections without an endpoint
	shared   *mqttlink.Link
	own      map[string]*mqttlink.Link // by thing
	names    []string                  // of things with a connection of their own, in order
}

// newLinks makes the connections that the configuration needs, each with its
// outbox; none is opened.
func newLinks(a *Agent) (*links, error) {
	l := &links{own: map[string]*mqttlink.Link{}}
	if a.broker != nil {
		l.embedded = a.broker.Endpoint()
	}
	c := a.o.Config
	type connection struct {
		name, id string
		mqtt     *config.MQTT
	}
	var all []connection
	needShared := len(c.Flows) > 0 || len(c.Things) == 0 || flows.Kept(a.o.State)
	for i := range c.Things {
		if t := &c.Things[i]; t.MQTT == nil {
			needShared = true
		} else {
			all = append(all, connection{t.Name, cmp.Or(t.MQTT.ClientID, t.Name), t.MQTT})
		}
	}
	if len(all) == 0 && !needShared {
		return l, nil
	}
	if err := a.own(); err != nil {
		return nil, err
	}
	if needShared {
		id := c.MQTT.ClientID
		if id == "" {
			var err error
			if id, err = a.state.ClientID(a.log); err != nil {
				return nil, err
			}
		}
		all = append(all, connection{"", id, &c.MQTT})
	}
	for _, c := range all {
		a.queues.ids = append(a.queues.ids, c.id)
	}
	for _, c := range all {
		log, what := a.log, "the shared connection"
		if c.name != "" {
			log, what = a.log.With("connection", c.name), "connection of thing "+c.name
		}
		link, err := l.open(a, c.name, c.id, c.mqtt, log)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		if c.name == "" {
			l.shared = link
			continue
		}
		l.own[c.name] = link
		l.names = append(l.names, c.name)
	}
	a.queues.tellOrphans(a.log)
	return l, nil
}

// ownWait is how long the owner of the state folder may take to end: commands own it
// for a moment when no agent does.
const ownWait = time.Second

// own takes the state folder.
func (a *Agent) own() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // New has no context; it ends before that
	defer cancel()
	return pub.Take(ctx, &a.state, ownWait)
}

func (l *links) open(a *Agent, name, id string, m *config.MQTT, log *slog.Logger) (*mqttlink.Link, error) {
	o := LinkOptions(m)
	o.Endpoint, o.ClientID, o.Log, o.Clock = l.endpoint(m), id, log, a.clock
	if limits, drain, ok := awsiot.Limits(o.Endpoint); ok {
		o.Limits = limits
		if o.Drain == 0 || o.Drain > drain {
			o.Drain = drain
		}
	}
	box, err := a.queues.open(name, id, &m.Queue, log)
	if err != nil {
		return nil, err
	}
	o.Outbox, o.SetAside = box, queue.SetAside(a.state.QueueDir(id))
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

// QueueState is what waits for a connection.
type QueueState struct {
	Messages int        `json:"messages"`
	Bytes    int64      `json:"bytes"`
	Oldest   *time.Time `json:"oldest,omitempty"`
	Dropped  uint64     `json:"dropped"`                     // given up because of a limit, since the start
	Aside    uint64     `json:"set_aside,omitempty"`         // because the broker hangs up upon them
	Waiting  int        `json:"waiting_for_clock,omitempty"` // of Messages: until the clock is known
	Held     int        `json:"held,omitempty"`              // of Messages: in memory only, because
	Error    string     `json:"error,omitempty"`             // the disk cannot be written
	Damaged  uint64     `json:"damaged,omitempty"`           // could not be read back
	Refused  string     `json:"connection_error,omitempty"`
}

// queues tells what waits for each connection, by name.
func (l *links) queues() map[string]QueueState {
	m := map[string]QueueState{}
	l.all(func(name string, link *mqttlink.Link) {
		if name == "" {
			name = "shared"
		}
		s := link.Stats()
		b := s.Outbox
		q := QueueState{Messages: b.Messages, Bytes: b.Bytes, Dropped: b.Dropped, Aside: s.Aside, Waiting: s.Waiting, Held: b.Held, Damaged: b.Damaged, Refused: s.LastError}
		if !b.Oldest.IsZero() {
			t := b.Oldest.UTC()
			q.Oldest = &t
		}
		if b.Err != nil {
			q.Error = b.Err.Error()
		}
		m[name] = q
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
	o.Drop = drop(m.Queue.Drop)
	if !math.IsInf(float64(m.Drain), 1) {
		o.Drain = float64(m.Drain)
	}
	o.Window = m.Window
	o.LiveFirst, o.HistoryTopic = m.Order == config.OrderLiveFirst, m.HistoryTopic
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
