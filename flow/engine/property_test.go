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
func runRandom(g *randomFlow, off rules) string {
	s := &scripted{g: g, attempts: map[string]int{}, inFlight: map[string]int{}}
	things := map[string]*scriptedThing{}
	for _, b := range g.d.Things {
		things[b.Thing] = &scriptedThing{s: s, name: b.Thing}
	}
	r := newRecord()
	e := New(Options{Device: func(b flow.Binding) (flow.Device, error) { return things[b.Thing], nil },
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
	e.Close()
	return breach
}

// batch runs flows from..to and returns the first breach, and how many flows had
// each feature.
func batch(t *testing.T, from, to int, off rules, features map[string]int) (breach string) {
	synctest.Test(t, func(t *testing.T) {
		for i := from; i < to && breach == ""; i++ {
			g := generate(rand.New(rand.NewPCG(seed, uint64(i))), time.Second)
			for f := range g.features {
				features[f]++
			}
			if b := runRandom(g, off); b != "" {
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
	for _, f := range []string{"parallel", "choice", "retry", "catch", "time-out"} {
		if features[f] < flows/5 {
			t.Errorf("only %d of %d flows have %s", features[f], flows, f)
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
