package agent

import (
	"time"

	"pithings/agent/config"
	"pithings/mqttlink/clock"
)

// newClock returns the one clock of the process. What it learns of this boot is
// kept in the state folder, for what is still queued after the next.
func (a *Agent) newClock() *clock.Clock {
	o := a.o.Clock
	o.Trust = o.Trust || a.o.Config.Clock == config.ClockTrust
	o.Dir, o.Log = a.o.State, a.log
	return clock.New(o)
}

// ClockState is whether this machine's clock is known to be right.
type ClockState struct {
	State string    `json:"state"` // "known", or "doubtful", or "unset": it reads earlier than this program was built
	Why   string    `json:"why"`
	Since time.Time `json:"since"` // as the clock reads now
}

func clockState(c *clock.Clock) *ClockState {
	if c == nil {
		return nil
	}
	return &ClockState{c.State().String(), c.Verdict().String(), c.Since().UTC().Truncate(time.Second)}
}
