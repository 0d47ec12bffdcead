package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"pithings/flow"
	"pithings/flow/expr"
)

// execution is one run of a flow. No goroutine conducts it: whoever ends a step
// starts those that waited for it, goes on with one of them itself, and the last
// one ends the execution.
type execution struct {
	flow.Execution
	e        *Engine
	r        *runner
	p        *program
	occasion *occasion
	ctx      context.Context
	cancel   context.CancelCauseFunc

	mu      sync.Mutex
	vars    map[string]any
	set     set
	begun   []bool // steps that were started or skipped
	active  int    // steps under way
	failure *stepError
	events  int // the last event's number
}

func newExecution(r *runner, s *starting) *execution {
	now := time.Now()
	x := &execution{e: r.d.e, r: r, p: r.prog, occasion: s.occasion}
	x.Execution = flow.Execution{
		ID:         executionID(r.def.ID(), s.occasion.trigger, now),
		Deployment: r.d.d.Name, Revision: r.d.d.Revision, Flow: r.def.Name, Trigger: s.occasion.trigger,
		Status: flow.Running, Started: now,
	}
	x.ctx, x.cancel = context.WithCancelCause(r.d.e.ctx)
	x.vars = make(map[string]any, len(r.def.Parameters)+len(r.def.Variables))
	for _, v := range r.def.Variables {
		x.vars[v.Name] = nil
	}
	for i, p := range r.def.Parameters {
		x.vars[p.Name] = s.args[i]
	}
	flags := make([]bool, len(r.prog.events)+len(r.def.Steps))
	x.set = set{r.prog, flags[:len(r.prog.events)]}
	x.begun = flags[len(r.prog.events):]
	return x
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

// event tells what happens. The lock is held.
func (x *execution) event(t flow.EventType, p flow.EventPayload) {
	x.events++
	if x.e.o.Recorder != nil {
		x.e.o.Recorder.Event(x.ID, flow.ExecutionEvent{ID: x.events, Type: t, Time: time.Now(), Payload: p})
	}
}

func (x *execution) run() {
	x.mu.Lock()
	if x.e.o.Recorder != nil {
		x.e.o.Recorder.Started(x.Execution)
	}
	x.event(flow.ExecutionStarted, flow.EventPayload{Trigger: x.Trigger, Input: x.occasion.event})
	ready := x.begin(x.p.start)
	over := x.active == 0 // all steps were skipped
	x.mu.Unlock()
	if over {
		x.end()
		return
	}
	x.follow(ready)
}

// begun is a step that starts. err is what is wrong with its condition, for which
// no retry is of use.
type begun struct {
	step int
	err  *stepError
}

// begin starts those of the steps whose time has come, and returns them. The
// lock is held.
func (x *execution) begin(steps []int) []begun {
	var ready []begun
	for len(steps) > 0 {
		i := steps[0]
		steps = steps[1:]
		s := &x.p.def.Steps[i]
		switch {
		case x.begun[i] && x.e.on(ruleOnce):
			continue
		case (x.failure != nil || x.ctx.Err() != nil) && x.e.on(ruleNoMore):
			continue
		case !s.In.AtStart() && !x.set.ready(x.e, i):
			continue
		}
		x.begun[i] = true
		var failed *stepError
		if s.Condition != nil && x.e.on(ruleCondition) {
			ok, err := s.Condition.True(x)
			if err != nil {
				failed = &stepError{flow.ErrorRuntime, "condition: " + err.Error()}
			} else if !ok {
				var out []string
				if x.e.on(ruleSkipGoesOn) {
					out = s.Out
				}
				x.event(flow.StepSkipped, flow.EventPayload{Step: s.Name, Events: out})
				steps = append(slices.Clip(steps), x.raise(out)...) // they may be the program's
				continue
			}
		}
		x.active++
		if x.e.on(ruleNow) {
			x.event(flow.StepStarted, flow.EventPayload{Step: s.Name})
		}
		ready = append(ready, begun{i, failed})
	}
	return ready
}

// raise sets events and returns the steps that may wait for them. The lock is
// held.
func (x *execution) raise(names []string) []int {
	var steps []int
	for _, name := range names {
		for e, have := range x.p.events {
			if have == name {
				x.set.have[e] = true
				steps = append(steps, x.p.waiters[e]...)
			}
		}
	}
	return steps
}

// follow runs steps and what follows from them.
func (x *execution) follow(ready []begun) {
	for len(ready) > 0 {
		if !x.e.on(ruleParallel) {
			ready = append(x.step(ready[0]), ready[1:]...)
			continue
		}
		for _, b := range ready[1:] {
			x.e.tasks.Go(func() { x.follow([]begun{b}) })
		}
		ready = x.step(ready[0])
	}
}

// step runs a step to its end, and returns the steps that start then.
func (x *execution) step(b begun) []begun {
	s := &x.p.def.Steps[b.step]
	if !x.e.on(ruleNow) {
		time.Sleep(time.Second)
		x.mu.Lock()
		x.event(flow.StepStarted, flow.EventPayload{Step: s.Name})
		x.mu.Unlock()
	}
	tried := make([]int, len(s.Retries))
	for attempt := 1; ; attempt++ {
		err := b.err
		var events []string
		if err == nil {
			events, err = x.attempt(s, attempt)
		}
		if err == nil {
			return x.stepEnds(func() []int {
				out := events
				if x.e.on(ruleOut) {
					out = append(s.Out[:len(s.Out):len(s.Out)], events...)
				}
				x.event(flow.StepSucceeded, flow.EventPayload{Step: s.Name, Events: out})
				return x.raise(out)
			})
		}
		if wait, again := x.retry(s, err, tried, attempt, b.err == nil); again {
			if err = x.pause(wait); err == nil {
				continue
			}
		}
		return x.stepEnds(func() []int { return x.stepFailed(s, err) })
	}
}

// stepEnds ends a step, and the execution with it if it was the last one.
func (x *execution) stepEnds(tell func() []int) []begun {
	x.mu.Lock()
	next := tell()
	x.active--
	ready := x.begin(next)
	over, early := x.active == 0, !x.e.on(ruleEnd)
	x.mu.Unlock()
	if over || early {
		x.end()
	}
	return ready
}

// stepFailed looks for a catch, and lets the execution fail if there is none.
// The lock is held.
func (x *execution) stepFailed(s *flow.Step, err *stepError) []int {
	p := flow.EventPayload{Step: s.Name, Error: err.name, Message: err.message}
	for i, c := range s.Catches {
		if err.cancelled() || !x.fits(c.Errors, c.Condition, err, ruleCatchFits) {
			continue
		}
		p.Rule = ruleName(c.Name, i)
		if x.e.on(ruleCatchSets) {
			p.Events = eventsOf(c.Do)
		}
		if !x.e.on(ruleCatchNoOut) {
			p.Events = append(p.Events, s.Out...)
		}
		x.event(flow.StepFailed, p)
		return x.raise(p.Events)
	}
	x.event(flow.StepFailed, p)
	if x.failure == nil && !err.cancelled() && x.e.on(ruleFails) {
		x.failure = &stepError{err.name, "step " + s.Name + ": " + err.message}
		if x.e.on(ruleCancels) {
			x.cancel(errFailed)
		}
	}
	return nil
}

// end tells how the execution ended. Nothing of it runs any more.
func (x *execution) end() {
	x.mu.Lock()
	x.Ended = time.Now()
	switch {
	case x.failure != nil:
		x.Status, x.Reason = flow.Failed, x.failure.message
		x.event(flow.ExecutionFailed, flow.EventPayload{Error: x.failure.name, Message: x.failure.message})
	case x.ctx.Err() != nil:
		x.Status, x.Reason = flow.Aborted, context.Cause(x.ctx).Error()
		x.event(flow.ExecutionAborted, flow.EventPayload{Message: x.Reason})
	default:
		x.Status = flow.Succeeded
		x.event(flow.ExecutionSucceeded, flow.EventPayload{})
	}
	if x.e.o.Recorder != nil {
		x.e.o.Recorder.Ended(x.Execution)
	}
	last := x.active == 0
	x.mu.Unlock()
	if last {
		x.cancel(nil)
		x.r.ended(x)
	}
}

// pause waits until the next attempt.
func (x *execution) pause(wait time.Duration) *stepError {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-x.ctx.Done():
		return x.cancelledError()
	}
}

