package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"pithings/agent/config"
	"pithings/agent/doctor"
	"pithings/agent/events"
	"pithings/agent/openapi"
	"pithings/agent/web"
	"pithings/api"
	"pithings/awsiot/jobs"
	"pithings/conf"
	"pithings/device"
	"pithings/flowhost"
	"pithings/hw"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/clock"
	"pithings/pulse"
	"pithings/quietlog"
	"pithings/spool/control"
	"pithings/spool/pub"
	"pithings/spool/state"
	"pithings/things"
)

// Options are what an agent is made of.
type Options struct {
	Config *config.Config
	Board  hw.Board
	// State is the folder for pictures and what else must outlive the process.
	State string
	// Simulated reports that the board is: nothing of this agent may get among what real
	// things have published.
	Simulated bool
	// Shared makes a socket by which other processes find this agent without knowing its
	// state folder; ConfigFile is what they may name instead.
	Shared     bool
	ConfigFile string
	// NextPort takes the next free port for the broker and the web server when
	// the one configured is taken.
	NextPort bool
	// Transcript, if not nil, gets the lines of the things' messages.
	Transcript io.Writer
	// Flows are files with flows that run besides those of the configuration.
	Flows flowhost.DeployRequest
	// Clock has the rules by which this machine's clock is trusted; its folder and log are
	// the agent's.
	Clock clock.Options
	// Ready, if not nil, is called once everything is wired.
	Ready func()
	// Load, if not nil, reads the configuration again, for a reload, with settings from afar
	// over it; Level is what its log.level sets; Reloading is called as one begins, and what
	// it returns at its end.
	Load func(config.Over) (*config.Config, []conf.Warning, error)
	// TrialTime is how long settings from afar have to connect; 0: as the configuration says.
	TrialTime time.Duration
	Level     *slog.LevelVar
	Reloading func() (end func())
	// Pulse, if not nil, gets the loops of the connections and things, for a watchdog.
	Pulse *pulse.Pulse
	// Services makes further services, which start after the agent's own.
	Services []func(*Agent) (Service, error)
	// Doctor, if not nil, looks at the machine and all parts, for a diagnosis from afar.
	Doctor func(context.Context) (doctor.Report, error)
	// Version is the version of the program in /metrics.
	Version string
	Log     *slog.Logger
}

// Agent is a set of things, their connections and their flows, each kind of them a service.
type Agent struct {
	o      Options
	log    *slog.Logger // bounded
	endLog func()       // writes what was held back
	events device.Bus   // what the things report
	doctor diagnosis
	folder folder

	services []registered // in the order in which they start
	runner   runner
	links    *links
	web      *webService // nil when nothing needs it and the port is taken
	things   *thingService
	reloads  chan reload
	reloaded emits[Reloaded]
	fail     func(error) // ends the agent, while it runs
	closed   bool

	// For the goroutine of Run alone; see takeReloads.
	running context.Context
	trial   *unit    // of settings from afar
	tried   changes  // at its end; for all goroutines
	waited  []string // the connections that it waits for
	later   tasks    // what applies them

	changing sync.RWMutex // held by a reload: others find all connections and flows, or wait
	mu       sync.RWMutex
	config   *config.Config
}

// New binds the ports, reads the certificates and makes the things and flows.
// It reports what is wrong before anything runs. Close or Run must follow.
func New(o Options) (*Agent, error) {
	a := &Agent{o: o, folder: folder{Folder: state.Folder{Dir: o.State}, simulated: o.Simulated}, config: o.Config, reloads: make(chan reload)}
	a.doctor.version, a.doctor.examine, a.doctor.current = o.Version, o.Doctor, a.current
	a.doctor.watch(o.Config)
	a.log, a.endLog = quietlog.Limit(a.doctor.recent.Below(o.Log))
	a.runner.log = a.log
	if err := a.build(); err != nil {
		a.Close()
		return nil, a.folder.Explain(err)
	}
	return a, nil
}

