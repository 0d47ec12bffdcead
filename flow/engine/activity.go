package engine

import (
	"fmt"

	"pithings/device"
	"pithings/flow"
)

// call is one call of a thing or of a web service.
type call struct {
	payload flow.EventPayload // thing or service, action, input
	device  device.Actor      // nil for a web service and a flow
	step    int
	rest    *resting
}

// attempt does what a step does, once, and returns the events that it sets
// besides the step's out-events.
func (x *execution) attempt(i int, rest *resting) (events []string, err *stepError) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := &x.p.def.Steps[i]
	c, p, err := x.schedule(i, rest)
	if err == nil {
		err = x.do(s, c, &p)
	}
	var more []string
	if err == nil {
		more, err = x.check(s.Checks)
	}
	switch {
	case err != nil && err.left():
		return nil, err
	case err != nil:
		p.Error, p.Message = err.name, err.message
		x.event(flow.ActivityFailed, p)
		return nil, err
	}
	p.Events = append(p.Events, more...)
	x.event(flow.ActivitySucceeded, p)
	return p.Events, nil
}

// schedule prepares an attempt, unless an earlier process has. The lock is held.
func (x *execution) schedule(i int, rest *resting) (c call, p flow.EventPayload, err *stepError) {
	s := &x.p.def.Steps[i]
	if !rest.resumed() {
		c, err = x.prepare(s)
	}
	c.step, c.rest = i, rest
	if a, ok := s.Activity.(*flow.FlowCall); ok {
		c.payload.Flow = a.Flow
	}
	p = c.payload
	p.Step, p.Attempt = s.Name, rest.attempt
	if !rest.resumed() {
		x.event(flow.ActivityScheduled, p)
		if err == nil && x.ctx.Err() != nil {
			err = x.cancelledError()
		}
	}
	p.Input = nil
	return c, p, err
}

// do does what a step does, and notes in p what came of it. The lock is held, but for the
// time that it takes.
func (x *execution) do(s *flow.Step, c call, p *flow.EventPayload) (err *stepError) {
	switch a := s.Activity.(type) {
	case *flow.Choice:
		x.event(flow.ActivityStarted, *p)
		p.Rule, p.Events, err = x.choose(a)
	case *flow.SetVars:
		x.event(flow.ActivityStarted, *p)
		err = x.setVars(a)
	case *flow.Wait:
		if !c.rest.resumed() {
			c.rest.Since = x.s.moment()
			started := *p
			started.Wait = a.Duration.String()
			x.event(flow.ActivityStarted, started)
			x.rests[c.step] = c.rest
		}
		x.mu.Unlock()
		err = x.wait(c.step, a, c.rest)
		x.mu.Lock()
	default:
		x.mu.Unlock()
		p.Output, err = x.call(s, c, *p)
		x.mu.Lock()
		if output := s.Output(); err == nil && output != "" {
			x.vars[output] = p.Output
		}
	}
	return err
}

// prepare computes what a call needs. The lock is held.
func (x *execution) prepare(s *flow.Step) (c call, err *stepError) {
	var args []flow.Arg
	switch a := s.Activity.(type) {
	case *flow.DeviceAction:
		c.payload.Action, args = a.Action, a.Args
		name := a.Role
		if name == "" {
			v, failed := a.Device.Eval(x)
			text, ok := v.(string)
			if failed != nil {
				return c, runtimeError("device: %v", failed)
			}
			if !ok {
				return c, runtimeError("device: %s is not the name of a thing", a.Device)
			}
			name = text
		}
		device, thing, ok := x.s.device(name)
		if !ok {
			return c, runtimeError("device: %q is no thing of this deployment", name)
		}
		c.device, c.payload.Thing = device, thing
	case *flow.ServiceCall:
		c.payload.Service, c.payload.Action, args = a.Service, a.Action, a.Args
	case *flow.FlowCall:
		args = a.Args
	}
	c.payload.Input, err = x.input(args)
	return c, err
}

// input computes the arguments of a call. The lock is held.
func (x *execution) input(args []flow.Arg) (input flow.Values, err *stepError) {
	if args != nil {
		input = make(flow.Values, len(args))
	}
	for _, a := range args {
		v, failed := a.Value.Eval(x)
		switch {
		case failed != nil:
			return input, runtimeError("%s: %v", a.Name, failed)
		case v == nil && a.Value.Expr != nil:
			return input, runtimeError("%s: %s is not there; %s ?? … would give a default", a.Name, a.Value.Expr, a.Value.Expr)
		}
		input[a.Name] = v
	}
	return input, nil
}

// runtimeError is the error of a step whose expressions cannot be computed.
func runtimeError(format string, args ...any) *stepError {
	return &stepError{flow.ErrorRuntime, fmt.Sprintf(format, args...)}
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
		return ruleName(r.Name, i), r.Events, nil
	}
	return "default", c.Default, nil
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
