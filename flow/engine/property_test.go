package engine

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pithings/flow"
)

const seed = 20261125

// runRandom runs one random flow in the current bubble and returns what breaks the
// rules, or "".
func runRandom(g *randomFlow, off rules, seen map[string]int) string {
	s := &scripted{g: g, attempts: map[string]int{}, inFlight: map[string]int{}}
	things := map[string]*scriptedThing{}
	for _, b := range g.d.Things {
		things[b.Thing] = &scriptedThing{s: s, name: b.Thing}
	}
	r := newRecord()
	e := New(Options{Device: func(_ *flow.Deployment, b flow.Binding) (flow.Device, error) { return things[b.Thing], nil },
		Recorder: r, Log: slog.New(slog.DiscardHandler)})
	e.off = off
	if err := e.Deploy(g.d); err != nil {
		return "refused: " + err.Error()
	}
	var ids []string
	for run := range g.runs {
		id, err := e.Start(g.d.Name, "f", []flow.Arg{{Value: flow.Value{Literal: int64(run)}}})
		if err != nil {
			return err.Error()
		}
		ids = append(ids, id)
	}
	time.Sleep(24 * time.Hour) // longer than any of them takes
	e.Close()
	breach := s.problem
	for _, id := range ids {
		b := newChecker(g, true).check(r.events[id], true)
		if breach == "" {
			breach = b
		}
		if x := r.ended[id]; breach == "" && (x.Status == flow.Aborted || x.Status == flow.Running || !x.Ended.Equal(r.events[id][len(r.events[id])-1].Time)) {
			breach = fmt.Sprintf("it ended %s at %v", x.Status, x.Ended)
		}
	}
	happened := map[string]bool{}
	for _, id := range ids {
		observe(g, r.events[id], happened)
	}
	for what := range happened {
		seen[what]++
	}
	return breach
}

// observe notes what happened in an execution, and not only what could have.
func observe(g *randomFlow, events []flow.ExecutionEvent, seen map[string]bool) {
	choices := map[string]bool{}
	for _, s := range g.d.Flows[0].Definition.Steps {
		_, choices[s.Name] = s.Activity.(*flow.Choice)
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
			if choices[e.Payload.Step] {
				seen["choice"] = true
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
func batch(t *testing.T, from, to int, off rules, features map[string]int) (breach string) {
	synctest.Test(t, func(t *testing.T) {
		for i := from; i < to && breach == ""; i++ {
			g := generate(rand.New(rand.NewPCG(seed, uint64(i))), time.Second)
			if b := runRandom(g, off, features); b != "" {
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
		if breach := batch(t, from, from+size, 0, features); breach != "" {
			t.Fatal(breach)
		}
	}
	for _, f := range []string{"parallel", "choice", "retry", "catch", "time-out", "EXECUTION_SUCCEEDED", "EXECUTION_FAILED"} {
		if features[f] < flows/5 {
			t.Errorf("in only %d of %d flows there was a %s", features[f], flows, f)
		}
	}
	t.Logf("seed %d: %v", seed, features)
}

// TestEveryRuleMatters: without any one rule, the test above fails.
func TestEveryRuleMatters(t *testing.T) {
	for i := range ruleCount {
		const flows = 3000
		breach := ""
		for from := 0; from < flows && breach == ""; from += 100 {
			breach = batch(t, from, from+100, 1<<i, map[string]int{})
		}
		if breach == "" {
			t.Errorf("rule %d is off, and %d flows did not notice", i, flows)
		}
		t.Logf("rule %2d off: %s", i, breach)
	}
}