// build makes the services in the order in which they start; what they took is released by
// Close if it fails.
func (a *Agent) build() error {
	var transcript *things.Transcript
	if a.o.Transcript != nil {
		transcript = things.NewTranscript(a.o.Transcript)
		if err := a.add(printer{transcript}); err != nil {
			return err
		}
	}
	embedded, err := a.startBroker()
	if err != nil {
		return err
	}
	if embedded != nil && a.o.Simulated {
		cloud, err := newCloud(embedded, &a.folder, a.log)
		if err != nil {
			return err
		}
		if err := a.add(cloud); err != nil {
			return err
		}
	}
	clock := clockService{a.newClock()}
	if err := a.add(clock); err != nil {
		return err
	}
	if err := a.listenWeb(clock.Clock); err != nil {
		return err
	}
	a.links = newLinks(&a.folder, clock.Clock, embedded, &a.changing, quietlog.Part(a.log, linksName))
	a.links.pulse, a.links.hide = a.o.Pulse, a.doctor.hide
	a.things = &thingService{folder: &a.folder, board: a.o.Board, links: a.links, web: a.web, events: &a.events, transcript: transcript,
		current: a.current, version: a.o.Version, repeats: quietlog.NewRepeats(quietlog.Part(a.log, thingsName)), pulse: a.o.Pulse, log: quietlog.Part(a.log, thingsName)}
	quarantine := &quarantine{folder: &a.folder, links: a.links, log: quietlog.Part(a.log, "quarantine")}
	flows := &flowService{quarantine: quarantine, folder: &a.folder, links: a.links, things: a.things, clock: clock.Clock, given: a.o.Flows, changing: &a.changing, log: quietlog.Part(a.log, flowsName)}
	socket := &controlService{folder: &a.folder, wanted: a.links.queues.any, shared: a.o.Shared, log: quietlog.Part(a.log, controlName)}
	gateway := &gatewayService{quarantine: quarantine, folder: &a.folder, links: a.links, things: a.things, clock: clock.Clock, log: quietlog.Part(a.log, gatewayName)}
	history := &historyService{folder: &a.folder, things: a.things, clock: clock.Clock, current: a.current, log: quietlog.Part(a.log, historyName)}
	restart := func() { a.fail(errRestart) }
	shadow := &optional{name: "shadow", config: a.current, log: a.log, links: a.links, of: shadows{a.links, a, quarantine}}
	accept := a.AcceptLater
	if a.o.Load == nil {
		accept = nil
	}
	logs := &logService{log: a.log, recent: &a.doctor.recent, things: a.things.names, parts: func() []string { return namesOf(a.services) }, standard: func() string { return a.current().Log.Level }, set: map[string]*partLevel{}}
	for _, s := range []Service{a.links, quarantine, socket, logs, history, a.things, flows, gateway,
		&optional{name: "command", config: a.current, log: a.log, links: a.links, of: commands{a.links, a.things, a.reconfigure, restart, &a.doctor, quarantine}},
		&optional{name: "jobs", config: a.current, log: a.log, links: a.links,
			of: &jobService{links: a.links, flows: flows, doctor: &a.doctor, current: a.current,
				accept: a.AcceptLater, outcome: a.outcome, restart: restart, rebooter: rebootSocket, run: sync.OnceValue(jobs.ThisBoot)}},
		shadow,
		&optional{name: "defender", config: a.current, log: a.log, links: a.links, of: defence{a.links, a.things}},
		&optional{name: "presence", config: a.current, log: a.log, links: a.links, of: presences{a.links}},
		&optional{name: "refuse", config: a.current, log: a.log, links: a.links, of: refusals{a.links}},
		&optional{name: "homeassistant", config: a.current, log: a.log, links: a.links, of: homeAssistants{&a.folder, a.links, a.things, a.web, &a.events, a.current, a.o.Version, accept}},
	} {
		if err := a.add(s); err != nil {
			return err
		}
	}
	if a.config.HTTP.Playground {
		if err := a.add(&playgrounds{links: a.links, current: a.current, accept: a.Accept, health: shadow.Health, things: a.things.names}); err != nil {
			return err
		}
	}
	quarantine.open(a.config) // before the first message
	if err := a.links.openAll(a.config); err != nil {
		return err
	}
	if err := a.things.open(a.config); err != nil {
		return err
	}
	a.things.health = newHealth(a.things.names())
	if err := flows.open(a.config); err != nil {
		return err
	}
	if err := gateway.open(a.config, nil); err != nil {
		return err
	}
	for _, make := range a.o.Services {
		s, err := make(a)
		if err != nil {
			return err
		}
		if err := a.add(s); err != nil {
			return err
		}
	}
	stream := newEvents(a.services,
		events.Source{Kind: "service", List: a.runner.listed},
		events.Source{Kind: "reload", Follow: following(&a.reloaded)})
	if a.web != nil {
		a.web.door.OnEnd(stream.Beat)
	}
	if err := a.add(stream); err != nil {
		return err
	}
	return a.listen(socket)
}

