package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"pithings/flow/engine"
	"pithings/mqttlink/clock"
)

// Health is the state of an agent's things and connections.
type Health struct {
	mu     sync.Mutex
	things map[string]ThingState
	order  []string
	links  func() map[string]string
	queues func() map[string]QueueState
	clock  *clock.Clock
	flows  func() map[string][]engine.Stats
}

// ThingState is the state of one thing's part.
type ThingState struct {
	State string    `json:"state"` // "starting", "up" or "down"
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since"`
}

func newHealth(names []string, links func() map[string]string, queues func() map[string]QueueState) *Health {
	h := &Health{things: map[string]ThingState{}, order: names, links: links, queues: queues}
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
	m := make(map[string]ThingState, len(h.things))
	for n, s := range h.things {
		m[n] = s
	}
	return m
}

// ServeHTTP tells the state as JSON. The status is 200 whenever the agent
// answers: a missing camera is shown, it does not make the agent unhealthy.
func (h *Health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(struct {
		Things      map[string]ThingState `json:"things"`
		Connections map[string]string     `json:"connections"`
		Queues      map[string]QueueState `json:"queues"`
		Clock       *ClockState           `json:"clock,omitempty"`

		Flows map[string][]engine.Stats `json:"flows,omitempty"`
	}{h.Things(), h.links(), h.queues(), clockState(h.clock), h.flows()})
}

// Names lists the things in the order of the configuration.
func (h *Health) Names() []string { return h.order }
