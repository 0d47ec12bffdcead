package agent

import (
	"maps"
	"sync"
	"time"

	"pithings/device"
)

// Occurred is an event of a thing.
type Occurred struct {
	At     time.Time     `json:"time"`
	Values device.Values `json:"values"`

	n uint64 // how many there were
}

// latest is the latest event of each name of each thing.
type latest struct {
	mu   sync.Mutex
	by   map[string]map[string]Occurred // by thing and event
	stop func()
}

// follow takes the events of a bus until end.
func (l *latest) follow(bus *device.Bus) {
	l.stop = bus.Subscribe("", "", func(e device.Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.by == nil {
			l.by = map[string]map[string]Occurred{}
		}
		if l.by[e.Thing] == nil {
			l.by[e.Thing] = map[string]Occurred{}
		}
		l.by[e.Thing][e.Name] = Occurred{e.At, e.Values, l.by[e.Thing][e.Name].n + 1}
	})
}

// end ends follow.
func (l *latest) end() {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

// of has the events of a thing, by name.
func (l *latest) of(thing string) map[string]Occurred {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.by[thing])
}

// counts has how many events of a thing there were, by name.
func (l *latest) counts(thing string) map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]uint64, len(l.by[thing]))
	for name, o := range l.by[thing] {
		all[name] = o.n
	}
	return all
}

// forget drops the events of a thing.
func (l *latest) forget(thing string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, thing)
}
