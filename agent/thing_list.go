package agent

import (
	"slices"
	"time"

	"pithings/device"
	"pithings/things"
)

// ListedThing is a thing as GET /api/v1/things shows it.
type ListedThing struct {
	Name string `json:"name"`
	Type string `json:"type"`
	ThingState
	Readings map[string]ListedReading `json:"readings,omitempty"` // by quantity, since the agent began
	Latest   map[string]Occurred      `json:"latest,omitempty"`   // events by name, likewise
}

// ListedReading is the latest value of a quantity.
type ListedReading struct {
	Value any       `json:"value"` // null: it could not be measured
	Unit  string    `json:"unit,omitempty"`
	Class string    `json:"class,omitempty"` // device class of Home Assistant
	Time  time.Time `json:"time"`
}

// list describes the things, in the order of the configuration.
func (s *thingService) list() []ListedThing {
	states := s.health.Things()
	all := []ListedThing{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.parts {
		t := ListedThing{Name: p.Name(), Type: p.made.Type, ThingState: states[p.Name()], Latest: s.latest.of(p.Name())}
		t.Readings = readings(p.quantities(), t.Latest)
		all = append(all, t)
	}
	return all
}

// quantities are what a thing measures.
func (p *part) quantities() []device.Quantity {
	if m, ok := p.Thing.(things.Measuring); ok {
		return m.Quantities()
	}
	p.describing.Do(func() {
		p.described = things.KindOf(p.made.Type).Describe(p.made.Settings, p.made.Topics).Model.Quantities
	})
	return p.described
}

// quantities are what a thing measures; none if there is no such thing.
func (s *thingService) quantities(thing string) []device.Quantity {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if i := slices.IndexFunc(s.parts, func(p *part) bool { return p.Name() == thing }); i >= 0 {
		return s.parts[i].quantities()
	}
	return nil
}

// readings picks the quantities out of events.
func readings(quantities []device.Quantity, latest map[string]Occurred) map[string]ListedReading {
	all := map[string]ListedReading{}
	for _, q := range quantities {
		if e, ok := latest[q.Event]; ok {
			all[q.Name] = ListedReading{e.Values[q.Key], q.Unit, q.Class, e.At}
		}
	}
	return all
}
