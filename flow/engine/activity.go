package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"

	"pithings/flow"
)

// errFailed is why steps are cancelled when another one has failed.
var errFailed = errors.New("another step failed")

// stepError is why an attempt failed.
type stepError struct{ name, message string }

// cancelledName is the error of steps that are cancelled. No retry and no catch
// is meant for it.
const cancelledName = "Cancelled"

func (e *stepError) cancelled() bool { return e.name == cancelledName }

func (x *execution) cancelledError() *stepError {
	return &stepError{cancelledName, context.Cause(x.ctx).Error()}
}

// named tells whether one of the names fits: the error's own, TaskFailed for all
// but time-outs, or ALL.
func (e *stepError) named(names []string) bool {
	for _, n := range names {
		n = strings.TrimPrefix(n, "States.")
		switch {
		case strings.EqualFold(n, flow.ErrorAll), strings.EqualFold(n, e.name):
			return true
		case strings.EqualFold(n, flow.ErrorTaskFailed) && e.name != flow.ErrorTimeout:
			return true
		}
	}
	return false
}

func ruleName(name string, i int) string {
	if name != "" {
		return name
	}
	return "#" + strconv.Itoa(i+1)
}

func eventsOf(list []flow.Statement) []string {
	var events []string
	for _, s := range list {
		if s.Event != "" {
			events = append(events, s.Event)
		}
	}
	return events
}

// call is one call of a thing or of a web service.
type call struct {
	payload flow.EventPayload // thing or service, action, input
	device  flow.Device       // nil for a web service
	output  string
}

// attempt does what a step does, once, and returns the events that it sets
// besides the step's out-events.
func (x *execution) attempt(s *flow.Step, attempt int) (events []string, err *stepError) {
	x.mu.Lock()
	c, err := x.prepare(s)
	p := c.payload
	p.Step, p.Attempt = s.Name, attempt
	x.event(flow.ActivityScheduled, p)
	p.Input = nil
	fail := func(err *stepError) ([]string, *stepError) {
		p.Error, p.Message = err.name, err.message
		x.event(flow.ActivityFailed, p)
		x.mu.Unlock()
		return nil, err
	}
	if err == nil && x.ctx.Err() != nil {
		err = x.cancelledError()
	}
	if err != nil {
		return fail(err)
	}
	if choice, ok := s.Activity.(*flow.Choice); ok {
		x.event(flow.ActivityStarted, p)
		if p.Rule, p.Events, err = x.choose(choice); err != nil {
			return fail(err)
		}
	} else {
		x.mu.Unlock()
		output, err := x.call(s, c, p)
		x.mu.Lock()
		if err != nil {
			return fail(err)
		}
		p.Output = output
		if c.output != "" && x.e.on(ruleOutput) {
			x.vars[c.output] = output
		}
	}
	if len(s.Checks) > 0 && x.e.on(ruleChecks) {
		more, err := x.check(s.Checks)
		if err != nil {
			return fail(err)
		}
		p.Events = append(p.Events, more...)
	}
	x.event(flow.ActivitySucceeded, p)
	x.mu.Unlock()
	return p.Events, nil
}

// prepare computes what a call needs. The lock is held.
func (x *execution) prepare(s *flow.Step) (c call, err *stepError) {
	runtime := func(format string, args ...any) *stepError {
		return &stepError{flow.ErrorRuntime, fmt.Sprintf(format, args...)}
	}
	var args []flow.Arg
	switch a := s.Activity.(type) {
	case *flow.DeviceAction:
		c.payload.Action, c.output, args = a.Action, a.Output, a.Args
		name := a.Role
		if name == "" {
			v, failed := a.Device.Eval(x)
			text, ok := v.(string)
			if failed != nil {
				return c, runtime("device: %v", failed)
			}
			if !ok {
				return c, runtime("device: %s is not the name of a thing", a.Device)
			}
			name = text
		}
		device, thing, ok := x.r.d.device(name)
		if !ok {
			return c, runtime("device: %q is no thing of this deployment", name)
		}
		c.device, c.payload.Thing = device, thing
	case *flow.ServiceCall:
		c.payload.Service, c.payload.Action, c.output, args = a.Service, a.Action, a.Output, a.Args
	}
	if args != nil {
		c.payload.Input = make(flow.Values, len(args))
	}
	for _, a := range args {
		v, failed := a.Value.Eval(x)
		switch {
		case failed != nil:
			return c, runtime("%s: %v", a.Name, failed)
		case v == nil && a.Value.Expr != nil:
			return c, runtime("%s: %s is not there; %s ?? … would give a default", a.Name, a.Value.Expr, a.Value.Expr)
		}
		c.payload.Input[a.Name] = v
	}
	return c, nil
}

