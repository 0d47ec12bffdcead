package device

import (
	"slices"
	"sync"
)

// Bus carries events from the things of a process to its other rooms. The zero value is ready
// to use. It keeps nothing: who subscribes gets what happens from then on.
type Bus struct {
	mu   sync.RWMutex
	subs map[source][]*subscription // the slices are replaced, never changed
}

// source is what a subscription is to; "" stands for all.
type source struct{ thing, event string }

type subscription struct{ fn func(Event) }

// Subscribe calls fn for every event of that name of that thing, until stop; "" stands for
// all events, or all things. fn is called in the thing's own goroutine and returns at once.
// stop waits for no call of fn.
func (b *Bus) Subscribe(thing, event string, fn func(Event)) (stop func()) {
	s, of := &subscription{fn}, source{thing, event}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[source][]*subscription{}
	}
	b.subs[of] = append(slices.Clip(b.subs[of]), s)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		rest := slices.DeleteFunc(slices.Clone(b.subs[of]), func(x *subscription) bool { return x == s })
		if b.subs[of] = rest; len(rest) == 0 {
			delete(b.subs, of)
		}
	}
}

// receivers are those of one event: that event of that thing first, then wider ones.
func (b *Bus) receivers(thing, event string) (all [4][]*subscription) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.subs) == 0 {
		return all
	}
	return [4][]*subscription{b.subs[source{thing, event}], b.subs[source{thing, ""}], b.subs[source{"", event}], b.subs[source{}]}
}

// Wanted reports whether anything subscribes to an event, so that a thing need not put one
// together in vain.
func (b *Bus) Wanted(thing, event string) bool {
	for _, group := range b.receivers(thing, event) {
		if len(group) > 0 {
			return true
		}
	}
	return false
}

// Emit hands an event to all that subscribed to it.
func (b *Bus) Emit(e Event) {
	for _, group := range b.receivers(e.Thing, e.Name) {
		for _, s := range group {
			s.fn(e)
		}
	}
}
