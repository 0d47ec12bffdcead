package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"

	"pithings/agent/config"
	"pithings/agent/control"
	"pithings/agent/flows"
	"pithings/agent/state"
	"pithings/camera/store"
	"pithings/hw"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
	"pithings/things"
)

// Options are what an agent is made of.
type Options struct {
	Config *config.Config
	Board  hw.Board
	// State is the folder for pictures and what else must outlive the process.
	State string
	// NextPort takes the next free port for the broker and the web server when
	// the one configured is taken.
	NextPort bool
	// Transcript, if not nil, gets the lines of the things' messages.
	Transcript io.Writer
	// Flows are files with flows that run besides those of the configuration.
	Flows flows.DeployRequest
	// Clock says how this machine's clock is judged; its folder and log are the
	// agent's.
	Clock clock.Options
	// Ready, if not nil, is called once everything is wired.
	Ready func()
	// Version is what /metrics says of the program.
	Version string
	Log     *slog.Logger
}

// Agent is a set of things, their connections and their flows.
type Agent struct {
	o          Options
	log        *slog.Logger
	transcript *things.Transcript
	state      state.Folder
	clock      *clock.Clock
	queues     queues
	control    *control.Server // nil if the state folder takes no socket, or is not needed
	broker     *broker.Broker  // nil without an embedded one
	web        *web            // nil when nothing needs it and the port is taken
	links      *links
	store      *store.Disk
	things     []things.Thing
	closers    []io.Closer // what things hold, closed in reverse order
	flows      *flows.Flows
	health     *Health
}

// New binds the ports, reads the certificates and makes the things and flows.
// What is wrong is told here, before anything runs. Close or Run must follow.
func New(o Options) (*Agent, error) {
	a := &Agent{o: o, log: o.Log, state: state.Folder{Dir: o.State}}
	a.queues = queues{a: a, boxes: map[string]*outbox.Disk{}}
	if err := a.build(); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// build is New; what it took is released by Close if it fails.
func (a *Agent) build() (err error) {
	if o := a.o; o.Transcript != nil {
		a.transcript = things.NewTranscript(o.Transcript)
	}
	a.clock = a.newClock()
	if err := a.startBroker(); err != nil {
		return err
	}
	if err := a.listenWeb(); err != nil {
		return err
	}
	if a.links, err = newLinks(a); err != nil {
		return err
	}
	if err := a.makeThings(); err != nil {
		return err
	}
	if err := a.makeFlows(); err != nil {
		return err
	}
	if err := a.listenControl(); err != nil {
		a.log.Warn("other processes on this host cannot hand messages over to this one yet", "err", err)
	}
	names := make([]string, len(a.things))
	for i, t := range a.things {
		names[i] = t.Name()
	}
	a.health = newHealth(names, a.links.states, a.links.queues)
	a.health.clock, a.health.flows = a.clock, a.flowStats
	if a.web != nil {
		a.web.local("GET /healthz", a.health)
		a.web.local("GET /metrics", metrics{a})
	}
	return nil
}

// startBroker runs the embedded broker if it is asked for.
func (a *Agent) startBroker() error {
	listen := a.o.Config.Broker.Listen
	if listen == "" {
		return nil
	}
	b, err := firstFree(listen, a.ports(), func(addr string) (*broker.Broker, error) {
		// A configuration that names a network address has been warned about.
		return broker.Start(addr, broker.Options{AllowNetwork: true}, a.log)
	})
	if err != nil {
		return err
	}
	a.broker = b
	a.listens("embedded broker", listen, a.broker.Addr())
	return nil
}

// ports is how many ports may be tried for one address.
func (a *Agent) ports() int {
	if a.o.NextPort {
		return portsTried
	}
	return 1
}

// listenWeb binds the web server. Only a camera cannot do without.
func (a *Agent) listenWeb() error {
	if len(a.o.Config.Things) == 0 {
		return nil // a process that only runs flows leaves the port to those with pictures
	}
	w, err := newWeb(a.o.Config.HTTP.Listen, a.ports(), a.log)
	if err != nil {
		for _, t := range a.o.Config.Things {
			if t.Type == config.CameraType {
				return err
			}
		}
		a.log.Info("no web server, so no /healthz and no screen mirror", "err", err)
		return nil
	}
	a.web = w
	a.listens("web server", a.o.Config.HTTP.Listen, w.Addr().String())
	return nil
}

// listens logs where a server is, and that its port was taken if it was.
func (a *Agent) listens(what, asked, addr string) {
	_, want, _ := net.SplitHostPort(asked)
	if _, got, _ := net.SplitHostPort(addr); got != want && want != "0" {
		a.log.Warn(what+" listens on the next free port", "addr", addr, "taken", asked)
		return
	}
	a.log.Info(what+" listens", "addr", addr)
}

// Health tells the states of the things.
func (a *Agent) Health() *Health { return a.health }

// WebAddr is the address of the web server, or "".
func (a *Agent) WebAddr() string {
	if a.web == nil {
		return ""
	}
	return a.web.Addr().String()
}

// Endpoint is the URL of the broker that the things share.
func (a *Agent) Endpoint() string { return a.links.endpoint(&a.o.Config.MQTT) }

// Run runs everything until ctx is done, and ends it in the order in which it
// depends on each other: flows and things first, then the connections, which
// send what is waiting (two seconds at most), and the broker last.
func (a *Agent) Run(ctx context.Context) error {
	defer a.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	var servers, parts sync.WaitGroup
	serversCtx, stopServers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServers()
	serve := func(run func(context.Context) error) {
		servers.Go(func() {
			if err := run(serversCtx); err != nil {
				stop(err)
			}
		})
	}
	if a.web != nil {
		serve(a.web.run)
	}
	serve(a.clock.Run)
	a.links.start(serve)
	// It ends before the links do: what others hand over is told to be safe until then.
	parts.Go(func() { a.runControl(ctx) })

	var detach []func()
	for _, t := range a.things {
		d, err := t.Attach()
		if err != nil {
			stop(err)
			break
		}
		detach = append(detach, d)
	}
	for _, t := range a.things {
		parts.Go(func() { supervise(ctx, t, a.health, a.log) })
	}
	if a.flows != nil {
		if err := a.flows.Run(); err != nil {
			stop(err)
		}
		parts.Go(func() {
			<-ctx.Done()
			if err := a.flows.Close(); err != nil {
				a.log.Error("flows did not end well", "err", err)
			}
		})
	}
	if a.o.Ready != nil && ctx.Err() == nil {
		a.o.Ready()
	}

	<-ctx.Done()
	a.log.Info("stopping")
	parts.Wait()
	for _, d := range detach {
		d()
	}
	stopServers() // the links deliver what is left before they end
	servers.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Close releases what New took. Run calls it.
func (a *Agent) Close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		a.closers[i].Close()
	}
	a.closers = nil
	if a.web != nil {
		a.web.listener.Close()
	}
	if a.control != nil {
		a.control.Close()
		a.control = nil
	}
	if a.broker != nil {
		a.broker.Close()
		a.broker = nil
	}
	a.queues.close(a.log)
	a.state.Close()
}