// add registers a service, which starts after those before it.
func (a *Agent) add(s Service) error {
	r, err := register(s)
	if err == nil && slices.ContainsFunc(a.services, func(other registered) bool { return other.Name() == s.Name() }) {
		err = fmt.Errorf("there are two services %s", s.Name())
	}
	a.services = append(a.services, r) // Close closes it, whatever is wrong with it
	return err
}

// routes is the table of the HTTP API.
func (a *Agent) routes() ([]api.Route, error) {
	r := &report{services: a.services, version: a.o.Version, down: a.runner.down}
	self := control.Agent{Version: a.o.Version, State: a.folder.Dir, Config: a.o.ConfigFile, Simulated: a.o.Simulated, Web: a.WebAddr(), HTTPS: a.web != nil && a.web.cert != nil}
	var all []api.Route
	describe := openapi.Route(openapi.Info{Version: a.o.Version, Cookie: web.CookieName}, func() []api.Route { return all })
	all, err := table(slices.Concat(r.routes(), []api.Route{a.reloadRoute(), a.resetRoute(), describe, (&examiner{take: a.doctor.take}).route()}, configuring(a).Routes(), self.Routes()), a.services)
	return all, err
}

// listen serves the table on both servers, once all services are there.
func (a *Agent) listen(socket *controlService) (err error) {
	if socket.routes, err = a.routes(); err != nil {
		return err
	}
	if a.web != nil {
		a.web.Serve(socket.routes)
	}
	if err := socket.listen(); err != nil {
		a.log.Warn("local socket cannot be made; it is tried again, and until then commands do not reach this agent", "err", err)
	}
	return nil
}

// printer is the transcript as a service: the last to end, behind the lines of all others.
type printer struct{ *things.Transcript }

// Name implements Service.
func (printer) Name() string { return "transcript" }

// newClock returns the one clock of the process.
func (a *Agent) newClock() *clock.Clock {
	o := a.o.Clock
	o.Trust = o.Trust || a.o.Config.Clock == config.ClockTrust
	o.Dir, o.Log = a.o.State, quietlog.Part(a.log, clockName)
	return clock.New(o)
}

// startBroker runs the embedded broker if it is asked for.
func (a *Agent) startBroker() (*broker.Broker, error) {
	listen := a.o.Config.Broker.Listen
	if listen == "" {
		return nil, nil
	}
	options, err := BrokerOptions(&a.o.Config.Broker)
	if err != nil {
		return nil, err
	}
	b, err := firstFree(listen, a.ports(), func(addr string) (*broker.Broker, error) {
		return broker.Start(addr, options, quietlog.Part(a.log, brokerName))
	})
	if err != nil {
		return nil, err
	}
	listens(a.log, "embedded broker", listen, b.Addr())
	return b, a.add(&brokerService{Broker: b})
}

// ports is how many ports may be tried for one address.
func (a *Agent) ports() int {
	if a.o.NextPort {
		return portsTried
	}
	return 1
}

