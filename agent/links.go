package agent

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"pithings/agent/config"
	"pithings/flowhost"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
	"pithings/pulse"
	"pithings/spool/pub"
)

// links are an agent's connections: the one that things and flows share, and
// those of single things, each under its own certificate.
type links struct {
	folder   *folder
	clock    *clock.Clock
	pulse    *pulse.Pulse // nil: no watchdog
	log      *slog.Logger
	embedded *broker.Broker // for connections without an endpoint; nil: there is none
	changing *sync.RWMutex  // held by a reload: others find all connections, or wait
	fail     func(error)    // ends the agent
	queues   queues

	hide func(string) string // removes secrets

	// When the state of a connection changes.
	changed   changes
	followers followers

	mu     sync.RWMutex                                         // of what a reload changes, and held
	held   bool                                                 // see hold
	tapped func(name string) func(in bool, m *mqttlink.Message) // nil: no client asks for the messages
	shared *mqttlink.Link
	own    map[string]*mqttlink.Link // by thing
	names  []string                  // of things with a connection of their own, in order

	// For the goroutine of New and Run alone.
	made    map[string]connection // what each was made of, by name
	runs    map[string]*unit
	running context.Context // of the connections, from Start on
	stop    context.CancelFunc
	why     map[string]string // messages wait, by connection; once Run has stopped
	rest    pub.Rest
}

const linksName = "links"

func newLinks(f *folder, c *clock.Clock, b *broker.Broker, changing *sync.RWMutex, log *slog.Logger) *links {
	return &links{folder: f, clock: c, log: log, embedded: b, changing: changing,
		queues: queues{folder: f, now: c.Now, boxes: map[string]*outbox.Disk{}},
		own:    map[string]*mqttlink.Link{}, runs: map[string]*unit{}, made: map[string]connection{}}
}

// Name implements Service.
func (l *links) Name() string { return linksName }

// Start implements Starter.
func (l *links) Start(ctx context.Context) error {
	l.running, l.stop = context.WithCancel(context.WithoutCancel(ctx)) // Run ends them
	l.startAll()
	return nil
}

// Run waits until ctx is done, and then until each connection has sent what waits, for two
// seconds at most.
func (l *links) Run(ctx context.Context) error {
	<-ctx.Done()
	why := map[string]string{}
	l.all(func(name string, link *mqttlink.Link) { why[name] = pub.Why(link, l.clock) }) // their end would be no reason
	l.stop()
	for _, u := range l.runs {
		u.end()
	}
	l.why = why
	return nil
}

// Close closes the outboxes, and notes what is left in them.
func (l *links) Close() error {
	l.queues.close(l.log)
	if l.why != nil {
		l.all(func(name string, link *mqttlink.Link) {
			l.rest = l.rest.And(pub.RestOf(link, l.folder.Dir, l.why[name]))
		})
		l.why = nil
	}
	return nil
}

// connection is one that a configuration needs; the shared one has no name.
type connection struct {
	name, id string
	mqtt     config.MQTT
}

func (c *connection) what() string {
	if c.name == "" {
		return "the shared connection"
	}
	return "connection of thing " + c.name
}

// wanted lists the connections that a configuration needs.
func (l *links) wanted(c *config.Config) (all []connection, err error) {
	needShared := len(c.Flows) > 0 || c.Gateway.Used() || c.AWSIoT.Used() || c.HomeAssistant || len(c.Things) == 0 || flowhost.Kept(l.folder.Dir)
	for i := range c.Things {
		if t := &c.Things[i]; t.MQTT == nil {
			needShared = true
		} else {
			all = append(all, connection{t.Name, cmp.Or(t.MQTT.ClientID, t.Name), *t.MQTT})
		}
	}
	if len(all) == 0 && !needShared {
		return nil, nil
	}
	if err := l.folder.own(); err != nil {
		return nil, err
	}
	if needShared {
		id := c.MQTT.ClientID
		if id == "" {
			if id, err = l.folder.ClientID(l.log); err != nil {
				return nil, err
			}
		}
		all = append(all, connection{"", id, c.MQTT})
	}
	return all, nil
}

