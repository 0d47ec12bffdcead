package agent

import (
	"sync"
	"time"

	"pithings/history"
)

// holdEvery is how often states that do not change are noted.
const holdEvery = time.Minute

// held are the states of what is on or off, in the history as 1 and 0 for each second, so that the mean of
// any part is the share of time on. They have events when they change; between those they are
// held, as long as their parts work. What is on for less than a second counts as one.
type held struct {
	store interface {
		Put(k history.Key, precision int, at time.Time, v float64)
		Hold(k history.Key, precision int, from, until time.Time, v float64)
	}

	mu  sync.Mutex
	all map[history.Key]*holding
	up  map[string]bool // things whose parts worked
}

// holding is a state from the next second that is to be noted on.
type holding struct {
	on   float64
	from time.Time
}

// happened takes an event. One that is momentary is off again at once, without an event.
func (h *held) happened(k history.Key, at time.Time, on, momentary bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if one := h.all[k]; one != nil {
		h.note(k, one, at)
	}
	next := holding{from: at.Add(time.Second)}
	if on {
		next.on = 1
	}
	h.store.Put(k, 0, at, next.on)
	if momentary {
		next.on = 0
	}
	h.set(k, next)
}

func (h *held) set(k history.Key, next holding) {
	if h.all == nil {
		h.all = map[history.Key]*holding{}
	}
	h.all[k] = &next
}

// note notes a state until now. h.mu is held.
func (h *held) note(k history.Key, one *holding, now time.Time) {
	if now.After(one.from) {
		h.store.Hold(k, 0, one.from, now, one.on)
		one.from = now
	}
}

// fill notes all states until now.
func (h *held) fill(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, one := range h.all {
		h.note(k, one, now)
	}
}

// works takes whether the part of a thing works, and which of its states are off from then on if
// they have no event. Of a part that ceases to work nothing is known, until it has an event again,
// which may come before it works.
func (h *held) works(thing string, up bool, resting []history.Key, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, one := range h.all {
		if k.Thing == thing && !up && h.up[thing] {
			h.note(k, one, now)
			delete(h.all, k)
		}
	}
	if h.up == nil {
		h.up = map[string]bool{}
	}
	h.up[thing] = up
	for _, k := range resting {
		if h.all[k] == nil {
			h.set(k, holding{from: now})
		}
	}
}

// only drops the states of other things.
func (h *held) only(there func(thing string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k := range h.all {
		if !there(k.Thing) {
			delete(h.all, k)
			delete(h.up, k.Thing)
		}
	}
}

// switchedOn is a value as on or off: true or false, or one of two texts, of which the first is off.
func switchedOn(v any, texts func() []string) (on, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		if two := texts(); len(two) == 2 && (v == two[0] || v == two[1]) {
			return v == two[1], true
		}
	}
	return false, false
}
