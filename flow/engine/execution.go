package engine

import (
	"context"
	"sync"
	"time"

	"pithings/flow"
)

// execution is one run of a flow. No goroutine conducts it: the goroutine that ends a step
// starts those that waited for it, continues with one of them itself, and the last
// one ends the execution.
type execution struct {
	flow.Execution
	s        *scene
	p        *program
	occasion *occasion
	ctx      context.Context
	cancel   context.CancelCauseFunc
	ended    func(*execution) // is called at the very end

	mu      sync.Mutex
	vars    map[string]any
	set     set
	begun   []bool           // steps that were started or skipped
	active  int              // steps under way
	rests   map[int]*resting // those of them that wait, or run a flow
	failure *stepError
	events  int // the last event's number

	// tree is nil of most: of flows that neither wait nor run others, and are run by none.
	tree   *tree
	parent *execution    // whose step runs it, or nil
	done   chan struct{} // closed at the end; nil without a parent
}

// resting is a step that waits, or runs a flow.
type resting struct {
	attempt int
	tried   []int // attempts by retry
	span
	child   *execution
	earlier bool // an earlier process began it
}

// resumed reports whether an earlier process began the rest.
func (r *resting) resumed() bool { return r.earlier }

// newExecution makes an execution without id and arguments, within a context.
func newExecution(under context.Context, s *scene, p *program, o *occasion, parent *execution) *execution {
	x := &execution{s: s, p: p, occasion: o, parent: parent}
	if parent != nil {
		x.tree, x.done = parent.tree, make(chan struct{})
	} else if p.rests {
		x.tree = newTree(x)
	}
	if p.rests {
		x.rests = map[int]*resting{}
	}
	x.ctx, x.cancel = context.WithCancelCause(under)
	x.vars = make(map[string]any, len(p.def.Parameters)+len(p.def.Variables))
	for _, v := range p.def.Variables {
		x.vars[v.Name] = nil
	}
	flags := make([]bool, len(p.events)+len(p.def.Steps))
	x.set = set{p, flags[:len(p.events)]}
	x.begun = flags[len(p.events):]
	return x
}

// begin gives a new execution its id and arguments.
func (x *execution) begin(args []any) {
	now := time.Now()
	def := x.p.def
	x.Execution = flow.Execution{
		ID:         executionID(def.ID(), x.occasion.trigger, now),
		Deployment: x.s.d.Name, Revision: x.s.d.Revision, Flow: def.Name, Trigger: x.occasion.trigger,
		Status: flow.Running, Started: now,
	}
	if x.parent != nil {
		x.Parent = x.parent.ID
	}
	for i, p := range def.Parameters {
		x.vars[p.Name] = args[i]
	}
}

// Lookup implements expr.Scope. The lock is held.
func (x *execution) Lookup(name string) (any, bool) {
	if v, ok := x.vars[name]; ok {
		return v, true
	}
	if name == "value" {
		return nil, false // the trigger's alone
	}
	return x.occasion.Lookup(name)
}

// event records what happens. The lock is held.
func (x *execution) event(t flow.EventType, p flow.EventPayload) {
	x.events++
	if x.s.recorder != nil {
		x.s.recorder.Event(x.ID, flow.ExecutionEvent{ID: x.events, Type: t, Time: time.Now(), Payload: p})
	}
}

// cancelledError is the error of a step that is cancelled with its execution.
func (x *execution) cancelledError() *stepError {
	return &stepError{cancelledName, context.Cause(x.ctx).Error()}
}

// woken notes that a step no longer rests.
func (x *execution) woken(step int) {
	x.mu.Lock()
	delete(x.rests, step)
	x.mu.Unlock()
}
