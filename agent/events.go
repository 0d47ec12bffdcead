package agent

import (
	"context"
	"net/http"

	"pithings/agent/events"
	"pithings/api"
	"pithings/device"
	"pithings/flow"
)

const eventsName = "events"

// eventService is the stream of events: all that happens in the other services.
type eventService struct{ *events.Stream }

// Name implements Service.
func (eventService) Name() string { return eventsName }

// Routes implements Router.
func (s eventService) Routes() []api.Route {
	return []api.Route{{Method: http.MethodGet, Path: "/api/v1/events", For: api.Look, Doc: "follow what happens, as a stream of events", Handler: s.Stream}}
}

// newEvents makes the stream of an agent's events.
func newEvents(a *Agent, flows *flowService, gateway *gatewayService) eventService {
	s := events.New(
		events.Source{Kind: "thing", List: a.things.states, Changes: a.things.health.changed.follow},
		events.Source{Kind: "event", Follow: a.things.happen},
		events.Source{Kind: "connection", List: a.links.listed, Changes: a.links.changed.follow},
		events.Source{Kind: "deployment", List: flows.listed, Changes: flows.changed.follow},
		events.Source{Kind: "execution", Follow: following(&flows.recorded.executions)},
		events.Source{Kind: "step", Follow: following(&flows.recorded.steps)},
		events.Source{Kind: "alarm", List: gateway.listed},
		events.Source{Kind: "service", List: a.runner.listed},
		events.Source{Kind: "reload", Follow: following(&a.reloaded)},
	)
	if a.web != nil {
		a.web.door.OnEnd(s.Beat)
	}
	return eventService{s}
}

// following is the Follow of a source.
func following[T any](e *emits[T]) func(add func(any)) (stop func()) {
	return func(add func(any)) func() { return e.follow(func(v T) { add(v) }) }
}

// listedState is the state of a thing among the events.
type listedState struct {
	Name string `json:"name"`
	Type string `json:"type"`
	ThingState
}

// states lists the states of the things.
func (s *thingService) states() map[string]any {
	states, all := s.health.Things(), map[string]any{}
	for _, p := range s.made() {
		all[p.Name()] = listedState{p.Name(), p.made.Type, states[p.Name()]}
	}
	return all
}

// thingEvent is an event of a thing: what changes in GET /api/v1/things.
type thingEvent struct {
	Thing string `json:"thing"`
	Event string `json:"event"`
	Occurred
	Readings map[string]ListedReading `json:"readings,omitempty"`
	Cut      bool                     `json:"cut,omitempty"` // without values, which are long
}

// Short implements events.Long.
func (e thingEvent) Short() any {
	e.Values, e.Readings, e.Cut = nil, nil, true
	return e
}

// happen follows the things' events.
func (s *thingService) happen(add func(any)) (stop func()) {
	return s.events.Subscribe("", "", func(e device.Event) {
		o := Occurred{At: e.At, Values: e.Values}
		add(thingEvent{Thing: e.Thing, Event: e.Name, Occurred: o, Readings: readings(s.quantities(e.Thing), map[string]Occurred{e.Name: o})})
	})
}

// listed are the connections by name.
func (l *links) listed() map[string]any {
	all := map[string]any{}
	for _, c := range l.connections() {
		all[c.Name] = c
	}
	return all
}

// listed are the deployments by name.
func (s *flowService) listed() map[string]any {
	all := map[string]any{}
	if f := s.current(); f != nil {
		list, _ := f.List(context.Background()) // it has no error
		for _, d := range list {
			all[d.Name] = d
		}
	}
	return all
}

// listed are the alarms by name.
func (s *gatewayService) listed() map[string]any {
	all := map[string]any{}
	if g := s.current(); g != nil {
		for _, a := range g.Alarms() {
			all[a.Name] = a
		}
	}
	return all
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

// stepEvent is an event of an execution.
type stepEvent struct {
	Execution string `json:"execution"`
	flow.ExecutionEvent
	Cut bool `json:"cut,omitempty"` // without input and output, which are long
}

// Short implements events.Long.
func (e stepEvent) Short() any {
	e.Payload.Input, e.Payload.Output, e.Cut = nil, nil, true
	return e
}

// recorded hands on what the executions of flows do. It implements engine.Recorder.
type recorded struct {
	executions emits[flow.Execution]
	steps      emits[stepEvent]
}

// Started implements engine.Recorder.
func (r *recorded) Started(x flow.Execution) { r.executions.emit(x) }

// Event implements engine.Recorder.
func (r *recorded) Event(id string, e flow.ExecutionEvent) {
	r.steps.emit(stepEvent{Execution: id, ExecutionEvent: e})
}

// Ended implements engine.Recorder.
func (r *recorded) Ended(x flow.Execution) { r.executions.emit(x) }
