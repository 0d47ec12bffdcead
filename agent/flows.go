package agent

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"

	"pithings/agent/config"
	"pithings/api"
	"pithings/conf"
	"pithings/flow/engine"
	"pithings/flow/service"
	"pithings/flowhost"
	"pithings/mqttlink/clock"
	"pithings/things"
)

const flowsName = "flows"

// flowService is the flows of the configuration and those deployed in the state folder. A
// reload makes them anew.
type flowService struct {
	quarantine *quarantine

	folder   *folder
	links    *links
	things   *thingService
	clock    *clock.Clock
	given    flowhost.DeployRequest // run besides those of the configuration
	changing *sync.RWMutex          // held by a reload: others find the flows, or wait
	log      *slog.Logger

	changed  changes // which flows there are
	recorded recorded

	mu    sync.RWMutex
	flows *flowhost.Flows // nil: there are none
	files []flowhost.File // as they were read
}

// Name implements Service.
func (s *flowService) Name() string { return flowsName }

// Start implements Starter.
func (s *flowService) Start(context.Context) error { return s.start() }

func (s *flowService) start() error {
	f := s.current()
	if f == nil {
		return nil
	}
	err := f.Run()
	s.changed.note()
	return err
}

// Run waits until ctx is done, and ends the flows.
func (s *flowService) Run(ctx context.Context) error {
	<-ctx.Done()
	s.stop()
	return nil
}

// Health implements HealthReporter.
func (s *flowService) Health(add func(key string, value any)) {
	if stats := s.stats(); len(stats) > 0 {
		add("flows", stats)
	}
}

// Routes implements Router.
func (s *flowService) Routes() []api.Route {
	return flowhost.Routes(func() *flowhost.Flows {
		s.changing.RLock()
		defer s.changing.RUnlock()
		return s.current()
	})
}

// stats has what the flows did, by deployment.
func (s *flowService) stats() map[string][]engine.Stats {
	f := s.current()
	if f == nil {
		return nil
	}
	return f.Stats()
}

// open reads what is deployed in the state folder, and adds the flows of the
// configuration. A process that owns no state folder has no flows.
func (s *flowService) open(all *config.Config) error {
	if !s.links.queues.any() {
		return nil
	}
	own := map[string]flowhost.Thing{}
	for _, p := range s.things.parts {
		t, c := p.Thing, &p.made
		own[t.Name()] = flowhost.Thing{Device: s.quarantine.actor(t), Looks: things.KindOf(c.Type).Describe(c.Settings, c.Topics)}
	}
	services, err := serviceOptions(&all.Services)
	if err != nil {
		return err
	}
	services.Closed = s.quarantine.check
	parts := flowhost.Parts{State: s.folder.Dir, Things: own, Services: services, Clock: s.clock, Recorder: &s.recorded, Log: s.log}
	if shared := s.links.of(""); shared != nil {
		parts.Link = commander{shared, s.quarantine}
	}
	f, err := flowhost.Open(parts)
	if err != nil {
		return err
	}
	for i := range all.Flows {
		if err := addFlow(f, &all.Flows[i]); err != nil {
			return fmt.Errorf("flow %s: %w", cmp.Or(all.Flows[i].Name, all.Flows[i].File), err)
		}
	}
	if len(s.given.Files) > 0 {
		if err := f.AddFiles(s.given, 0); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.flows, s.files = f, readFlowFiles(all)
	s.mu.Unlock()
	return nil
}

// readFlowFiles returns the files of a configuration's flows, to see whether they change.
func readFlowFiles(c *config.Config) (all []flowhost.File) {
	for i := range c.Flows {
		if c.Flows[i].File != "" {
			if f, err := flowhost.ReadFile(c.Flows[i].File); err == nil {
				all = append(all, f)
			}
		}
	}
	return all
}

// current are those that run; nil: there are none.
func (s *flowService) current() *flowhost.Flows {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.flows
}

// stop ends the flows; there are none then.
func (s *flowService) stop() {
	f := s.current()
	if f == nil {
		return
	}
	if err := f.Close(); err != nil {
		s.log.Error("flows did not end in order", "err", err)
	}
	s.mu.Lock()
	s.flows = nil
	s.mu.Unlock()
	s.changed.note()
}

// plan compares the flows, and what they stand on, with those of another configuration.
func (s *flowService) plan(ch *change) error {
	ch.Flows = s.current() == nil && s.links.queues.any() || len(ch.Things) > 0 || ch.sharedDiffers ||
		!reflect.DeepEqual(ch.before.Flows, ch.next.Flows) || !reflect.DeepEqual(ch.before.Services, ch.next.Services) || !reflect.DeepEqual(s.files, readFlowFiles(ch.next))
	return nil
}

func (s *flowService) leave(ch *change) {
	if ch.Flows {
		s.stop()
	}
}

func (s *flowService) take(ch *change) error {
	if !ch.Flows {
		return nil
	}
	if err := s.open(ch.next); err != nil {
		return err
	}
	return s.start()
}

func serviceOptions(c *config.Services) (service.Options, error) {
	nets, err := conf.Nets(c.AllowNets)
	return service.Options{AllowHosts: c.AllowHosts, AllowNets: nets, Secrets: c.Secrets, MaxBytes: int64(c.MaxBytes), Timeout: c.Timeout.Duration}, err
}

func flowFile(c *config.Flow) (flowhost.DeployRequest, error) {
	file, err := flowhost.ReadFile(c.File)
	return flowhost.DeployRequest{Files: []flowhost.File{file},
		Options: flowhost.Options{Name: c.Name, Things: c.Things, Carrier: c.Carrier, Shared: c.Shared}}, err
}

func addFlow(f *flowhost.Flows, c *config.Flow) error {
	if c.File != "" {
		r, err := flowFile(c)
		if err != nil {
			return err
		}
		return f.AddFiles(r, c.Timeout.Duration)
	}
	return f.AddBuiltin(flowhost.Builtin{Name: c.Name, Things: c.Things, Every: c.When == config.WhenEvent,
		Carrier: c.Carrier, Shared: c.Shared, Timeout: c.Timeout.Duration})
}
