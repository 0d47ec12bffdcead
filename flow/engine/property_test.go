package engine

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/flow"
)

const seed = 20261125

// runRandom runs one random flow in the current bubble and returns what breaks the
// rules, or "".
func runRandom(g *randomFlow, seen map[string]int) string {
	s := &scripted{g: g, attempts: map[string]int{}, inFlight: map[string]int{}}
	things := map[string]*scriptedThing{}
	for _, b := range g.d.Things {
		things[b.Thing] = &scriptedThing{s: s, name: b.Thing}
	}
	r := newRecord()
	e := New(Options{Device: func(_ *flow.Deployment, b flow.Binding) (device.Actor, error) { return things[b.Thing], nil },
		Recorder: r, Log: slog.New(slog.DiscardHandler)})
	if err := e.Deploy(g.d); err != nil {
		return "refused: " + err.Error()
	}
	began := time.Now()
	if len(g.heard) == 0 {
		for run := range g.runs {
			if _, err := e.Start(g.d.Name, "f", []flow.Arg{{Value: flow.Value{Literal: int64(run)}}}); err != nil {
				return err.Error()
			}
		}
	}
	for i, h := range g.heard {
		time.Sleep(h.after)
		things["thing0"].fn(map[string]any{"on": h.on, "run": int64(i)}, time.Time{})
	}
	time.Sleep(24 * time.Hour) // longer than any of them takes
	synctest.Wait()
	vars, _ := e.Vars(g.d.Name)
	e.Close()
	breach := s.problem
	ids := r.roots()
	if b := checkStarts(g, r, ids, began); breach == "" {
		breach = b
	}
	if b := checkCounts(g, r, ids, vars); breach == "" {
		breach = b
	}
	for _, id := range ids {
		c := newChecker(g, true)
		c.children = r.children(id)
		b := c.check(r.events[id], true)
		if breach == "" {
			breach = b
		}
		if x := r.ended[id]; breach == "" && (x.Status == flow.Aborted || x.Status == flow.Running || !x.Ended.Equal(r.events[id][len(r.events[id])-1].Time)) {
			breach = fmt.Sprintf("it ended %s at %v", x.Status, x.Ended)
		}
	}
	happened := map[string]bool{"for": len(g.heard) > 0 && len(ids) > 0}
	for _, id := range ids {
		observe(g, r.events[id], happened)
	}
	for what, did := range happened {
		if did {
			seen[what]++
		}
	}
	return breach
}

// checkStarts looks whether the trigger with for has started the flow when it should.
func checkStarts(g *randomFlow, r *record, ids []string, began time.Time) string {
	if len(g.heard) == 0 {
		return ""
	}
	at, by := g.starts()
	if len(ids) != len(at) {
		return fmt.Sprintf("the trigger started the flow %d times, and should %d", len(ids), len(at))
	}
	for i, id := range ids {
		first := r.events[id][0]
		if got := first.Time.Sub(began); got != at[i] || number(first.Payload.Input["run"]) != float64(by[i]) {
			return fmt.Sprintf("the trigger started the flow at %v with event %v, and should at %v with %d", got, first.Payload.Input["run"], at[i], by[i])
		}
	}
	return ""
}

// checkCounts looks whether each step that counts has counted its successes.
func checkCounts(g *randomFlow, r *record, ids []string, vars map[string]any) string {
	for i, s := range g.d.Flows[0].Definition.Steps {
		if _, ok := s.Activity.(*flow.SetVars); !ok {
			continue
		}
		n := 0
		for _, id := range ids {
			for _, e := range r.events[id] {
				// What fails of such a step is a check, after it has set.
				if (e.Type == flow.ActivitySucceeded || e.Type == flow.ActivityFailed && e.Payload.Error != cancelledName) && e.Payload.Step == s.Name {
					n++
				}
			}
		}
		if got := number(vars[fmt.Sprint("c", i)]); got != float64(n) {
			return fmt.Sprintf("step %s has counted to %v, and should to %d", s.Name, got, n)
		}
	}
	return ""
}

// observe notes what happened in an execution, and not only what could have.
func observe(g *randomFlow, events []flow.ExecutionEvent, seen map[string]bool) {
	kinds := map[string]string{}
	for _, s := range g.d.Flows[0].Definition.Steps {
		switch s.Activity.(type) {
		case *flow.Choice:
			kinds[s.Name] = "choice"
		case *flow.Wait:
			kinds[s.Name] = "wait"
		case *flow.SetVars:
			kinds[s.Name] = "vars"
		case *flow.FlowCall:
			kinds[s.Name] = "sub-flow"
		}
	}
	underWay := 0
	for _, e := range events {
		switch e.Type {
		case flow.StepStarted:
			underWay++
			if underWay > 1 {
				seen["parallel"] = true
			}
		case flow.StepSucceeded:
			underWay--
			if kind := kinds[e.Payload.Step]; kind != "" {
				seen[kind] = true
			}
		case flow.StepFailed:
			underWay--
			if e.Payload.Rule != "" {
				seen["catch"] = true
			}
		case flow.ActivityRetried:
			seen["retry"] = true
		case flow.ActivityFailed:
			if e.Payload.Error == flow.ErrorTimeout {
				seen["time-out"] = true
			}
		case flow.ExecutionSucceeded, flow.ExecutionFailed:
			seen[string(e.Type)] = true
		}
	}
}

// batch runs flows from..to and returns the first breach, and in how many flows
// each feature came to pass.
func batch(t *testing.T, from, to int, features map[string]int) (breach string) {
	synctest.Test(t, func(t *testing.T) {
		for i := from; i < to && breach == ""; i++ {
			g := generate(rand.New(rand.NewPCG(seed, uint64(i))), time.Second)
			if b := runRandom(g, features); b != "" {
				breach = fmt.Sprintf("flow %d: %s", i, b)
			}
		}
	})
	return breach
}

// TestRandomFlows: ten thousand random flows obey the rules.
func TestRandomFlows(t *testing.T) {
	const flows, size = 10_000, 500
	features := map[string]int{}
	for from := 0; from < flows; from += size {
		if breach := batch(t, from, from+size, features); breach != "" {
			t.Fatal(breach)
		}
	}
	for _, f := range []string{"wait", "for", "vars", "sub-flow", "parallel", "choice", "retry", "catch", "time-out", "EXECUTION_SUCCEEDED", "EXECUTION_FAILED"} {
		if features[f] < flows/5 {
			t.Errorf("in only %d of %d flows there was a %s", features[f], flows, f)
		}
	}
	t.Logf("seed %d: %v", seed, features)
}
