package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"pithings/flow"
	"pithings/flow/expr"
)

// A random flow, and what its things will do. The checker knows conditions from
// here and not from the expressions, so that it does not share the engine's way
// of computing them.

// cond is a condition: a step's n is at least min; or a constant.
type cond struct {
	step     int // -1: constant
	path     string
	min      int
	constant bool
}

func (c cond) source() string {
	switch {
	case c.step >= 0:
		return fmt.Sprintf("(%s ?? 0) >= %d", c.path, c.min)
	case c.constant:
		return "1 < 2"
	}
	return "'a' == 'b'"
}

// outcome is what a thing does at an attempt.
type outcome struct {
	err  string        // "" succeeds; "hang" never answers
	took time.Duration // until it answers
	n    int           // its answer
	// stubborn things do not stop when they are cancelled, as one whose
	// picture is being drawn.
	stubborn bool
}

type randomStep struct {
	cond     *cond
	arg      int // step whose n is the argument x; -1: the constant 7
	outcomes []outcome
	rules    []cond // of a choice, then of checks
	sets     int    // what it sets vars.xI to
}

// heard is an event of the sensor, some time after the one before.
type heard struct {
	after time.Duration
	on    bool
}

// path is where expressions find what a step gave: of a thing's answer, of a flow's, of
// what was set. "" is nowhere.
func path(def *flow.Definition, i int) string {
	switch def.Steps[i].Activity.(type) {
	case *flow.DeviceAction:
		return fmt.Sprintf("v%d.n", i)
	case *flow.FlowCall:
		return fmt.Sprintf("v%d.v.n", i)
	case *flow.SetVars:
		return fmt.Sprintf("vars.x%d", i)
	}
	return ""
}

// outcome returns what happens at an attempt, from 1; 0 is before the first.
func (s *randomStep) outcome(attempt int) outcome {
	if attempt == 0 || len(s.outcomes) == 0 {
		return outcome{}
	}
	if attempt <= len(s.outcomes) {
		return s.outcomes[attempt-1]
	}
	return s.outcomes[len(s.outcomes)-1]
}

type randomFlow struct {
	d     *flow.Deployment
	steps []randomStep
	runs  int     // executions at once
	heard []heard // if not empty, a trigger with for starts them
}

// starts are when the trigger starts the flow, since the deployment, and by which of the
// events: the last one before.
func (g *randomFlow) starts() (at []time.Duration, by []int) {
	hold := g.d.Triggers[0].Event.For
	now := time.Duration(0)
	var since time.Duration
	holds, started := false, false
	look := func(until time.Duration, last int) {
		if holds && !started && since+hold <= until {
			started = true
			at, by = append(at, since+hold), append(by, last)
		}
	}
	for i, h := range g.heard {
		look(now+h.after, i-1)
		now += h.after
		switch {
		case h.on && !holds:
			holds, started, since = true, false, now
		case !h.on:
			holds = false
		}
	}
	look(now+100*hold, len(g.heard)-1)
	return at, by
}

func source(s string) *expr.Expr {
	e, err := expr.Parse(s)
	if err != nil {
		panic(err)
	}
	return e
}

var errorNames = []string{"Blurred", "NoLight", "Jammed"}

