package engine

import (
	"slices"

	"pithings/flow"
	"pithings/flow/expr"
)

// program is a flow with its events as numbers.
type program struct {
	def     *flow.Definition
	events  []string
	waiters [][]int // steps to look at, by the event that was set
	start   []int   // steps that wait for nothing
	rests   bool    // a step waits, or runs a flow
	in      [][]int // events that a step waits for; nil if it has an expression
}

func compile(def *flow.Definition) *program {
	p := &program{def: def, in: make([][]int, len(def.Steps))}
	for i := range def.Steps {
		s := &def.Steps[i]
		switch s.Activity.(type) {
		case *flow.Wait, *flow.FlowCall:
			p.rests = true
		}
		if s.In.AtStart() {
			p.start = append(p.start, i)
			continue
		}
		for _, name := range s.Waits() {
			e := p.event(name)
			if s.In.When == nil || len(s.In.Events) > 0 {
				p.in[i] = append(p.in[i], e)
			}
			if !slices.Contains(p.waiters[e], i) {
				p.waiters[e] = append(p.waiters[e], i)
			}
		}
	}
	return p
}

// event returns the number of an event that a step waits for.
func (p *program) event(name string) int {
	e := slices.Index(p.events, name)
	if e < 0 {
		e = len(p.events)
		p.events = append(p.events, name)
		p.waiters = append(p.waiters, nil)
	}
	return e
}

// set is the events of an execution that have been set. As a scope it is what
// expressions over events see.
type set struct {
	p    *program
	have []bool
}

func (s set) Lookup(name string) (any, bool) {
	e := slices.Index(s.p.events, name)
	return e >= 0 && s.have[e], true
}

// ready reports whether a step's in-events are there.
func (s set) ready(i int) bool {
	in := s.p.in[i]
	if in == nil {
		ok, err := s.p.def.Steps[i].In.When.True(s)
		return err == nil && ok
	}
	return !slices.ContainsFunc(in, func(e int) bool { return !s.have[e] })
}

var _ expr.Scope = set{}
