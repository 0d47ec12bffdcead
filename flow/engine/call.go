package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"pithings/flow"
)

// call calls a thing, a web service or a flow, within the step's time-out.
func (x *execution) call(s *flow.Step, c call, p flow.EventPayload) (output any, err *stepError) {
	a, _ := s.Activity.(*flow.FlowCall)
	timeout := s.Timeout
	if timeout == 0 && a == nil { // a flow is bounded by the time-outs of its own steps
		timeout = cmp.Or(x.s.d.Timeout, flow.DefaultTimeout)
	}
	ctx, cancel := x.ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(x.ctx, timeout)
	}
	defer cancel()
	var failed error
	queued := false // all the time
	switch {
	case a != nil:
		output, failed = x.callFlow(ctx, c, a, p)
	case c.device == nil:
		output, failed = x.callService(ctx, c, p)
	default:
		output, queued, failed = x.callThing(ctx, c, p)
	}
	switch {
	case failed == errLeftStep:
		return nil, errLeft
	case x.ctx.Err() != nil && failed == nil:
		return output, nil // it was done before it could be cancelled
	case x.ctx.Err() != nil:
		return nil, x.cancelledError()
	case ctx.Err() != nil:
		return nil, &stepError{flow.ErrorTimeout, timeoutMessage(c, a, queued, timeout)}
	case failed != nil:
		return nil, faultOf(failed)
	}
	return output, nil
}

// timeoutMessage explains what did not answer in time. queued: the action did not even
// get its turn.
func timeoutMessage(c call, a *flow.FlowCall, queued bool, timeout time.Duration) string {
	switch p := c.payload; {
	case a != nil:
		return fmt.Sprintf("the flow %s did not end within %v", a.Flow, timeout)
	case queued:
		return fmt.Sprintf("%s on %s did not get its turn within %v; other flows use the thing", p.Action, p.Thing, timeout)
	case c.device == nil:
		return fmt.Sprintf("no answer to %s of the web service %s within %v", p.Action, p.Service, timeout)
	default:
		return fmt.Sprintf("no answer to %s within %v; is %s running and connected to the same broker?", p.Action, timeout, p.Thing)
	}
}

// started records that a call begins.
func (x *execution) started(p flow.EventPayload) {
	x.mu.Lock()
	x.event(flow.ActivityStarted, p)
	x.mu.Unlock()
}

func (x *execution) callService(ctx context.Context, c call, p flow.EventPayload) (output any, err error) {
	x.started(p)
	return x.safely(func() (any, error) {
		return x.s.services.Call(ctx, c.payload.Service, c.payload.Action, c.payload.Input)
	})
}

// callThing calls a thing when its turn has come. queued: it did not come.
func (x *execution) callThing(ctx context.Context, c call, p flow.EventPayload) (output any, queued bool, err error) {
	leave, err := x.s.lanes.enter(ctx, c.payload.Thing)
	if err != nil {
		return nil, true, err
	}
	defer leave()
	x.started(p)
	output, err = x.safely(func() (any, error) {
		answer, err := c.device.Call(ctx, c.payload.Action, c.payload.Input)
		if answer == nil {
			return nil, err
		}
		return answer, err
	})
	return output, false, err
}

// safely contains a panic: a fault of a carrier must not end other flows.
func (x *execution) safely(call func() (any, error)) (output any, err error) {
	defer func() {
		if p := recover(); p != nil {
			x.s.logFlow(slog.LevelError, x.Flow, "internal error in an action; please report it", "panic", p, "stack", string(debug.Stack()))
			output, err = nil, errors.New("internal error in the action")
		}
	}()
	return call()
}

// callFlow runs another flow of the deployment within ctx, and returns its variables.
// It runs beside what else runs of that flow: its overlap is for triggers.
func (x *execution) callFlow(ctx context.Context, c call, a *flow.FlowCall, p flow.EventPayload) (output any, failed error) {
	r := c.rest
	if !r.resumed() {
		x.started(p)
	}
	child := r.child
	if child == nil {
		var args []flow.Arg
		for name, v := range c.payload.Input {
			args = append(args, flow.Arg{Name: name, Value: flow.Value{Literal: v}})
		}
		var start func()
		var err error
		if child, start, err = x.s.child(ctx, a.Flow, x, args); err != nil {
			return nil, err
		}
		x.mu.Lock()
		r.child = child
		x.rests[c.step] = r
		x.mu.Unlock()
		start()
	}
	if r.resumed() { // its context knows nothing of the step's time-out
		defer context.AfterFunc(ctx, func() { child.cancel(context.Cause(ctx)) })()
	}
	select {
	case <-child.done:
	case <-x.tree.gone:
		return nil, errLeftStep
	}
	x.woken(c.step)
	child.mu.Lock()
	defer child.mu.Unlock()
	switch {
	case child.failure != nil:
		return nil, childError{child.failure.name, fmt.Sprintf("flow %s: %s", a.Flow, child.failure.message)}
	case child.Status != flow.Succeeded:
		return nil, childError{flow.ErrorTaskFailed, fmt.Sprintf("flow %s: %s", a.Flow, child.Reason)}
	}
	all := make(map[string]any, len(child.p.def.Variables))
	for _, v := range child.p.def.Variables {
		all[v.Name] = child.vars[v.Name]
	}
	return all, nil
}
