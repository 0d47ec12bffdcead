package agent

import (
	"time"

	"pithings/api"
	"pithings/mqttlink/clock"
)

const clockName = "clock"

// clockService is the one clock of the process. What it learns of this boot is kept in the
// state folder, for what is still queued after the next.
type clockService struct{ *clock.Clock }

// Name implements Service.
func (clockService) Name() string { return clockName }

// Essential implements the interface of that name: without a clock nothing can be dated.
func (clockService) Essential() bool { return true }

// ClockState is whether this machine's clock is known to be right.
type ClockState struct {
	State string    `json:"state"` // "known", or "doubtful", or "unset": it reads earlier than this program was built
	Why   string    `json:"why"`
	Since time.Time `json:"since"` // as the clock reads now
}

// Health implements HealthReporter.
func (c clockService) Health(add func(key string, value any)) {
	add("clock", ClockState{c.State().String(), c.Verdict().String(), c.Since().UTC().Truncate(time.Second)})
}

// Collect implements Collector.
func (c clockService) Collect(m *api.Metrics) {
	m.Family("pithings_clock_known", "gauge", "Whether this machine's clock is known to be right.")
	m.Sample(api.Bool(c.Known()))
}
