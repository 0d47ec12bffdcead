package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"pithings/agent/events"
	"pithings/api"
)

// Service is a part of the agent that works for as long as the agent runs: the connections,
// the embedded broker, the things, the flows, and what is built on them.
//
// The agent starts its services in the order of their list, and ends each before the one that
// it stands on. A service that panics or whose Run returns an error is started again after a
// pause that doubles from one second to a minute, unless it is [Essential]. /healthz shows it
// meanwhile. One whose Run returns nil has nothing more to do.
//
// What else a service offers is in the small interfaces below. The agent looks once, when the
// service is registered, which of them it implements: this is composition, and no capability is
// looked for while the service runs. Their types are those of package api and of the standard
// library, so that a service needs to know nothing of the agent.
type Service interface {
	// Name is one lower-case word, by which logs and /healthz name the service.
	Name() string
	// Run works until ctx is done, and then ends in order. It is called again after a failure.
	Run(ctx context.Context) error
}

// Starter is a service with something to do before those that follow it start. An error ends
// the agent.
type Starter interface {
	// Start is called once, before Run, with the context that Run gets. If it fails, Run is
	// called with a context that is done, to end what Start has begun.
	Start(ctx context.Context) error
}

// HealthReporter is a service that /healthz shows.
type HealthReporter interface {
	// Health adds what is shown under the service's keys, as JSON.
	Health(add func(key string, value any))
}

// Collector is a service with metrics.
type Collector interface {
	// Collect adds families to a page. Their names begin with pithings_ and no other service
	// has them.
	Collect(m *api.Metrics)
}

// Happening is a service of which the stream of events reports what happens.
type Happening interface {
	// Events are where they come from, asked when all services are registered.
	Events() []events.Source
}

// Router is a service with routes of the HTTP API. The local socket serves all of them, the
// web server those that their audience allows.
type Router interface {
	Routes() []api.Route
}

// Controller is a service that other processes on this host ask something, on the local socket
// only: a route with an audience on TCP is refused.
type Controller interface {
	Control() []api.Route
}

// Essential is a service without which the agent ends: it is not started again.
type Essential interface {
	Essential() bool
}

// A service that holds something from the moment it is made is an io.Closer, too. Close is
// called when the agent ends, also if the service never ran, in the reverse order of the list.

// registered is a service and what it implements; what it does not is nil.
type registered struct {
	Service
	start     Starter
	health    HealthReporter
	collect   Collector
	routes    []api.Route
	events    Happening
	essential bool
	reload    reloadable
	closer    io.Closer
}

// namesOf are the names of services.
func namesOf(services []registered) (names []string) {
	for _, s := range services {
		names = append(names, s.Name())
	}
	return names
}

// register looks what a service implements, and checks its routes.
func register(s Service) (registered, error) {
	r := registered{Service: s}
	r.start, _ = s.(Starter)
	r.health, _ = s.(HealthReporter)
	r.collect, _ = s.(Collector)
	r.reload, _ = s.(reloadable)
	r.events, _ = s.(Happening)
	r.closer, _ = s.(io.Closer)
	if e, ok := s.(Essential); ok {
		r.essential = e.Essential()
	}
	var problems []error
	if s, ok := s.(Router); ok {
		r.routes = s.Routes()
	}
	if s, ok := s.(Controller); ok {
		for _, one := range s.Control() {
			if one.For.TCP() {
				problems = append(problems, fmt.Errorf("route %s: it is of the local socket, and its audience (%v) is not", one.Pattern(), one.For))
			}
			r.routes = append(r.routes, one)
		}
	}
	for i := range r.routes {
		problems = append(problems, r.routes[i].Check())
	}
	if err := errors.Join(problems...); err != nil {
		return r, fmt.Errorf("service %s: %w", s.Name(), err)
	}
	return r, nil
}

// table is the routes of all services behind the agent's own. A request matches one of them.
func table(own []api.Route, services []registered) (all []api.Route, err error) {
	mux := http.NewServeMux()
	add := func(of string, r api.Route) (err error) {
		defer func() {
			if p := recover(); p != nil { // how http.ServeMux reports two that match the same request
				err = fmt.Errorf("service %s: route %s: %v", of, r.Pattern(), p)
			}
		}()
		mux.Handle(r.Pattern(), r.Handler)
		all = append(all, r)
		return nil
	}
	for _, r := range own {
		if err := errors.Join(r.Check(), add("agent", r)); err != nil {
			return nil, err
		}
	}
	for _, s := range services {
		for _, r := range s.routes {
			if err := add(s.Name(), r); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}
