package engine

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pithings/flow"
)

// runner starts the executions of one flow and holds them to its overlap policy.
type runner struct {
	s   *scene
	f   *flow.Flow
	def *flow.Definition

	mu      sync.Mutex
	stopped bool
	*used   // nil until there is something to note: most of many flows never run
}

// used is what a flow has once it was started.
type used struct {
	prog    *program
	running []*execution
	waiting []*starting
	stats   Stats
}

func newRunner(s *scene, f *flow.Flow) *runner {
	return &runner{s: s, f: f, def: f.Definition}
}

// use is called before used is. The lock is held.
func (r *runner) use() {
	if r.used == nil {
		r.used = new(used)
	}
}

// starting is a start that has its arguments.
type starting struct {
	occasion *occasion
	args     []any // of the parameters
}

// bind computes the arguments of a start.
func (r *runner) bind(o *occasion, args []flow.Arg) (*starting, error) {
	s := &starting{occasion: o}
	if len(r.def.Parameters) == 0 && len(args) == 0 {
		return s, nil
	}
	values, err := flow.BindArgs(r.def, args)
	if err != nil {
		return nil, err
	}
	s.args = make([]any, len(values))
	for i, v := range values {
		if s.args[i], err = v.Eval(o); err != nil {
			return nil, fmt.Errorf("flow %s, parameter %s: %w", r.def.Name, r.def.Parameters[i].Name, err)
		}
	}
	return s, nil
}

// start starts an execution, or does what the policy says, and returns the id of
// the execution if it runs now.
func (r *runner) start(s *starting) (id string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return "", false
	}
	r.use()
	if len(r.running) < r.limit() {
		return r.run(s), true
	}
	switch r.f.Overlap {
	case flow.Queue:
		if len(r.waiting) < cmp.Or(r.f.Limit, flow.DefaultQueue) {
			r.waiting = append(r.waiting, s)
			return "", true
		}
	case flow.Restart:
		if n := len(r.waiting); n > 0 {
			r.drop(n)
		}
		r.waiting = append(r.waiting[:0], s)
		for _, x := range r.running {
			x.cancel(errRestarted)
		}
		return "", true
	}
	r.drop(1)
	return "", true
}

// limit is how many executions may run at once.
func (r *runner) limit() int {
	if r.f.Overlap == flow.Parallel {
		return cmp.Or(r.f.Limit, flow.DefaultParallel)
	}
	return 1
}

// drop counts starts that fall. The lock is held.
func (r *runner) drop(n int) {
	r.stats.Dropped += uint64(n)
	r.s.logRare(slog.LevelWarn, r.def.Name, "", "start of a running flow dropped", "overlap", cmp.Or(r.f.Overlap, "queue"))
}

// run starts an execution now. The lock is held.
func (r *runner) run(s *starting) string {
	x := newExecution(r.s.ctx, r.s, r.program(), s.occasion, nil)
	x.begin(s.args)
	r.add(x)
	x.record()
	r.s.tasks.Go(x.run)
	return x.ID
}

// program returns the flow as executions run it. The lock is held.
func (r *runner) program() *program {
	if r.prog == nil {
		r.prog = compile(r.def)
	}
	return r.prog
}

// add counts an execution among those that run. The lock is held.
func (r *runner) add(x *execution) {
	x.ended = r.ended
	r.running = append(r.running, x)
	r.stats.Started++
}

// child makes an execution that a step of parent runs, within ctx.
func (r *runner) child(ctx context.Context, parent *execution, args []flow.Arg) (*execution, error) {
	s, err := r.bind(parent.occasion, args)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, fmt.Errorf("flow %s: %w", r.def.Name, errUndeployed)
	}
	r.use()
	x := newExecution(ctx, r.s, r.program(), s.occasion, parent)
	x.begin(s.args)
	r.add(x)
	return x, nil
}

// ended is called by an execution at its very end.
func (r *runner) ended(x *execution) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, other := range r.running {
		if other == x {
			r.running = append(r.running[:i], r.running[i+1:]...)
			break
		}
	}
	switch x.Status {
	case flow.Succeeded:
		r.stats.Succeeded++
		r.s.logFlow(slog.LevelInfo, r.def.Name, "EXECUTION_SUCCEEDED", "took", x.Ended.Sub(x.Started).Round(time.Millisecond))
	case flow.Aborted:
		r.stats.Aborted++
		r.s.logFlow(slog.LevelInfo, r.def.Name, "EXECUTION_ABORTED", "reason", x.Reason)
	case flow.Failed:
		r.stats.Failed++
		r.s.logRare(slog.LevelError, r.def.Name, x.Reason, "EXECUTION_FAILED", "err", x.Reason) // a camera may be away for long
	}
	if len(r.waiting) > 0 && !r.stopped && len(r.running) < r.limit() {
		s := r.waiting[0]
		r.waiting = r.waiting[1:]
		if len(r.waiting) == 0 {
			r.waiting = nil
		}
		r.run(s)
	}
}

// stop lets nothing start any more and aborts what runs.
func (r *runner) stop(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	if r.used == nil {
		return
	}
	r.waiting = nil
	for _, x := range r.running {
		x.cancel(why)
		if x.tree != nil && x.parent == nil && why != errEngineEnds {
			x.tree.abandon() // before a deployment of the same name looks for it
		}
	}
}

func (r *runner) abort(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used == nil {
		return false
	}
	for _, x := range r.running {
		if x.ID == id {
			x.cancel(errAbortedHand)
			return true
		}
	}
	return false
}

func (r *runner) runs(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used != nil && slices.ContainsFunc(r.running, func(x *execution) bool { return x.ID == id })
}

// tooOld counts an event that came too late.
func (r *runner) tooOld() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.use()
	r.stats.TooOld++
	r.s.logRare(slog.LevelWarn, r.def.Name, "", "event too old to start the flow")
}

// wrong counts a trigger that could not be computed.
func (r *runner) wrong(trigger string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.use()
	r.stats.Errors++
	r.s.logRare(slog.LevelError, r.def.Name, err.Error(), "trigger not computed", "trigger", trigger, "err", err)
}

// Stats count what a flow did since it was deployed.
type Stats struct {
	Flow      string `json:"flow"`
	Started   uint64 `json:"started"`
	Succeeded uint64 `json:"succeeded"`
	Failed    uint64 `json:"failed"`
	Aborted   uint64 `json:"aborted"`
	Dropped   uint64 `json:"dropped"` // starts that the overlap policy dropped
	TooOld    uint64 `json:"too_old"` // events that came too late to start anything
	Errors    uint64 `json:"errors"`  // triggers whose expressions could not be computed
	Running   int    `json:"running"`
	Waiting   int    `json:"waiting"`
}

func (r *runner) statistics() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used == nil {
		return Stats{Flow: r.def.Name}
	}
	s := r.stats
	s.Flow, s.Running, s.Waiting = r.def.Name, len(r.running), len(r.waiting)
	return s
}