// openAll makes the connections that a configuration needs and that are not there, each
// with its outbox; none is opened.
func (l *links) openAll(c *config.Config) error {
	all, err := l.wanted(c)
	if err != nil {
		return err
	}
	l.queues.ids = nil
	var names []string
	for _, one := range all {
		l.queues.ids = append(l.queues.ids, one.id)
		if one.name != "" {
			names = append(names, one.name)
		}
	}
	for _, one := range all {
		if _, there := l.made[one.name]; there {
			continue
		}
		log := l.log
		if one.name != "" {
			log = l.log.With("connection", one.name)
		}
		link, err := l.open(one.name, one.id, &one.mqtt, log)
		if err != nil {
			return fmt.Errorf("%s: %w", one.what(), err)
		}
		l.made[one.name] = one
		l.set(one.name, link)
	}
	l.mu.Lock()
	l.names = names
	l.mu.Unlock()
	if len(all) > 0 {
		l.queues.warnOrphans(l.log)
	}
	return nil
}

// set puts a link in its place; nil: there is none any more.
func (l *links) set(name string, link *mqttlink.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if link != nil {
		link.Hold(l.held)
		if l.tapped != nil {
			link.Tap(l.tapped(nameOf(name)))
		}
	}
	switch {
	case name == "":
		l.shared = link
	case link == nil:
		delete(l.own, name)
		l.names = slices.DeleteFunc(slices.Clone(l.names), func(n string) bool { return n == name })
	default:
		l.own[name] = link
	}
}

// startAll starts the connections that do not run yet.
func (l *links) startAll() {
	l.all(func(name string, link *mqttlink.Link) {
		if l.runs[name] == nil {
			l.runs[name] = begin(l.running, func(ctx context.Context) {
				if err := link.Run(ctx); err != nil {
					l.fail(err)
				}
			})
		}
	})
}

// closeOne ends a connection, which sends what it can, and closes its outbox.
func (l *links) closeOne(name string) error {
	l.runs[name].end()
	delete(l.runs, name)
	delete(l.made, name)
	l.set(name, nil)
	return l.queues.closeOne(name)
}

// open makes a connection with its outbox.
func (l *links) open(name, id string, m *config.MQTT, log *slog.Logger) (*mqttlink.Link, error) {
	o := LinkOptions(m)
	presence(&o, m)
	o.Endpoint, o.ClientID, o.Log, o.Clock = l.endpoint(m), id, log, l.clock
	if m.Endpoint == "" {
		// Our own connections need no login, no encryption and no free place at our own
		// broker. Its address is for logs.
		b := l.embedded
		o.Endpoint, o.Username, o.Password = strings.Replace(o.Endpoint, "mqtts:", "mqtt:", 1), "", ""
		o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }
	}
	brokerLimits(&o)
	box, err := l.queues.open(name, id, &m.Queue, log)
	if err != nil {
		return nil, err
	}
	o.Pulse, o.OnState = l.pulse, func(s mqttlink.State) {
		l.followers.note(name, s == mqttlink.Online)
		l.changed.note()
	}
	o.Outbox, o.KeepDeadLetter = box, l.queues.letters(name).Keep
	return mqttlink.New(o)
}

// hold holds all connections, and those to come, or lets them go (mqttlink.Link.Hold).
func (l *links) hold(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = on
	if l.shared != nil {
		l.shared.Hold(on)
	}
	for _, link := range l.own {
		link.Hold(on)
	}
}

// managing returns the shared connection for the services by which this device is managed, also
// while connections are held, and its client id.
func (l *links) managing() (link mqttlink.Client, id string) {
	shared := l.of("")
	return shared.Past(), shared.ClientID()
}

// endpoint is where a connection goes: to the embedded broker when it has none.
func (l *links) endpoint(m *config.MQTT) string {
	if m.Endpoint == "" && l.embedded != nil {
		return l.embedded.Endpoint()
	}
	return m.Endpoint
}

// of returns the connection of a thing.
func (l *links) of(thing string) *mqttlink.Link {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if own, ok := l.own[thing]; ok {
		return own
	}
	return l.shared
}

// all lists the connections with their names; "" is the shared one.
func (l *links) all(each func(name string, link *mqttlink.Link)) {
	l.mu.RLock()
	names, shared, own := slices.Clone(l.names), l.shared, maps.Clone(l.own)
	l.mu.RUnlock()
	if shared != nil {
		each("", shared)
	}
	for _, n := range names {
		if link := own[n]; link != nil {
			each(n, link)
		}
	}
}

// localAddr is this machine's address toward the broker of thing, if that is known.
func (l *links) localAddr(thing string) netip.Addr {
	if link := l.of(thing); link != nil {
		return link.LocalAddr()
	}
	return netip.Addr{}
}
