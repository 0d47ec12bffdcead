package agent

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// runner runs services, each under a context of its own, so that they end one after the other.
type runner struct {
	log  *slog.Logger
	fail func(error) // ends the agent
	all  []*unit     // in the order of their start

	mu     sync.Mutex
	failed map[string]ServiceState
}

// ServiceState is the state of a service that has failed and starts again.
type ServiceState struct {
	State string    `json:"state"` // "down", or "starting" for its first minute after that
	Error string    `json:"error"`
	Since time.Time `json:"since"`
}

// start starts a service. Its context has the values of ctx and does not end with it.
func (r *runner) start(ctx context.Context, s *registered) error {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	log := r.log.With("service", s.Name())
	if s.start != nil {
		if err := contain(log, func() error { return s.start.Start(running) }); err != nil {
			// Run ends what Start has begun.
			cancel()
			_ = contain(log, func() error { return s.Run(running) })
			return err
		}
	}
	u := &unit{cancel, make(chan struct{})}
	r.all = append(r.all, u)
	go func() {
		defer close(u.done)
		r.keep(running, s, log)
	}()
	return nil
}

// end ends all in the reverse order of their start.
func (r *runner) end() {
	for i := len(r.all) - 1; i >= 0; i-- {
		r.all[i].end()
	}
}

// keep runs a service until ctx is done.
func (r *runner) keep(ctx context.Context, s *registered, log *slog.Logger) {
	var b backoff
	for {
		began := time.Now()
		proven := time.AfterFunc(lastPause, func() { r.works(s.Name()) })
		err := contain(log, func() error { return s.Run(ctx) })
		proven.Stop()
		switch {
		case ctx.Err() != nil:
			if err != nil {
				log.Error("service did not end in order", "err", err)
			}
			return
		case err == nil:
			r.works(s.Name())
			return
		case s.essential:
			r.fail(err)
			return
		}
		r.fails(s.Name(), err)
		if !b.wait(ctx, time.Since(began)) {
			return
		}
		r.starts(s.Name())
	}
}

// fails notes that a service has failed, and logs it if the reason is new.
func (r *runner) fails(name string, err error) {
	r.mu.Lock()
	before, again := r.failed[name]
	now := ServiceState{State: "down", Error: err.Error(), Since: time.Now()}
	if again {
		now.Since = before.Since
	}
	if r.failed == nil {
		r.failed = map[string]ServiceState{}
	}
	r.failed[name] = now
	r.mu.Unlock()
	if before.Error != now.Error {
		r.log.Error("service failed; it starts again by itself", "service", name, "err", err)
	}
}

// starts notes that a service has been started again.
func (r *runner) starts(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.failed[name]
	now.State = "starting"
	r.failed[name] = now
}

// works forgets the failure of a service.
func (r *runner) works(name string) {
	r.mu.Lock()
	before, failed := r.failed[name]
	delete(r.failed, name)
	r.mu.Unlock()
	if failed {
		r.log.Info("service works again", "service", name, "after", time.Since(before.Since).Round(time.Second))
	}
}

// down has the services that have failed, by name; nil: none has.
func (r *runner) down() map[string]ServiceState {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failed) == 0 {
		return nil
	}
	return maps.Clone(r.failed)
}

// listedService is a service that has failed.
type listedService struct {
	Name string `json:"name"`
	ServiceState
}

// listed are the services that have failed.
func (r *runner) listed() map[string]any {
	all := map[string]any{}
	for name, state := range r.down() {
		all[name] = listedService{name, state}
	}
	return all
}
