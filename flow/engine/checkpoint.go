package engine

import (
	"encoding/json"
	"log/slog"
	"time"

	"pithings/flow"
)

// checkpoint is an execution at rest, as it is kept.
type checkpoint struct {
	Execution flow.Execution     `json:"execution"`
	Steps     []string           `json:"steps"` // of the flow: it has to be the same
	Event     values             `json:"event,omitempty"`
	At        time.Time          `json:"at,omitzero"` // of the event
	Vars      values             `json:"vars,omitempty"`
	Set       []string           `json:"set,omitempty"`   // events
	Begun     []string           `json:"begun,omitempty"` // steps
	Rests     map[string]restful `json:"rests"`           // by step
	Events    int                `json:"events"`
}

type restful struct {
	Attempt int   `json:"attempt"`
	Tried   []int `json:"tried,omitempty"`
	span
	Child *checkpoint `json:"child,omitempty"`
}

func stepNames(def *flow.Definition) []string {
	names := make([]string, len(def.Steps))
	for i := range def.Steps {
		names[i] = def.Steps[i].Name
	}
	return names
}

func (x *execution) checkpoint() *checkpoint {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := &checkpoint{Execution: x.Execution, Steps: stepNames(x.p.def), Event: values(x.occasion.event), At: x.occasion.at, Vars: x.vars, Rests: map[string]restful{}, Events: x.events}
	for e, name := range x.p.events {
		if x.set.have[e] {
			c.Set = append(c.Set, name)
		}
	}
	for i, begun := range x.begun {
		if begun {
			c.Begun = append(c.Begun, c.Steps[i])
		}
	}
	for i, r := range x.rests {
		one := restful{Attempt: r.attempt, Tried: r.tried, span: r.span}
		if r.child != nil {
			one.Child = r.child.checkpoint()
		}
		c.Rests[c.Steps[i]] = one
	}
	return c
}

func (x *execution) keptName() string { return waitPrefix + x.ID[max(len(x.ID)-36, 0):] }

// worthKeeping implements root.
func (x *execution) worthKeeping() bool {
	return x.s.keeper != nil && x.ctx.Err() == nil && x.waitsFor(x.s.shortest)
}

// waitsFor reports whether any step waits so long.
func (x *execution) waitsFor(least time.Duration) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, r := range x.rests {
		if r.child != nil && r.child.waitsFor(least) {
			return true
		}
		if w, ok := x.p.def.Steps[i].Activity.(*flow.Wait); ok && w.Duration >= least {
			return true
		}
	}
	return false
}

// keep implements root. What the checkpoint builds on is saved before it.
func (x *execution) keep() bool {
	if s, ok := x.s.recorder.(interface{ Sync() }); ok {
		s.Sync()
	}
	x.s.memory.save()
	text, err := json.Marshal(x.checkpoint())
	if err == nil {
		err = x.s.keeper.Save(x.Deployment, x.keptName(), text)
	}
	if err != nil {
		x.s.logRare(slog.LevelError, x.Flow, err.Error(), "waiting execution not saved; a restart aborts it", "err", err)
	}
	return err == nil
}

// forget implements root.
func (x *execution) forget() {
	if err := x.s.keeper.Save(x.Deployment, x.keptName(), nil); err != nil {
		x.s.logRare(slog.LevelError, x.Flow, err.Error(), "saved state of an execution not removed after its wait; a restart continues it a second time", "err", err)
	}
}

// takeOver has waits count from now on of which nothing can be dated, and reports
// whether there are any.
func (x *execution) takeOver() (some bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.rests {
		if r.child != nil {
			some = r.child.takeOver() || some
		} else {
			some = x.s.dates.takeOver(&r.span) || some
		}
	}
	return some
}
