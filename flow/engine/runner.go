package engine

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pithings/flow"
)

// runner starts the executions of one flow and holds them to its overlap policy.
type runner struct {
	d   *deployed
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
	failure string // of the execution before
	stats   Stats
	warned  struct{ dropped, wrong, old bool }
}

func newRunner(d *deployed, f *flow.Flow) *runner {
	return &runner{d: d, f: f, def: f.Definition}
}

// use is called before used is. The lock is held.
func (r *runner) use() {
	if r.used == nil {
		r.used = new(used)
	}
}

// once tells whether it is called for the first time with a flag.
func once(flag *bool) bool {
	first := !*flag
	*flag = true
	return first
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
func (r *runner) start(s *starting) (id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return ""
	}
	r.use()
	limit := 1
	if r.f.Overlap == flow.Parallel {
		limit = cmp.Or(r.f.Limit, flow.DefaultParallel)
	}
	if len(r.running) < limit {
		return r.run(s)
	}
	switch r.f.Overlap {
	case flow.Queue:
		if len(r.waiting) < cmp.Or(r.f.Limit, flow.DefaultQueue) {
			r.waiting = append(r.waiting, s)
			return ""
		}
	case flow.Restart:
		if n := len(r.waiting); n > 0 {
			r.drop(n)
		}
		r.waiting = append(r.waiting[:0], s)
		for _, x := range r.running {
			x.cancel(errRestarted)
		}
		return ""
	}
	r.drop(1)
	return ""
}

// drop counts starts that fall. The lock is held.
func (r *runner) drop(n int) {
	r.stats.Dropped += uint64(n)
	if once(&r.warned.dropped) {
		r.log(slog.LevelWarn, "the flow was started while it runs, and the start was dropped; further ones are counted only",
			"overlap", cmp.Or(r.f.Overlap, "queue"))
	}
}

// log logs what happens to the flow. A logger of its own, with the names in it, would
// cost each flow memory, or each line more than the line does.
func (r *runner) log(level slog.Level, message string, args ...any) {
	r.d.e.o.Log.Log(r.d.e.ctx, level, message, append([]any{"deployment", r.d.d.Name, "flow", r.def.Name}, args...)...)
}

// run starts an execution now. The lock is held.
func (r *runner) run(s *starting) string {
	if r.prog == nil {
		r.prog = compile(r.def)
	}
	x := newExecution(r, s)
	r.running = append(r.running, x)
	r.stats.Started++
	r.d.e.tasks.Go(func() {
		grow()
		x.run()
	})
	return x.ID
}

// grow makes the stack of a new goroutine as large as calls through a link need, while
// there is little on it: otherwise it is copied several times on the way down.
//
//go:noinline
func grow() {
	var room [6 << 10]byte
	use(&room)
}

// use keeps the compiler from leaving it out.
//
//go:noinline
func use(*[6 << 10]byte) {}

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
		r.failure = ""
		r.log(slog.LevelInfo, "EXECUTION_SUCCEEDED", "took", x.Ended.Sub(x.Started).Round(time.Millisecond))
	case flow.Aborted:
		r.stats.Aborted++
		r.log(slog.LevelInfo, "EXECUTION_ABORTED", "reason", x.Reason)
	case flow.Failed:
		r.stats.Failed++
		level := slog.LevelError
		if x.Reason == r.failure { // a camera that is away: once is enough
			level = slog.LevelDebug
		}
		r.failure = x.Reason
		r.log(level, "EXECUTION_FAILED", "err", x.Reason)
	}
	if len(r.waiting) > 0 && !r.stopped {
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

// tooOld counts an event that came too late.
func (r *runner) tooOld() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.use()
	r.stats.TooOld++
	if once(&r.warned.old) {
		r.log(slog.LevelWarn, "an event was too old to start the flow; further ones are counted only")
	}
}

// wrong counts a trigger that could not be computed.
func (r *runner) wrong(trigger string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.use()
	r.stats.Errors++
	if once(&r.warned.wrong) {
		r.log(slog.LevelError, "a trigger could not be computed; further times are counted only", "trigger", trigger, "err", err)
	}
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

// executionID is <flow>_<time>_<trigger>_<uuid>, as the cloud service made it.
func executionID(id, trigger string, at time.Time) string {
	b := make([]byte, 0, len(id)+len(trigger)+64)
	b = append(append(b, id...), '_')
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(append(append(b, '_'), trigger...), '_')
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80 // RFC 9562, version 4
	for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return string(b)
}
