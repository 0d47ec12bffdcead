package agent

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"pithings/agent/config"
	"pithings/api"
	"pithings/camera/store"
	"pithings/device"
	"pithings/hw"
	"pithings/pulse"
	"pithings/quietlog"
	"pithings/sensors/modbus"
	"pithings/things"
)

const thingsName = "things"

// thingService is the things of the configuration, each kept working by itself. A reload
// replaces those that differ.
type thingService struct {
	folder     *folder
	board      hw.Board
	links      *links
	web        *webService // nil: there is none
	events     *device.Bus
	interlocks things.Interlocks // of the outputs among them
	lines      modbus.Lines      // of the Modbus devices among them
	transcript *things.Transcript
	current    func() *config.Config
	version    string
	repeats    *quietlog.Repeats
	pulse      *pulse.Pulse // nil: no watchdog
	log        *slog.Logger
	health     *Health
	latest     latest

	running context.Context // of the parts, from Start on

	mu    sync.RWMutex // of what a reload changes
	parts []*part
	store *store.Disk // of pictures; nil until a thing needs it
}

// Name implements Service.
func (s *thingService) Name() string { return thingsName }

// Start implements Starter.
func (s *thingService) Start(ctx context.Context) error {
	s.running = ctx
	s.latest.follow(s.events)
	return s.startAll()
}

// Run waits until ctx is done, and then ends the things.
func (s *thingService) Run(ctx context.Context) error {
	<-ctx.Done()
	for _, p := range s.parts { // all at once: one that hangs must not leave outputs on
		p.run.askToEnd()
	}
	for _, p := range s.parts {
		p.run.end()
	}
	return s.Close()
}

// Close releases what the things hold.
func (s *thingService) Close() error {
	s.latest.end()
	for _, p := range slices.Backward(s.parts) {
		p.stop()
	}
	return nil
}

// Health implements HealthReporter.
func (s *thingService) Health(add func(key string, value any)) { add("things", s.health.Things()) }

// Routes implements Router.
func (s *thingService) Routes() []api.Route {
	list := &thingList{s.made, func() map[string]ThingState { return s.health.Things() }, &s.latest}
	turns := make(chan struct{}, partActions)
	return append([]api.Route{
		{Method: http.MethodGet, Path: "/screen/{file}", For: api.Look, Doc: "show what a screen shows, as NAME.png", Handler: http.HandlerFunc(s.serveScreen), Media: "image/png"},
		{Method: http.MethodGet, Path: "/pictures/", For: api.Anyone, Doc: "fetch a picture by its name", Handler: http.HandlerFunc(s.servePicture), Media: "image/jpeg"},
		readingRoute(s.all),
	}, slices.Concat(list.routes(), pictureRoutes(s.kept), snapshotRoutes(s.all), partRoutes(s.all, turns), []api.Route{actionRoute(s.made, turns)})...)
}

// plan compares the things with those of another configuration: one with the same keys on a
// connection that stays keeps working.
func (s *thingService) plan(ch *change) error {
	ch.keeps = map[string]bool{}
	for i := range ch.next.Things {
		t := &ch.next.Things[i]
		on := ""
		if t.MQTT != nil {
			on = t.Name
		}
		j := slices.IndexFunc(s.parts, func(p *part) bool { return p.Name() == t.Name })
		ch.keeps[t.Name] = j >= 0 && ch.stays[on] && s.parts[j].same(ch.next, t)
		if !ch.keeps[t.Name] {
			ch.Things = append(ch.Things, t.Name)
		}
	}
	for _, p := range s.parts {
		if _, wanted := ch.keeps[p.Name()]; !wanted {
			ch.Things = append(ch.Things, p.Name())
		}
	}
	return nil
}

func (s *thingService) leave(ch *change) {
	for _, p := range s.parts {
		if !ch.keeps[p.Name()] {
			p.run.askToEnd()
		}
	}
	var staying []*part
	for _, p := range s.parts {
		if ch.keeps[p.Name()] {
			staying = append(staying, p)
		} else {
			p.stop()
			s.latest.forget(p.Name())
			if !slices.ContainsFunc(ch.next.Things, func(t config.Thing) bool { return t.Name == p.Name() && t.Type == p.made.Type }) {
				s.interlocks.Forget(p.Name())
			}
		}
	}
	s.setParts(staying)
}

func (s *thingService) take(ch *change) error {
	if err := s.open(ch.next); err != nil {
		return err
	}
	fresh := map[string]bool{}
	for name, keeps := range ch.keeps {
		fresh[name] = !keeps
	}
	s.health.follow(s.names(), fresh)
	return s.startAll()
}

// self is how the program is, for a thing that publishes it.
func (s *thingService) self() things.Self {
	self := things.Self{Version: s.version, Parts: map[string]string{}}
	for name, state := range s.health.Things() {
		self.Parts[name] = state.State
	}
	for _, q := range s.links.queueStates() {
		self.Queued += q.Messages
	}
	return self
}
