package flow

import (
	"maps"
	"slices"
	"strings"

	"pithings/conf/suggest"
	"pithings/flow/expr"
)

// order checks what waits for what: events that no step sets, loops, steps that
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
				v.add(cmpPos(s.Pos, def.Pos), "step %s waits for the event %q, which no step sets%s", s.Name, e, suggest.From(e, names))
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
		return true // what fails to be computed is reported when it is
	}
	// An expression with ! in it may be true before all events are set.
	return slices.ContainsFunc(s.In.When.Variables(), func(e string) bool { return set[e] }) && strings.ContainsAny(s.In.When.String(), "!=<>?")
}

// assigned finds variables that are read before any step can have set them.
func (v *stepValidator) assigned(before []map[int]bool) {
	outputs := map[string][]int{}
	for i := range v.def.Steps {
		output := v.def.Steps[i].Output()
		outputs[output] = append(outputs[output], i)
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

// reads reports whether a step needs a variable to do its work, or after it.
func (s *Step) reads(variable string) (before, after bool) {
	in := func(e *expr.Expr) bool { return e != nil && slices.Contains(e.Variables(), variable) }
	before = in(s.Condition) || slices.ContainsFunc(s.Args(), func(a Arg) bool { return in(a.Value.Expr) })
	switch a := s.Activity.(type) {
	case *DeviceAction:
		before = before || in(a.Device)
	case *Choice:
		before = before || slices.ContainsFunc(a.Rules, func(r Rule) bool { return in(r.When) })
	}
	after = slices.ContainsFunc(s.Checks, func(c Check) bool { return in(c.Condition) }) ||
		slices.ContainsFunc(s.Retries, func(r Retry) bool { return in(r.Condition) }) ||
		slices.ContainsFunc(s.Catches, func(c Catch) bool { return in(c.Condition) })
	return before, after
}
