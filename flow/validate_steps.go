package flow

import (
	"maps"
	"slices"
	"strings"

	"pithings/flow/expr"
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
		v.add(at, "%s does nothing; give it a device's action, a web service or a choice", where)
	case *DeviceAction:
		v.deviceAction(at, where, a)
	case *ServiceCall:
		v.serviceCall(at, where, a)
	case *Choice:
		v.choice(at, where, a)
	}
	onError := append(slices.Clone(v.variables), errorVariables...)
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
		v.add(at, "%s: the output %q is not among the flow's variables%s", where, output, Suggest(output, names))
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
	action, ok := has(m.Actions, a.Action)
	if !ok {
		v.add(at, "%s: %s has no action %q%s", where, m.ID, a.Action, Suggest(a.Action, slices.Sorted(maps.Keys(m.Actions))))
		return
	}
	if len(action.Params) == 0 && len(action.Request) == 0 {
		return
	}
	for _, arg := range a.Args {
		_, param := has(action.Params, arg.Name)
		if _, key := has(action.Request, arg.Name); !param && !key {
			v.add(cmpPos(arg.Pos, at), "%s: %s takes no %q%s", where, a.Action, arg.Name, Suggest(arg.Name, slices.Sorted(maps.Keys(action.Params))))
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
		v.add(at, "%s: the web service %q is not known; describe it, or import its document", where, a.Service)
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

// Sets lists the events that a step can set, each once.
func (s *Step) Sets() []string {
	var events []string
	add := func(names ...string) {
		for _, n := range names {
			if n != "" && !slices.Contains(events, n) {
				events = append(events, n)
			}
		}
	}
	add(s.Out...)
	if c, ok := s.Activity.(*Choice); ok {
		for _, r := range c.Rules {
			add(r.Events...)
		}
		add(c.Default...)
	}
	statements := func(list []Statement) {
		for _, st := range list {
			add(st.Event)
		}
	}
	for _, c := range s.Catches {
		statements(c.Do)
	}
	for _, c := range s.Checks {
		statements(c.Pass)
		statements(c.Fail)
	}
	return events
}

// Waits lists the events that a step waits for.
func (s *Step) Waits() []string {
	if len(s.In.Events) > 0 || s.In.When == nil {
		return s.In.Events
	}
	return s.In.When.Variables()
}

// order checks what waits for what: events that nobody sets, loops, steps that
// never start, variables that no step before has set.
func (v *stepValidator) order() {
	def := v.def
	setters := map[string][]int{}
	for i := range def.Steps {
		for _, e := range def.Steps[i].Sets() {
			setters[e] = append(setters[e], i)
		}
	}
	names := slices.Sorted(maps.Keys(setters))
	start, broken := false, false
	for i := range def.Steps {
		s := &def.Steps[i]
		start = start || s.In.AtStart()
		for _, e := range s.Waits() {
			if len(setters[e]) == 0 {
				broken = true
				v.add(cmpPos(s.Pos, def.Pos), "step %s waits for the event %q, which no step sets%s", s.Name, e, Suggest(e, names))
			}
		}
		if s.In.When != nil && len(s.In.Events) == 0 && len(s.In.When.Variables()) == 0 {
			broken = true
			v.add(cmpPos(s.Pos, def.Pos), "step %s waits for an expression without any event", s.Name)
		}
	}
	all := events{}
	for e := range setters {
		all[e] = true
	}
	for i := range def.Steps {
		s := &def.Steps[i]
		for _, set := range []events{all, {}} {
			if s.In.When == nil || broken {
				break
			}
			if _, err := s.In.When.True(set); err != nil {
				broken = true
				v.add(cmpPos(s.Pos, def.Pos), "step %s waits for %s, which is no expression over events (%v); write, for example, a && b", s.Name, s.In.When, err)
			}
		}
	}
	if broken {
		return
	}
	if !start {
		v.add(def.Pos, "flow %s: every step waits for another, so none starts; leave out what the first step waits for", def.Name)
		return
	}
	before, loop := v.ancestors(setters)
	if loop {
		return
	}
	v.reach(setters)
	v.assigned(before)
}

// ancestors returns for each step those that come before it, and whether steps
// form a loop, which is a problem.
func (v *stepValidator) ancestors(setters map[string][]int) (before []map[int]bool, loop bool) {
	steps := v.def.Steps
	before = make([]map[int]bool, len(steps))
	state := make([]byte, len(steps)) // 1: being visited, 2: done
	var path []string
	var visit func(i int)
	visit = func(i int) {
		if loop || state[i] == 2 {
			return
		}
		path = append(path, steps[i].Name)
		defer func() { path = path[:len(path)-1] }()
		if state[i] == 1 {
			loop = true
			from := slices.Index(path, steps[i].Name)
			ring := slices.Clone(path[from:])
			slices.Reverse(ring)
			v.add(cmpPos(steps[i].Pos, v.def.Pos), "steps wait for each other in a loop (%s), but a step starts once in an execution; "+
				"use a retry to repeat a step, or a clock trigger to repeat the flow", strings.Join(ring, " → "))
			return
		}
		state[i] = 1
		before[i] = map[int]bool{}
		for _, e := range steps[i].Waits() {
			for _, j := range setters[e] {
				visit(j)
				if loop {
					return
				}
				before[i][j] = true
				maps.Copy(before[i], before[j])
			}
		}
		state[i] = 2
	}
	for i := range steps {
		visit(i)
	}
	return before, loop
}

// events is a scope in which the events of a set are true.
type events map[string]bool

func (e events) Lookup(name string) (any, bool) { return e[name], true }

// reach finds steps that never start.
func (v *stepValidator) reach(setters map[string][]int) {
	steps := v.def.Steps
	set, reached := events{}, make([]bool, len(steps))
	for again := true; again; {
		again = false
		for i := range steps {
			if !reached[i] && mayStart(&steps[i], set) {
				reached[i], again = true, true
				for _, e := range steps[i].Sets() {
					set[e] = true
				}
			}
		}
	}
	for i := range steps {
		if !reached[i] {
			v.add(cmpPos(steps[i].Pos, v.def.Pos), "step %s never starts, because what it waits for (%s) never comes together",
				steps[i].Name, strings.Join(steps[i].Waits(), ", "))
		}
	}
}

func mayStart(s *Step, set events) bool {
	if s.In.When == nil || len(s.In.Events) > 0 {
		return !slices.ContainsFunc(s.In.Events, func(e string) bool { return !set[e] })
	}
	if ok, err := s.In.When.True(set); err != nil || ok {
		return true // what fails to be computed is told when it is
	}
	// An expression with ! in it may be true before all events are set.
	return slices.ContainsFunc(s.In.When.Variables(), func(e string) bool { return set[e] }) && strings.ContainsAny(s.In.When.String(), "!=<>?")
}

// assigned finds variables that are read before any step can have set them.
func (v *stepValidator) assigned(before []map[int]bool) {
	outputs := map[string][]int{}
	for i := range v.def.Steps {
		switch a := v.def.Steps[i].Activity.(type) {
		case *DeviceAction:
			outputs[a.Output] = append(outputs[a.Output], i)
		case *ServiceCall:
			outputs[a.Output] = append(outputs[a.Output], i)
		}
	}
	for _, x := range v.def.Variables {
		for i := range v.def.Steps {
			s := &v.def.Steps[i]
			reads, later := s.reads(x.Name)
			if !reads && !later {
				continue
			}
			at := cmpPos(s.Pos, v.def.Pos)
			ok := slices.ContainsFunc(outputs[x.Name], func(j int) bool { return before[i][j] || !reads && i == j })
			switch {
			case ok:
			case len(outputs[x.Name]) == 0:
				v.add(at, "step %s uses the variable %q, but no step has it as its output", s.Name, x.Name)
			case v.def.URN != "":
				// Things Graph took flows whose steps race, and people have published
				// such: the variable is null until the other step has set it.
			default:
				v.add(at, "step %s uses the variable %q, but no step before it has it as its output; let it wait for step %s",
					s.Name, x.Name, v.def.Steps[outputs[x.Name][0]].Name)
			}
		}
	}
}

// reads tells whether a step needs a variable to do its work, or after it.
func (s *Step) reads(variable string) (before, after bool) {
	in := func(e *expr.Expr) bool { return e != nil && slices.Contains(e.Variables(), variable) }
	args := func(list []Arg) bool {
		return slices.ContainsFunc(list, func(a Arg) bool { return in(a.Value.Expr) })
	}
	before = in(s.Condition)
	switch a := s.Activity.(type) {
	case *DeviceAction:
		before = before || in(a.Device) || args(a.Args)
	case *ServiceCall:
		before = before || args(a.Args)
	case *Choice:
		before = before || slices.ContainsFunc(a.Rules, func(r Rule) bool { return in(r.When) })
	}
	after = slices.ContainsFunc(s.Checks, func(c Check) bool { return in(c.Condition) }) ||
		slices.ContainsFunc(s.Retries, func(r Retry) bool { return in(r.Condition) }) ||
		slices.ContainsFunc(s.Catches, func(c Catch) bool { return in(c.Condition) })
	return before, after
}