// generate makes a flow of up to 10 steps on up to 3 things. unit scales its
// times.
func generate(r *rand.Rand, unit time.Duration) *randomFlow {
	chance := func(p float64) bool { return r.Float64() < p }
	readsVars := false
	g := &randomFlow{runs: 1}
	if chance(0.3) {
		g.runs = 2
	}
	things := 1 + r.IntN(3)
	d := &flow.Deployment{Name: "random", Timeout: time.Duration(4+r.IntN(4)) * unit}
	for i := range things {
		d.Things = append(d.Things, flow.Binding{Role: fmt.Sprint("role", i), Thing: fmt.Sprint("thing", i)})
	}
	def := &flow.Definition{Name: "f", Parameters: []flow.Parameter{{Name: "run", Required: true}}}
	n := 2 + r.IntN(9)
	g.steps = make([]randomStep, n)
	setters := map[string][]int{}
	before := make([]map[int]bool, n)
	var events []string
	sets := func(i int) []string { // one or two events, now and then one that others set too
		var list []string
		for range 1 + r.IntN(2) {
			e := fmt.Sprintf("e%d_%d", i, len(list))
			if len(events) > 0 && chance(0.15) {
				e = events[r.IntN(len(events))]
			}
			if !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
		return list
	}
	for i := range n {
		s := flow.Step{Name: fmt.Sprint("s", i)}
		x := &g.steps[i]
		before[i] = map[int]bool{}
		if i > 0 && !chance(0.1) {
			g.in(r, &s, events)
			for _, e := range s.Waits() {
				for _, j := range setters[e] {
					before[i][j] = true
					for k := range before[j] {
						before[i][k] = true
					}
				}
			}
		}
		condition := func() cond {
			var known []int
			for j := range before[i] {
				_, sets := def.Steps[j].Activity.(*flow.SetVars)
				if path(def, j) != "" && (!sets || g.runs == 1) {
					known = append(known, j)
				}
			}
			if len(known) == 0 || chance(0.4) {
				return cond{step: -1, constant: chance(0.7)}
			}
			slices.Sort(known)
			j := known[r.IntN(len(known))]
			if _, sets := def.Steps[j].Activity.(*flow.SetVars); sets {
				readsVars = true
			}
			return cond{step: j, path: path(def, j), min: r.IntN(10)}
		}
		if chance(0.25) {
			c := condition()
			x.cond, s.Condition = &c, source(c.source())
		}
		s.Out = sets(i)
		switch p := r.Float64(); {
		case p < 0.2:
			g.choice(r, &s, x, condition, func() []string { return sets(i) })
		case p < 0.3:
			s.Activity = &flow.Wait{Duration: time.Millisecond + time.Duration(r.Int64N(int64(3*unit)))}
		case p < 0.4:
			x.sets = r.IntN(10)
			count, value := fmt.Sprint("c", i), fmt.Sprint("x", i)
			d.Vars = append(d.Vars, flow.Var{Name: count, Initial: int64(0)}, flow.Var{Name: value})
			s.Activity = &flow.SetVars{Vars: []flow.Arg{{Name: count, Value: flow.Value{Expr: source("vars." + count + " + 1")}},
				{Name: value, Value: flow.Value{Literal: int64(x.sets)}}}}
		default:
			g.device(r, &s, x, i, things, unit, condition)
			def.Variables = append(def.Variables, flow.Variable{Name: fmt.Sprint("v", i)})
			if chance(0.2) {
				s.Timeout = 0
				g.call(d, &s, i)
			}
		}
		g.handlers(r, &s, x, condition, func() []string { return sets(i) }, unit)
		// What comes back to an event of an earlier step must make no loop.
		for _, e := range s.Sets() {
			for j := range i + 1 {
				if j < i && slices.Contains(def.Steps[j].Waits(), e) || j == i && slices.Contains(s.Waits(), e) {
					return generate(r, unit)
				}
			}
		}
		for _, e := range s.Sets() {
			if len(setters[e]) == 0 {
				events = append(events, e)
			}
			setters[e] = append(setters[e], i)
		}
		def.Steps = append(def.Steps, s)
	}
	d.Flows = append([]flow.Flow{{Definition: def, Overlap: flow.Parallel, Limit: 20}}, d.Flows...)
	// What an execution before this one has set, and when, the checker does not follow
	// (only the counters), so that a flow that reads vars is started once.
	if g.runs == 1 && !readsVars && chance(0.55) {
		e := &flow.DeviceEvent{Role: "role0", Name: "Go", When: source("event.on"), For: time.Duration(1+r.Int64N(int64(2*unit))) + 100}
		d.Triggers = []flow.Trigger{{Name: "held", Event: e, Start: []flow.Start{{Flow: "f", Args: []flow.Arg{{Value: flow.Value{Expr: source("event.run")}}}}}}}
		for range 2 + r.IntN(5) {
			g.heard = append(g.heard, heard{time.Duration(1 + r.Int64N(int64(2*unit))), chance(0.7)})
		}
	}
	g.d = d
	return g
}

// call makes a step that runs a flow of one step, which is the thing's.
func (g *randomFlow) call(d *flow.Deployment, s *flow.Step, i int) {
	a := s.Activity.(*flow.DeviceAction)
	inner := &flow.Definition{Name: fmt.Sprint("f", i), Parameters: []flow.Parameter{{Name: "run", Required: true}, {Name: "x", Required: true}},
		Variables: []flow.Variable{{Name: "v"}}}
	inner.Steps = []flow.Step{{Name: s.Name, Activity: &flow.DeviceAction{Role: a.Role, Action: a.Action, Output: "v",
		Args: []flow.Arg{{Name: "x", Value: flow.Value{Expr: source("x")}}, {Name: "run", Value: flow.Value{Expr: source("run")}}}}}}
	d.Flows = append(d.Flows, flow.Flow{Definition: inner, Overlap: flow.Parallel})
	s.Activity = &flow.FlowCall{Flow: inner.Name, Args: a.Args, Output: a.Output}
}

func (g *randomFlow) in(r *rand.Rand, s *flow.Step, events []string) {
	pick := func() string { return events[r.IntN(len(events))] }
	switch r.IntN(6) {
	case 0:
		s.In.When = source(pick() + " || " + pick())
	case 1:
		s.In.When = source(pick() + " && " + pick() + " || " + pick())
	case 2, 3:
		s.In.Events = []string{pick()}
		if e := pick(); e != s.In.Events[0] {
			s.In.Events = append(s.In.Events, e)
		}
	default:
		s.In.Events = []string{pick()}
	}
}

func (g *randomFlow) choice(r *rand.Rand, s *flow.Step, x *randomStep, condition func() cond, sets func() []string) {
	c := &flow.Choice{}
	for range 1 + r.IntN(3) {
		cd := condition()
		x.rules = append(x.rules, cd)
		c.Rules = append(c.Rules, flow.Rule{When: source(cd.source()), Events: sets()})
	}
	if r.IntN(2) == 0 {
		c.Default = sets()
	}
	s.Activity = c
}

func (g *randomFlow) device(r *rand.Rand, s *flow.Step, x *randomStep, i, things int, unit time.Duration, condition func() cond) {
	a := &flow.DeviceAction{Role: fmt.Sprint("role", r.IntN(things)), Action: s.Name, Output: fmt.Sprint("v", i)}
	x.arg = -1
	if c := condition(); c.step >= 0 {
		x.arg = c.step
		a.Args = []flow.Arg{{Name: "x", Value: flow.Value{Expr: source(c.path + " ?? 0")}}}
	} else {
		a.Args = []flow.Arg{{Name: "x", Value: flow.Value{Literal: int64(7)}}}
	}
	a.Args = append(a.Args, flow.Arg{Name: "run", Value: flow.Value{Expr: source("run")}})
	s.Activity = a
	if r.IntN(4) == 0 {
		s.Timeout = time.Duration(2+r.IntN(3)) * unit
	}
	for range 1 + r.IntN(4) {
		o := outcome{took: time.Duration(r.Int64N(int64(2 * unit))), n: r.IntN(10)}
		switch p := r.Float64(); {
		case p < 0.12:
			o.err = "hang"
		case p < 0.35:
			o.err = errorNames[r.IntN(len(errorNames))]
		}
		o.stubborn = o.err == "" && r.IntN(3) == 0
		x.outcomes = append(x.outcomes, o)
		if o.err == "" {
			break
		}
	}
}

func (g *randomFlow) handlers(r *rand.Rand, s *flow.Step, x *randomStep, condition func() cond, sets func() []string, unit time.Duration) {
	names := func() (list []string) {
		all := append([]string{"Timeout", "States.TaskFailed", "ALL"}, errorNames...)
		for range r.IntN(3) {
			list = append(list, all[r.IntN(len(all))])
		}
		return list
	}
	statements := func() (list []flow.Statement) {
		for _, e := range sets() {
			list = append(list, flow.Statement{Event: e})
		}
		return list
	}
	if r.IntN(2) == 0 {
		for range 1 + r.IntN(2) {
			s.Retries = append(s.Retries, flow.Retry{Errors: names(), Interval: time.Duration(1+r.Int64N(int64(unit))) + 100,
				BackoffRate: 1 + float64(r.IntN(3))/2, MaxAttempts: 1 + r.IntN(3)})
		}
	}
	if r.IntN(4) > 0 {
		for range 1 + r.IntN(2) {
			c := flow.Catch{Errors: names(), Do: statements()}
			if r.IntN(4) == 0 {
				c.Condition = source("Error == 'Blurred'")
			}
			s.Catches = append(s.Catches, c)
		}
	}
	if _, device := s.Activity.(*flow.DeviceAction); device && r.IntN(5) == 0 {
		c := condition()
		x.rules = append(x.rules, c)
		check := flow.Check{Condition: source(c.source()), Pass: statements(), Fail: statements()}
		if r.IntN(2) == 0 {
			check.Fail = []flow.Statement{{Error: "Blurred"}}
		}
		s.Checks = append(s.Checks, check)
	}
}

// call is one call of a thing.
type callRecord struct {
	thing, step string
	run         float64
	from, to    time.Time
}

// scripted are the things of a random flow.
type scripted struct {
	g        *randomFlow
	mu       sync.Mutex
	calls    []callRecord
	attempts map[string]int
	inFlight map[string]int
	problem  string
}

type scriptedThing struct {
	s      *scripted
	name   string
	script func(run int) *scripted // if not nil, the script of a flow by its number
	fn     func(map[string]any, time.Time)
}

func (t *scriptedThing) Watch(_ string, fn func(map[string]any, time.Time)) (func(), error) {
	t.fn = fn
	return func() {}, nil
}

func (t *scriptedThing) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	s := t.s
	var i int
	fmt.Sscanf(action, "s%d", &i)
	run := number(input["run"])
	if t.script != nil {
		s = t.script(int(run))
	}
	key := fmt.Sprint(action, "/", run)
	s.mu.Lock()
	s.attempts[key]++
	s.inFlight[t.name]++
	if s.inFlight[t.name] > 1 {
		s.problem = t.name + " has two actions in flight"
	}
	n := len(s.calls)
	s.calls = append(s.calls, callRecord{thing: t.name, step: action, run: run, from: time.Now()})
	o := s.g.steps[i].outcome(s.attempts[key])
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inFlight[t.name]--
		s.calls[n].to = time.Now()
		s.mu.Unlock()
	}()
	took := o.took
	if o.err == "hang" {
		took = time.Hour
	}
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		if !o.stubborn {
			return nil, ctx.Err()
		}
		<-timer.C
	}
	if o.err != "" && o.err != "hang" {
		return nil, scriptedError(o.err)
	}
	return map[string]any{"n": float64(o.n)}, nil
}

type scriptedError string

func (e scriptedError) Error() string     { return "scripted" }
func (e scriptedError) ErrorName() string { return string(e) }

// number is any number as a float64.
func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return -1
}