// listenWeb binds the web server. Only things that others fetch from cannot do without.
func (a *Agent) listenWeb(clock *clock.Clock) error {
	allowed, err := rules(&a.config.HTTP)
	if err != nil {
		return err
	}
	if len(a.o.Config.Things) == 0 {
		return nil // a process that only runs flows leaves the port to those with pictures
	}
	w, err := newWeb(&a.o.Config.HTTP, a.ports(), quietlog.Part(a.log, webName))
	if err != nil {
		for _, t := range a.o.Config.Things {
			if things.KindOf(t.Type).Web {
				return err
			}
		}
		a.log.Info("web server is off: no /healthz and no screen mirror", "err", err)
		return nil
	}
	if err := w.secure(a.current, a.o.State, clock, quietlog.Part(a.log, webName)); err != nil {
		w.Close()
		return err
	}
	w.Allow(allowed)
	w.sign(&a.config.Pictures)
	w.open(&a.config.HTTP, a.o.State, a.o.Simulated, quietlog.Part(a.log, webName))
	a.web = w
	listens(a.log, "web server", a.o.Config.HTTP.Listen, w.Addr().String())
	w.introduce(a.log)
	return a.add(w)
}

// listens logs where a server is, and that its port was taken if it was.
func listens(log *slog.Logger, what, asked, addr string) {
	_, want, _ := net.SplitHostPort(asked)
	if _, got, _ := net.SplitHostPort(addr); got != want && want != "0" {
		log.Warn(what+" listens on the next free port", "addr", addr, "taken", asked)
		return
	}
	log.Info(what+" listens", "addr", addr)
}

// current is the configuration that runs.
func (a *Agent) current() *config.Config {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.config
}

func (a *Agent) setConfig(c *config.Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.config = c
	a.doctor.watch(c)
}

// Health has the states of the things.
func (a *Agent) Health() *Health { return a.things.health }

// Mirrors lists the things that show something, as /screen/NAME.png.
func (a *Agent) Mirrors() []string { return a.things.mirrors() }

// Missing has a line for each connection that does not stand: to which broker it goes, why it
// does not, and how much waits for it.
func (a *Agent) Missing() []string { return a.links.missing() }

// WebURL is that of the web server, for programs on this machine, or "".
func (a *Agent) WebURL() string {
	if a.web == nil {
		return ""
	}
	return a.web.scheme() + "://" + a.WebAddr()
}

// WebAddr is the address of the web server, or "".
func (a *Agent) WebAddr() string {
	if a.web == nil {
		return ""
	}
	return a.web.Addr().String()
}

// Endpoint is the URL of the broker that the things share.
func (a *Agent) Endpoint() string { return a.links.endpoint(&a.current().MQTT) }

// ClientID is that of the shared connection, which is the name of this machine at AWS IoT Core and
// its like; "" without one.
func (a *Agent) ClientID() string {
	if link := a.links.of(""); link != nil {
		return link.ClientID()
	}
	return ""
}

// Run runs everything until ctx is done. The services end in the reverse order of their start:
// flows and things first, then the connections, which send what is waiting (two seconds at
// most), and the broker behind them.
func (a *Agent) Run(ctx context.Context) error {
	defer a.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	a.fail, a.runner.fail, a.links.fail = stop, stop, stop
	for i := range a.services {
		if err := a.runner.start(ctx, &a.services[i]); err != nil {
			stop(err)
			break
		}
	}
	a.running = ctx
	a.prove(a.links.allNames()) // what an earlier process has begun
	if a.o.Ready != nil && ctx.Err() == nil {
		a.o.Ready()
	}
	a.takeReloads(ctx)
	a.trial.end()
	a.later.Wait()
	a.log.Info("stopping")
	a.runner.end()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Rest is what has not been delivered, once Run has returned.
func (a *Agent) Rest() pub.Rest { return a.links.rest }

// Close releases what New took. Run calls it.
func (a *Agent) Close() {
	if a.closed {
		return
	}
	a.closed = true
	for _, s := range slices.Backward(a.services) {
		if s.closer != nil {
			_ = s.closer.Close() // what is lost it logs
		}
	}
	a.folder.Close()
	a.endLog()
}
