package engine

import (
	"context"
	"slices"
	"time"

	"pithings/flow"
)

// record notes the start of an execution, before it runs: who gets its id finds it.
func (x *execution) record() {
	if x.s.recorder != nil {
		x.s.recorder.Started(x.Execution)
	}
}

// run runs an execution from its start.
func (x *execution) run() {
	x.mu.Lock()
	x.event(flow.ExecutionStarted, flow.EventPayload{Trigger: x.Trigger, Input: x.occasion.event})
	ready := x.startable(x.p.start)
	over := x.active == 0 // all steps were skipped
	x.mu.Unlock()
	if over {
		x.end()
		return
	}
	if x.parent != nil && x.tree != nil {
		x.tree.settle() // its step lent its count, and waits for these steps
	}
	x.follow(ready)
}

// begun is a step that starts. err is what is wrong with its condition, for which
// no retry is of use.
type begun struct {
	step int
	err  *stepError
	rest *resting // as an earlier process left it, or nil
}

// startable starts those of the steps whose time has come, and returns them. The
// lock is held.
func (x *execution) startable(steps []int) []begun {
	var ready []begun
	for len(steps) > 0 {
		i := steps[0]
		steps = steps[1:]
		s := &x.p.def.Steps[i]
		switch {
		case x.begun[i]:
			continue
		case x.failure != nil || x.ctx.Err() != nil:
			continue
		case !s.In.AtStart() && !x.set.ready(i):
			continue
		}
		x.begun[i] = true
		var failed *stepError
		if s.Condition != nil {
			ok, err := s.Condition.True(x)
			if err != nil {
				failed = &stepError{flow.ErrorRuntime, "condition: " + err.Error()}
			} else if !ok {
				x.event(flow.StepSkipped, flow.EventPayload{Step: s.Name, Events: s.Out})
				steps = append(slices.Clip(steps), x.raise(s.Out)...) // they may be the program's
				continue
			}
		}
		x.active++
		if x.tree != nil {
			x.tree.moving.Add(1)
		}
		x.event(flow.StepStarted, flow.EventPayload{Step: s.Name})
		ready = append(ready, begun{step: i, err: failed})
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
		for _, b := range ready[1:] {
			x.s.tasks.Go(func() { x.follow([]begun{b}) })
		}
		ready = x.step(ready[0])
	}
}

// step runs a step to its end, and returns the steps that start then.
func (x *execution) step(b begun) []begun {
	s := &x.p.def.Steps[b.step]
	rest := b.rest
	if rest == nil {
		rest = &resting{attempt: 1, tried: make([]int, len(s.Retries))}
	}
	tried := rest.tried
	for attempt := rest.attempt; ; attempt++ {
		err := b.err
		var events []string
		if err == nil {
			rest.attempt = attempt
			events, err = x.attempt(b.step, rest)
			rest = &resting{tried: tried}
		}
		if err != nil && err.left() {
			return nil
		}
		if err == nil {
			return x.stepEnds(func() []int {
				out := append(s.Out[:len(s.Out):len(s.Out)], events...)
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
func (x *execution) stepEnds(note func() []int) []begun {
	x.mu.Lock()
	next := note()
	x.active--
	ready := x.startable(next)
	over := x.active == 0
	x.mu.Unlock()
	if over {
		x.end()
	}
	// The last step of a flow that a step runs hands its count back to that.
	if x.tree != nil && !over {
		x.tree.settle()
	}
	return ready
}

// stepFailed looks for a catch, and lets the execution fail if there is none.
// The lock is held.
func (x *execution) stepFailed(s *flow.Step, err *stepError) []int {
	p := flow.EventPayload{Step: s.Name, Error: err.name, Message: err.message}
	for i, c := range s.Catches {
		if err.cancelled() || !x.fits(c.Errors, c.Condition, err) {
			continue
		}
		p.Rule = ruleName(c.Name, i)
		p.Events = eventsOf(c.Do)
		x.event(flow.StepFailed, p)
		return x.raise(p.Events)
	}
	x.event(flow.StepFailed, p)
	if x.failure == nil && !err.cancelled() {
		x.failure = &stepError{err.name, "step " + s.Name + ": " + err.message}
		x.cancel(errFailed)
	}
	return nil
}

// end records how the execution ended. Nothing of it runs any more.
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
	if x.s.recorder != nil {
		x.s.recorder.Ended(x.Execution)
	}
	x.mu.Unlock()
	x.cancel(nil)
	x.ended(x)
	if x.done != nil {
		close(x.done)
	}
}