// call waits for its turn and calls, within the step's time-out.
func (x *execution) call(s *flow.Step, c call, p flow.EventPayload) (output any, err *stepError) {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = x.r.d.d.Timeout
	}
	if timeout == 0 {
		timeout = flow.DefaultTimeout
	}
	ctx, cancel := x.ctx, context.CancelFunc(func() {})
	if x.e.on(ruleTimeout) {
		ctx, cancel = context.WithTimeout(x.ctx, timeout)
	}
	defer cancel()
	started := func() {
		x.mu.Lock()
		x.event(flow.ActivityStarted, p)
		x.mu.Unlock()
	}
	var failed error
	waited := false
	if c.device == nil {
		started()
		output, failed = x.safely(func() (any, error) {
			return x.r.d.services.Call(ctx, c.payload.Service, c.payload.Action, c.payload.Input)
		})
	} else {
		var leave func()
		if leave, failed = x.e.enter(ctx, c.payload.Thing); failed == nil {
			started()
			output, failed = x.safely(func() (any, error) {
				answer, err := c.device.Call(ctx, c.payload.Action, c.payload.Input)
				if answer == nil {
					return nil, err
				}
				return answer, err
			})
			leave()
		} else {
			waited = true
		}
	}
	switch {
	case x.ctx.Err() != nil && failed == nil:
		return output, nil // it was done before it could be cancelled
	case x.ctx.Err() != nil:
		return nil, x.cancelledError()
	case ctx.Err() != nil && waited:
		return nil, &stepError{flow.ErrorTimeout, fmt.Sprintf("%s on %s did not get its turn within %v; other flows use the thing", p.Action, p.Thing, timeout)}
	case ctx.Err() != nil && c.device == nil:
		return nil, &stepError{flow.ErrorTimeout, fmt.Sprintf("no answer to %s of the web service %s within %v", p.Action, p.Service, timeout)}
	case ctx.Err() != nil:
		return nil, &stepError{flow.ErrorTimeout, fmt.Sprintf("no answer to %s within %v; is %s running and connected to the same broker?", p.Action, timeout, p.Thing)}
	case failed != nil:
		name := flow.ErrorTaskFailed
		var named interface{ ErrorName() string }
		if errors.As(failed, &named) && named.ErrorName() != "" {
			name = named.ErrorName()
		}
		return nil, &stepError{name, failed.Error()}
	}
	return output, nil
}

// safely contains a panic: a carrier's fault must not take other flows along.
func (x *execution) safely(call func() (any, error)) (output any, err error) {
	defer func() {
		if p := recover(); p != nil {
			x.r.log(slog.LevelError, "internal error in an action; please report it", "panic", p, "stack", string(debug.Stack()))
			output, err = nil, errors.New("internal error in the action")
		}
	}()
	return call()
}

// choose returns the first rule that is true and its events, or the default's.
// The lock is held.
func (x *execution) choose(c *flow.Choice) (rule string, events []string, err *stepError) {
	for i, r := range c.Rules {
		ok, failed := r.When.True(x)
		if failed != nil {
			return "", nil, &stepError{flow.ErrorRuntime, "rule " + ruleName(r.Name, i) + ": " + failed.Error()}
		}
		if !ok {
			continue
		}
		if rule == "" {
			rule = ruleName(r.Name, i)
		}
		events = append(events, r.Events...)
		if x.e.on(ruleFirst) {
			break
		}
	}
	if rule == "" || !x.e.on(ruleDefault) {
		events = append(events, c.Default...)
	}
	if rule == "" {
		rule = "default"
	}
	return rule, events, nil
}

// check runs the checks and returns the events that they set. The lock is held.
func (x *execution) check(checks []flow.Check) (events []string, err *stepError) {
	for i, c := range checks {
		ok, failed := c.Condition.True(x)
		if failed != nil {
			return nil, &stepError{flow.ErrorRuntime, "check " + ruleName(c.Name, i) + ": " + failed.Error()}
		}
		list := c.Pass
		if !ok {
			list = c.Fail
		}
		for _, s := range list {
			if s.Event == "" {
				name := s.Error
				if name == "" {
					name = flow.ErrorRuntime
				}
				return nil, &stepError{name, "check " + ruleName(c.Name, i) + " says so"}
			}
			events = append(events, s.Event)
		}
	}
	return events, nil
}
