package engine

import (
	"context"
	"log/slog"
	"time"

	"pithings/device"
	"pithings/flow"
	"pithings/mqttlink/clock"
)

// Recorder keeps the history of executions. Its methods return at once: they
// wait for no disk. The calls for one execution come in the order of its events.
type Recorder interface {
	// Started reports a new execution, before its first event.
	Started(flow.Execution)
	// Event reports an event of the execution with that id.
	Event(id string, e flow.ExecutionEvent)
	// Ended reports how an execution ended, after its last event.
	Ended(flow.Execution)
}

// Keeper keeps what flows have when the process ends: their kept variables, for how
// long conditions have been true, and executions that wait. Its methods may wait for
// the disk.
type Keeper interface {
	// Load returns what is kept of a deployment, by name.
	Load(deployment string) (map[string][]byte, error)
	// Save replaces what is kept under a name; after a power cut the old or the new one
	// is there. nil removes it.
	Save(deployment, name string, data []byte) error
}

// Services runs actions of web services. Its errors may have ErrorName, as those
// of a device.Actor.
type Services interface {
	Call(ctx context.Context, service, action string, input flow.Values) (any, error)
}

// Options are what an engine is made of.
type Options struct {
	// Device returns what plays a role of a deployment. It is asked when the
	// deployment is deployed, and returns the same comparable value for the same
	// thing, carrier and description.
	Device func(*flow.Deployment, flow.Binding) (device.Actor, error)
	// Services returns the web services that a deployment may call, nil if none;
	// then one that calls some is refused. It may be nil itself.
	Services func(*flow.Deployment) Services
	// Recorder may be nil: then no history is kept.
	Recorder Recorder
	// Keeper may be nil: then all is forgotten when the process ends.
	Keeper Keeper
	// Shortest is the wait from which one outlives the process; 0: 5 s. Shorter waits end
	// before an engine is there again, and are not worth a write to the disk.
	Shortest time.Duration
	// Clock reports whether the wall clock is right; nil: it is.
	Clock *clock.Clock
	// Wall is the wall clock; nil: time.Now.
	Wall func() time.Time
	Log  *slog.Logger
}

// defaultShortest is the wait from which one outlives the process.
const defaultShortest = 5 * time.Second
