package flow

import (
	"maps"
	"slices"

	"pithings/conf/suggest"
	"pithings/device"
)

// definition checks one flow.
func (v *validator) definition(def *Definition) {
	variables := map[string]bool{}
	var own []string
	declare := func(at Position, what, name string) {
		v.name(cmpPos(at, def.Pos), what, name, variables)
		own = append(own, name)
	}
	for _, p := range def.Parameters {
		declare(p.Pos, "parameter", p.Name)
		v.expression(cmpPos(p.Pos, def.Pos), "default of parameter "+p.Name, p.Default.Expr, nil)
	}
	for _, x := range def.Variables {
		declare(x.Pos, "variable", x.Name)
	}
	switch {
	case len(def.Steps) == 0:
		v.add(def.Pos, "flow %s has no steps", def.Name)
		return
	case len(def.Steps) > maxSteps:
		v.add(def.Pos, "flow %s has more than %d steps", def.Name, maxSteps)
		return
	}
	seen := map[string]bool{}
	s := &stepValidator{validator: v, def: def, own: own, variables: append(slices.Clone(own), stepVariables...)}
	for i := range def.Steps {
		step := &def.Steps[i]
		v.name(cmpPos(step.Pos, def.Pos), "step", step.Name, seen)
		s.step(step)
	}
	s.order()
}

type stepValidator struct {
	*validator
	def       *Definition
	own       []string // parameters and variables
	variables []string // and what else there is
}

func (v *stepValidator) step(s *Step) {
	at, where := cmpPos(s.Pos, v.def.Pos), "step "+s.Name
	v.expression(at, where+", condition", s.Condition, v.variables)
	v.timeout(at, s.Timeout)
	switch a := s.Activity.(type) {
	case nil:
		v.add(at, "%s does nothing; give it a device's action, a web service, a flow, a choice, a wait or something to set", where)
	case *DeviceAction:
		v.deviceAction(at, where, a)
	case *ServiceCall:
		v.serviceCall(at, where, a)
	case *Choice:
		v.choice(at, where, a)
	case *Wait:
		v.wait(at, where, s, a)
	case *FlowCall:
		v.flowCall(at, where, a)
	case *SetVars:
		v.setVars(at, where, a)
	}
	onError := append(slices.Clone(v.variables), errorVariables...)
	v.retries(at, where, s, onError)
	v.catches(at, where, s, onError)
	for _, c := range s.Checks {
		at := cmpPos(c.Pos, at)
		if c.Condition == nil {
			v.add(at, "%s: a check has no condition", where)
		}
		v.expression(at, where+", check", c.Condition, v.variables)
		v.statements(at, where, c.Pass)
		v.statements(at, where, c.Fail)
	}
}

func (v *stepValidator) retries(at Position, where string, s *Step, onError []string) {
	for _, r := range s.Retries {
		at := cmpPos(r.Pos, at)
		v.expression(at, where+", retry", r.Condition, onError)
		if r.Interval < 0 || r.Interval > MaxRetryWait {
			v.add(at, "%s: a retry's interval of %v; write one from 1ms to %v", where, r.Interval, MaxRetryWait)
		}
		if r.BackoffRate != 0 && !(r.BackoffRate >= 1 && r.BackoffRate <= 100) {
			v.add(at, "%s: a back-off rate of %v; write 1 to 100", where, r.BackoffRate)
		}
		if r.MaxAttempts > MaxRetryAttempts {
			v.add(at, "%s: %d attempts; write at most %d", where, r.MaxAttempts, MaxRetryAttempts)
		}
	}
}

func (v *stepValidator) catches(at Position, where string, s *Step, onError []string) {
	for _, c := range s.Catches {
		at := cmpPos(c.Pos, at)
		v.expression(at, where+", catch", c.Condition, onError)
		v.statements(at, where, c.Do)
		for _, st := range c.Do {
			if st.Event == "" {
				v.add(cmpPos(st.Pos, at), "%s: a catch cannot fail the step again; leave the catch out, or set an event", where)
			}
		}
	}
}

func (v *stepValidator) statements(at Position, where string, list []Statement) {
	for _, s := range list {
		if s.Event == "" && s.Error == ErrorAll {
			v.add(cmpPos(s.Pos, at), "%s: an error cannot be named %s", where, ErrorAll)
		}
	}
}

func (v *stepValidator) args(at Position, where string, args []Arg) {
	seen := map[string]bool{}
	for _, a := range args {
		v.name(cmpPos(a.Pos, at), "argument", a.Name, seen)
		v.expression(cmpPos(a.Pos, at), where+", "+a.Name, a.Value.Expr, v.variables)
	}
}

func (v *stepValidator) output(at Position, where, output string) {
	if output == "" {
		return
	}
	var names []string
	for _, x := range v.def.Variables {
		names = append(names, x.Name)
	}
	if !slices.Contains(names, output) {
		v.add(at, "%s: the output %q is not among the flow's variables%s", where, output, suggest.From(output, names))
	}
}

func (v *stepValidator) deviceAction(at Position, where string, a *DeviceAction) {
	v.args(at, where, a.Args)
	v.output(at, where, a.Output)
	b := Binding{}
	switch {
	case a.Role != "":
		if !v.role(at, where, a.Role) {
			return
		}
		b, _ = v.d.Binding(a.Role)
	case a.Device != nil:
		v.expression(at, where+", device", a.Device, v.variables)
	default:
		v.add(at, "%s names no thing", where)
	}
	if a.Action == "" {
		v.add(at, "%s names no action", where)
		return
	}
	m, ok := v.model(b.Model, a.DeviceURN, a.Model)
	if !ok {
		return
	}
	action, ok := device.Named(m.Actions, a.Action)
	if !ok {
		v.add(at, "%s: %s has no action %q%s", where, m.ID, a.Action, suggest.From(a.Action, slices.Sorted(maps.Keys(m.Actions))))
		return
	}
	if len(action.Params) == 0 && len(action.RequestKeys()) == 0 && !action.IsText() {
		return
	}
	for _, arg := range a.Args {
		_, param := device.Named(action.Params, arg.Name)
		if _, key := device.Named(action.RequestKeys(), arg.Name); !param && !key {
			v.add(cmpPos(arg.Pos, at), "%s: %s takes no %q%s", where, a.Action, arg.Name, suggest.From(arg.Name, slices.Sorted(maps.Keys(action.Params))))
		}
	}
}

func (v *stepValidator) serviceCall(at Position, where string, a *ServiceCall) {
	v.args(at, where, a.Args)
	v.output(at, where, a.Output)
	if a.Service == "" || a.Action == "" {
		v.add(at, "%s needs a web service and its action", where)
		return
	}
	if v.known.Service == nil {
		return
	}
	switch hasAction, known := v.known.Service(a.Service, a.Action); {
	case !known:
		v.add(at, "%s: the web service %q is not known; describe it under services, add its document, or give a URL of your own for it: --service NAME=URL", where, a.Service)
	case !hasAction:
		v.add(at, "%s: the web service %s has no action %q", where, a.Service, a.Action)
	}
}

func (v *stepValidator) choice(at Position, where string, c *Choice) {
	if len(c.Rules) == 0 && len(c.Default) == 0 {
		v.add(at, "%s: the choice has neither rules nor a default", where)
	}
	for i, r := range c.Rules {
		at := cmpPos(r.Pos, at)
		if r.When == nil {
			v.add(at, "%s: rule %d has no condition", where, i+1)
		}
		v.expression(at, where+", rule", r.When, v.variables)
	}
}