// retry tells whether and when a step is tried again. tried counts the attempts
// of each retry; without may there is none.
func (x *execution) retry(s *flow.Step, err *stepError, tried []int, attempt int, may bool) (time.Duration, bool) {
	if err.cancelled() || !may {
		return 0, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range s.Retries {
		r := &s.Retries[i]
		if !x.fits(r.Errors, r.Condition, err, ruleRetryFits) {
			continue
		}
		most := r.MaxAttempts
		if most == 0 {
			most = flow.DefaultMaxAttempts
		}
		if !x.e.on(ruleAttempts) {
			most++
		}
		if tried[i] >= most {
			return 0, false
		}
		tried[i]++
		wait := waitBefore(r, tried[i])
		if !x.e.on(ruleBackoff) {
			wait = waitBefore(r, 1)
		}
		x.event(flow.ActivityRetried, flow.EventPayload{
			Step: s.Name, Attempt: attempt, Error: err.name, Rule: ruleName(r.Name, i), Wait: wait.String()})
		return wait, true
	}
	return 0, false
}

// waitBefore is the pause before a retry's n-th attempt, n from 1.
func waitBefore(r *flow.Retry, n int) time.Duration {
	interval := r.Interval
	if interval == 0 {
		interval = flow.DefaultRetryInterval
	}
	wait := float64(interval)
	for range n - 1 {
		wait *= max(r.BackoffRate, 1)
		if wait >= float64(flow.MaxRetryWait) {
			return flow.MaxRetryWait
		}
	}
	return min(time.Duration(wait), flow.MaxRetryWait)
}

// onError is the scope of a retry's or a catch's condition.
type onError struct {
	x   *execution
	err *stepError
}

func (o onError) Lookup(name string) (any, bool) {
	switch name {
	case "Error":
		return o.err.name, true
	case "ErrorMessage":
		return o.err.message, true
	}
	return o.x.Lookup(name)
}

// fits tells whether a retry or a catch is meant for an error. A condition that
// cannot be computed does not hold. The lock is held.
func (x *execution) fits(names []string, condition *expr.Expr, err *stepError, rule rules) bool {
	if !x.e.on(rule) {
		return true
	}
	if len(names) > 0 && !err.named(names) {
		return false
	}
	if condition == nil {
		return true
	}
	ok, failed := condition.True(onError{x, err})
	return ok && failed == nil
}
