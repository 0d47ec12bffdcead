package agent

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Health is the state of an agent's things.
type Health struct {
	mu     sync.Mutex
	things map[string]ThingState
	order  []string

	changed changes // when a part begins or ceases to work
}

// ThingState is the state of one thing's part.
type ThingState struct {
	State string    `json:"state"` // "starting", "up" or "down"
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since"`
}

func newHealth(names []string) *Health {
	h := &Health{things: map[string]ThingState{}, order: names}
	for _, n := range names {
		h.things[n] = ThingState{State: "starting", Since: time.Now()}
	}
	return h
}

// set notes what a thing's part does now, and logs it if that is news.
func (h *Health) set(ctx context.Context, thing string, err error, log *slog.Logger) {
	if ctx.Err() != nil {
		return
	}
	now := ThingState{State: "up", Since: time.Now()}
	if err != nil {
		now.State, now.Error = "down", err.Error()
	}
	h.mu.Lock()
	before := h.things[thing]
	if before.State == now.State {
		now.Since = before.Since
	}
	h.things[thing] = now
	h.mu.Unlock()
	if before.State != now.State {
		h.changed.note()
	}
	switch {
	case now.State == before.State && now.Error == before.Error:
	case err != nil:
		log.Error("part does not work; trying again by itself", "thing", thing, "err", err)
	case before.State == "down":
		log.Info("part works again", "thing", thing, "after", time.Since(before.Since).Round(time.Second))
	default:
		log.Info("part works", "thing", thing)
	}
}

// Things returns a copy of the states by the things' names.
func (h *Health) Things() map[string]ThingState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.things)
}

// up reports whether a thing's part works.
func (h *Health) up(thing string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.things[thing].State == "up"
}

// Names lists the things in the order of the configuration.
func (h *Health) Names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.order)
}

// follow takes the things of a reloaded configuration: fresh are those that were made
// anew.
func (h *Health) follow(names []string, fresh map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.things
	h.things, h.order = map[string]ThingState{}, names
	for _, n := range names {
		if s, ok := before[n]; ok && !fresh[n] {
			h.things[n] = s
			continue
		}
		h.things[n] = ThingState{State: "starting", Since: time.Now()}
	}
}
