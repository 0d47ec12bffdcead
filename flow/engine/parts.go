package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"pithings/device"
	"pithings/flow"
	"pithings/quietlog"
)

// parts are what all deployments of an engine share.
type parts struct {
	recorder Recorder // nil: no history
	keeper   Keeper   // nil: nothing outlives the process
	shortest time.Duration
	log      *slog.Logger
	repeats  *quietlog.Repeats // what may come with every event

	*agenda
	dates
	lanes lanes

	ctx   context.Context // ends with the engine
	tasks sync.WaitGroup  // executions, and writes of what is kept
	// spawn runs a function on a goroutine that Close waits for, unless the engine is
	// closed.
	spawn func(func())
}

// scene is a deployment as its triggers and executions see it.
type scene struct {
	*parts
	d        *flow.Deployment
	services Services
	devices  []device.Actor // of d.Things
	memory   *memory        // nil if nothing outlives its executions
	// child makes an execution of a flow of the deployment for a step of another one. It
	// does not run before start is called.
	child func(ctx context.Context, flow string, parent *execution, args []flow.Arg) (x *execution, start func(), err error)
}

// logFlow logs what happens to a flow. A logger of its own, with the names in it, would
// cost each flow memory, or each line more than the line does.
func (s *scene) logFlow(level slog.Level, flow, message string, args ...any) {
	s.log.Log(s.ctx, level, message, append([]any{"deployment", s.d.Name, "flow", flow}, args...)...)
}

// logRare logs what may come with every event: once, and then ever more rarely.
func (s *scene) logRare(level slog.Level, flow, reason, message string, args ...any) {
	key := s.d.Name + "\x00" + flow + "\x00" + message + reason
	s.repeats.Say(level, key, message, append([]any{"deployment", s.d.Name, "flow", flow}, args...)...)
}

// vars are the kept variables. The map is not changed any more.
func (s *scene) vars() map[string]any {
	if s.memory == nil {
		return nil
	}
	return s.memory.vars()
}

// note changes what is kept of the deployment, if anything is.
func (s *scene) note(fn func(*kept)) {
	if s.memory != nil {
		s.memory.change(fn)
	}
}

// bindings is what expressions see as bindings.
func (s *scene) bindings() []any {
	list := make([]any, len(s.d.Things))
	for i, b := range s.d.Things {
		list[i] = map[string]any{"name": b.Role, "deviceId": b.Thing}
	}
	return list
}

// device returns the thing of that role or name.
func (s *scene) device(name string) (device.Actor, string, bool) {
	for i, b := range s.d.Things {
		if b.Role == name {
			return s.devices[i], b.Thing, true
		}
	}
	for i, b := range s.d.Things {
		if b.Thing == name {
			return s.devices[i], b.Thing, true
		}
	}
	return nil, "", false
}
