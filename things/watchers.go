package things

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// watchers are the flows of this process that want a thing's events. They get
// them as they happen, before anybody hears of them from the broker, and with the
// broker away.
type watchers struct {
	mu   sync.Mutex
	next int
	by   map[string]map[int]func(map[string]any, time.Time) // event, then number
}

// watch is flow.Device's Watch for a thing with those events.
func (w *watchers) watch(thing, event string, events []string, fn func(map[string]any, time.Time)) (stop func(), err error) {
	name, ok := "", false
	for _, e := range events {
		if _, ok = named(map[string]bool{e: true}, event); ok {
			name = e
			break
		}
	}
	if !ok {
		return nil, fmt.Errorf("thing %s has no event %q", thing, event)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[string]map[int]func(map[string]any, time.Time){}
	}
	if w.by[name] == nil {
		w.by[name] = map[int]func(map[string]any, time.Time){}
	}
	w.next++
	id := w.next
	w.by[name][id] = fn
	return func() {
		w.mu.Lock()
		delete(w.by[name], id)
		w.mu.Unlock()
	}, nil
}

// tell passes an event on: what its message holds, and when it happened.
func (w *watchers) tell(event string, payload []byte, at time.Time) {
	w.mu.Lock()
	fns := slices.Collect(maps.Values(w.by[event]))
	w.mu.Unlock()
	if len(fns) == 0 {
		return
	}
	var values map[string]any
	if json.Unmarshal(payload, &values) != nil {
		return // the payload is our own
	}
	for _, fn := range fns {
		fn(values, at)
	}
}
