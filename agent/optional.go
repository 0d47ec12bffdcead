package agent

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"

	"pithings/agent/config"
	"pithings/api"
)

// optional is a service that is there if the configuration says so, such as those of AWS IoT
// Core. A reload makes it anew if its settings, the shared connection or the things have
// changed. One that is off is nothing but this struct.
type optional struct {
	name   string
	config func() *config.Config // the one that runs
	log    *slog.Logger
	links  states
	of     opener

	running context.Context // from Start on
	run     *unit

	mu  sync.RWMutex
	now opened // nil: it is off
}

// opener makes an optional service.
type opener interface {
	// settings are those of the service, and whether it is on.
	settings(c *config.Config) (settings any, on bool)
	// open makes the service for a configuration, over the connections and things that are
	// there.
	open(c *config.Config, log *slog.Logger) (opened, error)
}

// opened is what an optional service runs.
type opened interface {
	Run(ctx context.Context) error
	HealthReporter
	Collector
}

// states are those of the connections.
type states interface {
	// follow calls call with the state of a connection now and at each change, until end.
	follow(name string, call func(online bool)) (end func())
}

// onlooker is a service that has to know whether there is a connection.
type onlooker interface {
	// Online is called with the state of the shared connection before Run, and at each change.
	Online(online bool)
}

// reconfigured is a service that has to know when the configuration changes, without being made
// anew.
type reconfigured interface {
	// Reconfigured is called after each reload that has not made the service anew.
	Reconfigured()
}

// selective is an opener whose settings have all of the things that its service stands on: when
// others of their keys change, it is not made anew.
type selective interface{ selective() }

// Name implements Service.
func (s *optional) Name() string { return s.name }

// Start implements Starter.
func (s *optional) Start(ctx context.Context) error {
	s.running = ctx
	return s.begin(s.config())
}

// Run waits until ctx is done, and for the end of the service.
func (s *optional) Run(ctx context.Context) error {
	<-ctx.Done()
	s.run.end()
	return nil
}

func (s *optional) begin(c *config.Config) error {
	if _, on := s.of.settings(c); !on {
		return nil
	}
	log := s.log.With("service", s.name)
	one, err := s.of.open(c, log)
	if err != nil {
		return fmt.Errorf("service %s: %w", s.name, err)
	}
	s.set(one)
	follow := func() (end func()) { return func() {} }
	if o, ok := one.(onlooker); ok {
		follow = func() (end func()) { return s.links.follow("", o.Online) }
	}
	s.run = begin(s.running, func(ctx context.Context) {
		defer follow()()
		again(ctx, log, s.name, one.Run)
	})
	return nil
}

func (s *optional) end() {
	s.run.end()
	s.run = nil
	s.set(nil)
}

func (s *optional) set(one opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = one
}

func (s *optional) current() opened {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.now
}

// plan compares what the service stands on with that of another configuration.
func (s *optional) plan(ch *change) error {
	before, was := s.of.settings(ch.before)
	next, is := s.of.settings(ch.next)
	_, selects := s.of.(selective)
	if was != is || is && (ch.sharedDiffers || len(ch.Things) > 0 && !selects || !reflect.DeepEqual(before, next)) {
		ch.optional = append(ch.optional, s)
	}
	return nil
}

func (s *optional) leave(ch *change) {
	if ch.has(s) {
		s.end()
	}
}

func (s *optional) take(ch *change) error {
	if ch.has(s) {
		return s.begin(ch.next)
	}
	s.reconfigured()
	return nil
}

// reconfigured lets a service that needs it know of a reload.
func (s *optional) reconfigured() {
	if r, ok := s.current().(reconfigured); ok {
		r.Reconfigured()
	}
}

// Health implements HealthReporter.
func (s *optional) Health(add func(key string, value any)) {
	if one := s.current(); one != nil {
		one.Health(add)
	}
}

// Collect implements Collector.
func (s *optional) Collect(m *api.Metrics) {
	if one := s.current(); one != nil {
		one.Collect(m)
	}
}
