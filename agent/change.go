package agent

import (
	"slices"

	"pithings/agent/config"
	"pithings/gateway"
)

// reloadable is a service that takes another configuration while it runs.
type reloadable interface {
	// plan compares another configuration with what runs, in the order of the services. It
	// changes nothing, and finds in the change what the services before have planned.
	plan(ch *change) error
	// leave ends what the next configuration does not have, in the reverse order.
	leave(ch *change)
	// take makes and starts what it has and does not run, in the order of the services.
	take(ch *change) error
}

// change is what a reload changes. The services fill it in.
type change struct {
	Reloaded
	before, next  *config.Config
	stays         map[string]bool  // connections of next: whether it stays
	sharedDiffers bool             // the shared connection begins, ends or is made anew
	keeps         map[string]bool  // things of next: whether it keeps working
	gateway       *gateway.Gateway // the one that ran until now
	optional      []*optional      // those that are made anew, or ended
}

// has reports whether an optional service is made anew, or ended.
func (ch *change) has(s *optional) bool { return slices.Contains(ch.optional, s) }

// Reloaded is what a reload has done.
type Reloaded struct {
	Connections []string `json:"connections,omitempty"` // made anew, or ended
	Things      []string `json:"things,omitempty"`
	Flows       bool     `json:"flows,omitempty"`
	Gateway     bool     `json:"gateway,omitempty"`
	// Restart are keys that have changed and take effect at the next start.
	Restart []string `json:"restart,omitempty"`
}
