package agent

import (
	"pithings/agent/events"
	"pithings/device"
)

// Events implements Happening.
func (s *thingService) Events() []events.Source {
	return []events.Source{
		{Kind: "thing", List: s.states, Changes: s.health.changed.follow},
		{Kind: "event", Follow: s.happen},
	}
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
