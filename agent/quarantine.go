package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"pithings/agent/config"
	"pithings/api"
	"pithings/device"
	"pithings/mqttlink"
)

// In quarantine, which the device's shadow begins and ends, this device acts for no other: what
// comes from the network has no effect, and what the things, flows and gateway publish stays in
// the queues. It holds before the first message of a process is sent. There are two places
// where it holds: the connections (mqttlink.Link.Hold), past which only the services of awsiot go
// by which the device is managed, and the actors by which flows and the gateway use things of this
// process. Who stands at the machine uses the things themselves, and is not stopped.

const quarantineName = "quarantine"

// errQuarantine is why an action does not take place.
var errQuarantine = errors.New("this device is in quarantine, which its shadow began; nothing acts until that ends it")

// quarantine is whether this device is in quarantine. It is a service so that a reload that
// switches the shadow off ends it: from afar it could not be ended any more.
type quarantine struct {
	folder *folder
	links  *links
	log    *slog.Logger

	mu      sync.Mutex
	shadow  bool // the device has one
	since   time.Time
	ordered bool // by the shadow
}

// open reads whether an earlier process was in quarantine, for a configuration.
func (q *quarantine) open(c *config.Config) {
	q.mu.Lock()
	q.since, q.ordered = q.folder.Quarantine()
	q.mu.Unlock()
	q.follow(c)
}

// follow holds the connections for a configuration, or lets them go.
func (q *quarantine) follow(c *config.Config) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.shadow && q.ordered
	q.shadow = c.AWSIoT.Shadow.Enabled
	q.hold(before)
}

// set begins the quarantine, or ends it. It is saved first, so that a process that ends at any
// moment has not reported what the next one does not know.
func (q *quarantine) set(on bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if on == q.ordered {
		return nil
	}
	since := time.Time{}
	if on {
		since = time.Now().Truncate(time.Second)
	}
	if err := q.folder.own(); err != nil {
		return err
	}
	err := q.folder.SetQuarantine(since)
	if err != nil && !on {
		return err // the next process would be in quarantine
	}
	before := q.shadow && q.ordered
	q.since, q.ordered = since, on
	q.hold(before)
	return err
}

// hold holds the connections as they are to be. q.mu is held.
func (q *quarantine) hold(before bool) {
	on := q.shadow && q.ordered
	q.links.hold(on)
	switch {
	case on && !before:
		q.log.Warn("quarantine: nothing is published but presence and what the cloud manages this device by, and nothing acts", "since", q.since.Format(time.RFC3339))
	case before && !on:
		q.log.Warn("quarantine has ended")
	}
}

// on reports whether this device is in quarantine.
func (q *quarantine) on() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.shadow && q.ordered
}

// check returns why nothing may act, or nil.
func (q *quarantine) check() error {
	if q.on() {
		return errQuarantine
	}
	return nil
}

// actor is a thing of this process for flows and the gateway.
func (q *quarantine) actor(a device.Actor) device.Actor {
	stopped := stoppable{a, q}
	if r, ok := a.(device.Reader); ok {
		return struct {
			stoppable
			device.Reader
		}{stopped, r}
	}
	return stopped
}

// stoppable is an actor that does nothing in quarantine.
type stoppable struct {
	device.Actor
	q *quarantine
}

// Call implements device.Actor.
func (s stoppable) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	if err := s.q.check(); err != nil {
		return nil, err
	}
	return s.Actor.Call(ctx, action, input)
}

// commander is the connection of flows: a command for a thing elsewhere, which would be late when
// the quarantine ends, is refused and does not wait.
type commander struct {
	*mqttlink.Link
	q *quarantine
}

// Publish implements mqttlink.Client.
func (c commander) Publish(ctx context.Context, m mqttlink.Message) error {
	if err := c.q.check(); err != nil {
		return err
	}
	return c.Link.Publish(ctx, m)
}

// Name implements Service.
func (q *quarantine) Name() string { return quarantineName }

// Run implements Service: there is nothing to do.
func (q *quarantine) Run(context.Context) error { return nil }

func (q *quarantine) plan(*change) error { return nil }

func (q *quarantine) leave(*change) {}

func (q *quarantine) take(ch *change) error {
	q.follow(ch.next)
	return nil
}

// Health implements HealthReporter.
func (q *quarantine) Health(add func(key string, value any)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shadow && q.ordered {
		add(quarantineName, struct {
			Since time.Time `json:"since"`
		}{q.since.UTC()})
	}
}

// Collect implements Collector.
func (q *quarantine) Collect(m *api.Metrics) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shadow {
		m.Family("pithings_quarantine", "gauge", "Whether the device is in quarantine.")
		m.Sample(api.Bool(q.ordered))
	}
}
