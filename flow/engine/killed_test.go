package engine

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/flow"
)

// Runs reports whether an execution has not ended.
func (r *record) Runs(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, began := r.began[id]
	_, ended := r.ended[id]
	return began && !ended
}

// copy is what a kill leaves of a history.
func (r *record) copy() *record {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &record{order: slices.Clone(r.order), began: maps.Clone(r.began), ended: maps.Clone(r.ended), events: map[string][]flow.ExecutionEvent{}}
	for id, events := range r.events {
		c.events[id] = slices.Clone(events)
	}
	return c
}

// process is an engine that runs one random flow until it is killed.
type process struct {
	e      *Engine
	record *record
	shelf  *shelf
	script *scripted
	things map[string]*scriptedThing
}

func newProcess(g *randomFlow, r *record, s *shelf) (*process, error) {
	p := &process{record: r, shelf: s, script: &scripted{g: g, attempts: map[string]int{}, inFlight: map[string]int{}}, things: map[string]*scriptedThing{}}
	for _, b := range g.d.Things {
		p.things[b.Thing] = &scriptedThing{s: p.script, name: b.Thing}
	}
	p.e = New(Options{Device: func(_ *flow.Deployment, b flow.Binding) (device.Actor, error) { return p.things[b.Thing], nil },
		Recorder: r, Keeper: s, Shortest: 1, Log: slog.New(slog.DiscardHandler)})
	return p, p.e.Deploy(g.d)
}

// killed is what is there after a kill: a copy of what was kept and of the history. What
// the old process does afterwards does not count.
func (p *process) killed() (*record, *shelf) {
	synctest.Wait()
	for _, d := range p.e.deployments {
		if d.memory != nil {
			d.memory.save() // it is a second after the last change
		}
	}
	r, s := p.record.copy(), p.shelf.copy()
	go p.e.Close() // it waits for things that do not stop
	return r, s
}

// runKilled runs a random flow in processes that are killed at these times, and returns
// what breaks the rules, and how many executions continued after a kill.
func runKilled(g *randomFlow, kills []time.Duration) (breach string, resumed int) {
	p, err := newProcess(g, newRecord(), newShelf())
	if err != nil {
		return "refused: " + err.Error(), 0
	}
	began := time.Now()
	if len(g.heard) == 0 {
		for run := range g.runs {
			if _, err := p.e.Start(g.d.Name, "f", []flow.Arg{{Value: flow.Value{Literal: int64(run)}}}); err != nil {
				return err.Error(), 0
			}
		}
	}
	lost := map[string]bool{} // executions that the kills have ended
	kill := func() string {
		r, s := p.killed()
		if p, err = newProcess(g, r, s); err != nil {
			return err.Error()
		}
		for _, id := range r.roots() {
			switch {
			case lost[id] && p.e.Runs(id):
				return "an execution continues after two kills that was gone after one"
			case r.Runs(id) && p.e.Runs(id):
				resumed++
			case r.Runs(id):
				lost[id] = true
			}
		}
		return ""
	}
	next := func(until time.Duration) string { // passes time, with the kills in it
		for len(kills) > 0 && kills[0] <= until {
			time.Sleep(kills[0] - time.Since(began))
			kills = kills[1:]
			if b := kill(); b != "" {
				return b
			}
		}
		time.Sleep(until - time.Since(began))
		return ""
	}
	at := time.Duration(0)
	for i, h := range g.heard {
		at += h.after
		if b := next(at); b != "" {
			return b, resumed
		}
		p.things["thing0"].fn(map[string]any{"on": h.on, "run": int64(i)}, time.Time{})
	}
	if b := next(24 * time.Hour); b != "" {
		return b, resumed
	}
	synctest.Wait()
	vars, _ := p.e.Vars(g.d.Name)
	p.e.Close()
	r := p.record
	ids := r.roots()
	if b := checkStarts(g, r, ids, began); b != "" {
		return b, resumed
	}
	if b := checkCounts(g, r, ids, vars); b != "" {
		return b, resumed
	}
	for _, id := range ids {
		c := newChecker(g, true)
		if !lost[id] {
			c.children = r.children(id)
		}
		if b := c.check(r.events[id], !lost[id]); b != "" {
			return b, resumed
		}
	}
	return p.script.problem, resumed
}

// killedBatch runs flows in processes that are killed twice.
func killedBatch(t *testing.T, from, to int) (breach string, resumed int) {
	synctest.Test(t, func(t *testing.T) {
		for i := from; i < to && breach == ""; i++ {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			g := generate(r, time.Second)
			first := time.Duration(r.Int64N(int64(6 * time.Second)))
			b, n := runKilled(g, []time.Duration{first, first + time.Duration(r.Int64N(int64(4*time.Second)))})
			resumed += n
			if b != "" {
				breach = fmt.Sprintf("flow %d: %s", i, b)
			}
		}
	})
	return breach, resumed
}

// TestRandomFlowsKilled: random flows obey the rules over kills, too: what waited continues
// at its deadline, once; nothing else continues; vars and conditions that hold are kept.
func TestRandomFlowsKilled(t *testing.T) {
	const flows, size = 2000, 250
	all := 0
	for from := 0; from < flows; from += size {
		breach, resumed := killedBatch(t, from, from+size)
		if breach != "" {
			t.Fatal(breach)
		}
		all += resumed
	}
	if all < flows/20 {
		t.Errorf("only %d executions went on after a kill", all)
	}
	t.Logf("%d executions went on after a kill", all)
}