// pictures returns the store of the cameras' pictures, made for the first of
// them. Its URLs are those that hosts near that camera's broker can reach.
func (a *Agent) pictures(thing string) (*store.Disk, error) {
	if a.store != nil {
		return a.store, nil
	}
	if err := a.own(); err != nil {
		return nil, err
	}
	p := a.o.Config.Pictures
	s, err := store.NewDisk(filepath.Join(a.o.State, "pictures"),
		store.Opts{MaxCount: p.MaxCount, MaxBytes: int64(p.MaxBytes), Sync: a.syncPictures(thing)},
		func() string {
			return baseURL(a.o.Config.HTTP.BaseURL, a.web.Addr(), a.links.localIP(thing)) + "/pictures"
		})
	if err != nil {
		return nil, err
	}
	a.store = s
	a.web.open("/pictures/", http.StripPrefix("/pictures", s.Handler()))
	a.warnOfLoopback()
	return s, nil
}

// syncPictures tells whether a picture has to be on the disk before it is
// announced: where the announcement outlives a power cut.
func (a *Agent) syncPictures(thing string) bool {
	c := a.o.Config
	return c.Connection(c.Thing(thing)).Queue.Sync != outbox.SyncNever.String()
}

// warnOfLoopback tells that others cannot fetch our pictures, if there are any
// others: the broker is on another host and our URLs say 127.0.0.1.
func (a *Agent) warnOfLoopback() {
	host := a.web.Addr().IP.String()
	if u, err := url.Parse(a.o.Config.HTTP.BaseURL); err == nil && u.Host != "" {
		host = u.Host
	}
	if !localName(host) {
		return
	}
	for i := range a.o.Config.Things {
		t := &a.o.Config.Things[i]
		if t.Type != config.CameraType {
			continue
		}
		u, err := url.Parse(a.links.endpoint(a.o.Config.Connection(t)))
		if err == nil && !localName(u.Host) {
			a.log.Warn("the broker is on another host, but only this one can fetch the pictures; set http.listen (--listen 0.0.0.0:8080) or http.base_url",
				"thing", t.Name, "broker", u.Host, "pictures", host)
			return
		}
	}
}
