package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pithings/flow"
)

// checker reads the history of an execution and finds what breaks the rules. It
// shares nothing with the engine but the description of the flow: it keeps its
// own account of events, variables and attempts.
type checker struct {
	g     *randomFlow
	def   *flow.Definition
	exact bool // times are those of a clock that nothing else moves
	// children are the histories of the flows that steps run, by flow; nil: not known.
	children map[string][][]flow.ExecutionEvent
	inner    bool // it is such a flow's, which is cancelled with its step

	vars    map[int]map[string]any // answers by step
	set     map[string]bool
	steps   []checkedStep
	failed  bool
	aborted bool
	failure time.Time
	ended   bool
	last    time.Time
}

type checkedStep struct {
	state     string // "", started, ended, skipped
	enabled   bool
	enabledAt time.Time
	startedAt time.Time

	activity  string // "", scheduled, started, succeeded, failed, retried
	attempt   int
	calls     int                 // that reached the thing
	ran       int                 // flows
	child     flow.ExecutionEvent // the end of the last of them
	scheduled time.Time
	argument  float64 // as it was then
	began     time.Time
	error     string
	tried     []int
	due       time.Time // of the next attempt
	events    []string
}

func newChecker(g *randomFlow, exact bool) *checker {
	c := &checker{g: g, def: g.d.Flows[0].Definition, exact: exact, vars: map[int]map[string]any{}, set: map[string]bool{}}
	c.steps = make([]checkedStep, len(c.def.Steps))
	for i := range c.steps {
		c.steps[i].tried = make([]int, len(c.def.Steps[i].Retries))
	}
	return c
}

// check returns the first breach, or "". A whole history ends; a part of one need not.
func (c *checker) check(events []flow.ExecutionEvent, whole bool) string {
	for i, e := range events {
		if e.ID != i+1 {
			return fmt.Sprintf("event %d has the number %d", i+1, e.ID)
		}
		if c.exact && e.Time.Before(c.last) {
			return "time runs backwards"
		}
		c.last = e.Time
		if i == 0 != (e.Type == flow.ExecutionStarted) {
			return fmt.Sprintf("event %d is %s", i+1, e.Type)
		}
		if breach := c.event(e); breach != "" {
			return fmt.Sprintf("event %d, %s %s: %s", i+1, e.Type, e.Payload.Step, breach)
		}
	}
	if whole && !c.ended {
		return "it has no end"
	}
	return ""
}

func (c *checker) truth(x cond) bool {
	if x.step < 0 {
		return x.constant
	}
	return c.n(x.step) >= float64(x.min)
}

// n is the answer of a step, 0 before there is one.
func (c *checker) n(step int) float64 {
	if v := c.vars[step]; v != nil {
		return number(v["n"])
	}
	return 0
}

// satisfied reports whether what a step waits for is there.
func (c *checker) satisfied(s *flow.Step) bool {
	if s.In.When == nil {
		for _, e := range s.In.Events {
			if !c.set[e] {
				return false
			}
		}
		return true
	}
	for _, or := range strings.Split(s.In.When.String(), " || ") {
		all := true
		for _, and := range strings.Split(or, " && ") {
			all = all && c.set[and]
		}
		if all {
			return true
		}
	}
	return false
}

// enable notes which steps can start now.
func (c *checker) enable(at time.Time) {
	for i := range c.steps {
		s := &c.def.Steps[i]
		if !c.steps[i].enabled && c.satisfied(s) {
			c.steps[i].enabled, c.steps[i].enabledAt = true, at
		}
	}
}

func (c *checker) raise(events []string, at time.Time) {
	for _, e := range events {
		c.set[e] = true
	}
	c.enable(at)
}

func (c *checker) same(a, b time.Time) bool { return !c.exact || a.Equal(b) }

func sameSet(a, b []string) bool {
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			return false
		}
	}
	return true
}

func (c *checker) event(e flow.ExecutionEvent) string {
	if c.ended {
		return "something after the end"
	}
	if c.failed && !c.same(e.Time, c.failure) && e.Type != flow.ExecutionAborted && !c.lingers(e) {
		return "something goes on after the failure"
	}
	switch e.Type {
	case flow.ExecutionStarted:
		for i := range c.steps {
			s := &c.def.Steps[i]
			if s.In.When == nil && len(s.In.Events) == 0 {
				c.steps[i].enabled, c.steps[i].enabledAt = true, e.Time
			}
		}
		return ""
	case flow.ExecutionSucceeded, flow.ExecutionFailed, flow.ExecutionAborted:
		return c.end(e)
	}
	i := slices.IndexFunc(c.def.Steps, func(s flow.Step) bool { return s.Name == e.Payload.Step })
	if i < 0 {
		return "no such step"
	}
	s, x := &c.def.Steps[i], &c.steps[i]
	switch e.Type {
	case flow.StepStarted, flow.StepSkipped:
		return c.begins(i, s, x, e)
	}
	if x.state != "started" {
		return "the step is not under way"
	}
	switch e.Type {
	case flow.ActivityScheduled:
		return c.scheduled(i, x, e)
	case flow.ActivityStarted:
		if x.activity != "scheduled" || e.Payload.Attempt != x.attempt {
			return "it was not scheduled"
		}
		x.activity, x.began = "started", e.Time
		if _, device := s.Activity.(*flow.DeviceAction); device {
			x.calls++
		}
		if call, ok := s.Activity.(*flow.FlowCall); ok && c.children != nil {
			return c.runs(i, call, x)
		}
	case flow.ActivitySucceeded:
		return c.succeeded(i, s, x, e)
	case flow.ActivityFailed:
		return c.activityFailed(i, s, x, e)
	case flow.ActivityRetried:
		r := c.retry(s, x)
		if x.activity != "failed" || r < 0 {
			return "no retry is meant for " + x.error
		}
		x.tried[r]++
		wait := float64(s.Retries[r].Interval) * math.Pow(s.Retries[r].BackoffRate, float64(x.tried[r]-1))
		x.activity, x.due = "retried", e.Time.Add(time.Duration(wait))
	case flow.StepSucceeded:
		if x.activity != "succeeded" {
			return "its activity has not succeeded"
		}
		if !sameSet(e.Payload.Events, append(slices.Clone(s.Out), x.events...)) {
			return fmt.Sprintf("sets %v, and should %v and %v", e.Payload.Events, s.Out, x.events)
		}
		x.state = "ended"
		c.raise(e.Payload.Events, e.Time)
	case flow.StepFailed:
		return c.stepFailed(s, x, e)
	default:
		return "unknown"
	}
	return ""
}

// runs checks the flow that a step runs, which has one step: the thing's.
func (c *checker) runs(i int, call *flow.FlowCall, x *checkedStep) string {
	all := c.children[call.Flow]
	if x.ran >= len(all) {
		return "it runs no flow"
	}
	events := all[x.ran]
	x.ran++
	g := &randomFlow{d: &flow.Deployment{Timeout: c.g.d.Timeout, Flows: []flow.Flow{*c.g.d.Flow(call.Flow)}}, steps: []randomStep{c.g.steps[i]}}
	g.steps[0].cond, g.steps[0].rules = nil, nil
	inner := newChecker(g, c.exact)
	inner.inner, inner.steps[0].calls = true, x.calls
	if c.g.steps[i].arg >= 0 {
		g.steps[0].arg, inner.vars[0] = 0, map[string]any{"n": x.argument}
	}
	if breach := inner.check(events, true); breach != "" {
		return "flow " + call.Flow + ": " + breach
	}
	x.child = events[len(events)-1]
	if inner.steps[0].calls > x.calls {
		x.calls, x.began = inner.steps[0].calls, inner.steps[0].began
	}
	return ""
}

// lingers reports whether an event after the failure is of a thing that did not
// stop at once, or the end that waited for it.
func (c *checker) lingers(e flow.ExecutionEvent) bool {
	for i := range c.steps {
		x := &c.steps[i]
		o := c.g.steps[i].outcome(x.calls)
		if _, call := c.def.Steps[i].Activity.(*flow.FlowCall); call && c.children == nil && x.state == "started" && (e.Payload.Step == c.def.Steps[i].Name || e.Type == flow.ExecutionFailed) {
			return true // it may be of such a thing
		}
		if !o.stubborn || !e.Time.Equal(x.began.Add(o.took)) {
			continue
		}
		if e.Payload.Step == c.def.Steps[i].Name || e.Type == flow.ExecutionFailed {
			return true
		}
	}
	return false
}

func (c *checker) begins(i int, s *flow.Step, x *checkedStep, e flow.ExecutionEvent) string {
	switch {
	case x.state != "":
		return "it started before"
	case c.failed || c.aborted:
		return "it starts after the failure"
	case !x.enabled || !c.satisfied(s):
		return "its in-events are not there"
	case !c.same(e.Time, x.enabledAt):
		return fmt.Sprintf("it could start %v before", e.Time.Sub(x.enabledAt))
	}
	holds := c.g.steps[i].cond == nil || c.truth(*c.g.steps[i].cond)
	if holds != (e.Type == flow.StepStarted) {
		return fmt.Sprintf("its condition is %v", holds)
	}
	x.state, x.startedAt = "started", e.Time
	if e.Type == flow.StepSkipped {
		x.state = "skipped"
		if !sameSet(e.Payload.Events, s.Out) {
			return "a skipped step sets its out-events"
		}
		c.raise(s.Out, e.Time)
	}
	return ""
}

func (c *checker) scheduled(i int, x *checkedStep, e flow.ExecutionEvent) string {
	if e.Payload.Attempt != x.attempt+1 {
		return fmt.Sprintf("attempt %d after %d", e.Payload.Attempt, x.attempt)
	}
	switch {
	case x.attempt == 0 && !c.same(e.Time, x.startedAt):
		return "steps that can start do not run in parallel"
	case x.attempt > 0 && x.activity != "retried":
		return "an attempt that was not asked for"
	case x.attempt > 0 && !c.same(e.Time, x.due):
		return fmt.Sprintf("the attempt comes %v late", e.Time.Sub(x.due))
	}
	x.activity, x.attempt, x.scheduled, x.events = "scheduled", e.Payload.Attempt, e.Time, nil
	switch c.def.Steps[i].Activity.(type) {
	case *flow.DeviceAction, *flow.FlowCall:
		want := 7.0
		if j := c.g.steps[i].arg; j >= 0 {
			want = c.n(j)
		}
		if got := number(e.Payload.Input["x"]); got != want {
			return fmt.Sprintf("its argument is %v, not %v", got, want)
		}
		x.argument = want
	}
	return ""
}

func (c *checker) timeout(s *flow.Step) time.Duration {
	if s.Timeout != 0 {
		return s.Timeout
	}
	return c.g.d.Timeout
}

func (c *checker) succeeded(i int, s *flow.Step, x *checkedStep, e flow.ExecutionEvent) string {
	if x.activity != "started" {
		return "it was not started"
	}
	g := &c.g.steps[i]
	checks := g.rules
	switch choice := s.Activity.(type) {
	case *flow.Wait:
		if !c.same(e.Time, x.scheduled.Add(choice.Duration)) {
			return fmt.Sprintf("it has waited for %v", e.Time.Sub(x.scheduled))
		}
	case *flow.SetVars:
		if !c.same(e.Time, x.scheduled) {
			return "setting takes time"
		}
		c.vars[i] = map[string]any{"n": float64(g.sets)}
	case *flow.FlowCall:
		answer, _ := e.Payload.Output.(map[string]any)
		inner, _ := answer["v"].(map[string]any)
		n := number(inner["n"])
		if c.children != nil && (x.child.Type != flow.ExecutionSucceeded || !c.same(e.Time, x.child.Time) || n != float64(g.outcome(x.calls).n)) {
			return fmt.Sprintf("its flow ended %s at %v", x.child.Type, x.child.Time)
		}
		c.vars[i] = map[string]any{"n": n}
	case *flow.Choice:
		x.events = choice.Default
		for k, r := range choice.Rules {
			if c.truth(g.rules[k]) {
				x.events = r.Events
				break
			}
		}
		checks = checks[len(choice.Rules):]
	default:
		o := g.outcome(x.calls)
		if o.err != "" {
			return "the thing said " + o.err
		}
		if !c.same(e.Time, x.began.Add(o.took)) {
			return "the answer came at another time"
		}
		if c.exact && !c.failed && !c.inner && e.Time.Sub(x.scheduled) > c.timeout(s) {
			return "it took longer than its time-out"
		}
		c.vars[i] = map[string]any{"n": float64(o.n)}
	}
	events, fails := c.checks(s, checks)
	if fails != "" {
		return "a check fails it"
	}
	x.events = append(slices.Clone(x.events), events...)
	if !sameSet(e.Payload.Events, x.events) {
		return fmt.Sprintf("sets %v, and should %v", e.Payload.Events, x.events)
	}
	x.activity = "succeeded"
	return ""
}

// checks returns what the checks of a step set, or the error that they fail with.
func (c *checker) checks(s *flow.Step, conds []cond) (events []string, fails string) {
	for k, check := range s.Checks {
		list := check.Fail
		if c.truth(conds[k]) {
			list = check.Pass
		}
		for _, st := range list {
			if st.Event == "" {
				return nil, st.Error
			}
			events = append(events, st.Event)
		}
	}
	return events, ""
}

func (c *checker) activityFailed(i int, s *flow.Step, x *checkedStep, e flow.ExecutionEvent) string {
	if x.activity != "scheduled" && x.activity != "started" {
		return "it was not under way"
	}
	o := c.g.steps[i].outcome(x.calls)
	deadline := x.scheduled.Add(c.timeout(s))
	_, call := s.Activity.(*flow.FlowCall)
	switch name := e.Payload.Error; {
	case name == cancelledName:
		if !c.failed && !c.aborted && c.exact && !c.inner {
			return "nothing cancels it"
		}
	case call:
		if x.activity != "started" || c.children != nil && (x.child.Type != flow.ExecutionFailed || x.child.Payload.Error != name || !c.same(e.Time, x.child.Time)) {
			return fmt.Sprintf("its flow ended %s, %s, at %v", x.child.Type, x.child.Payload.Error, x.child.Time)
		}
	case name == flow.ErrorTimeout:
		if o.stubborn && x.activity == "started" && x.began.Add(o.took).After(deadline) {
			deadline = x.began.Add(o.took)
		}
		if c.exact && !e.Time.Equal(deadline) {
			return "the time-out is at another time"
		}
		if c.exact && x.activity == "started" && o.err != "hang" && x.began.Add(o.took).Before(deadline) {
			return "the thing answers before"
		}
	case x.activity == "started" && o.err == "":
		c.vars[i] = map[string]any{"n": float64(o.n)} // the answer is kept even if a check fails
		if _, fails := c.checks(s, c.g.steps[i].rules); fails != name {
			return "the thing said yes, and no check says " + name
		}
		if !c.same(e.Time, x.began.Add(o.took)) {
			return "the answer came at another time"
		}
	case x.activity != "started" || o.err != name:
		return fmt.Sprintf("the thing said %q and not %s", o.err, name)
	case !c.same(e.Time, x.began.Add(o.took)):
		return "the error came at another time"
	}
	x.activity, x.error = "failed", e.Payload.Error
	return ""
}

func fits(names []string, name string) bool {
	if len(names) == 0 {
		return true
	}
	for _, n := range names {
		if n == "ALL" || n == name || n == "States.TaskFailed" && name != "Timeout" {
			return true
		}
	}
	return false
}

// retry is the retry that is to follow a failed activity, or -1.
func (c *checker) retry(s *flow.Step, x *checkedStep) int {
	if x.error == cancelledName {
		return -1
	}
	for i, r := range s.Retries {
		if fits(r.Errors, x.error) {
			if x.tried[i] < r.MaxAttempts {
				return i
			}
			return -1
		}
	}
	return -1
}

func (c *checker) stepFailed(s *flow.Step, x *checkedStep, e flow.ExecutionEvent) string {
	cancelled := e.Payload.Error == cancelledName
	if x.activity == "retried" {
		if !cancelled || !c.failed && !c.aborted && c.exact && !c.inner {
			return "it is to be tried again"
		}
	} else if x.activity != "failed" || e.Payload.Error != x.error {
		return "its activity has not failed so"
	} else if c.retry(s, x) >= 0 {
		return "a retry is meant for it"
	}
	x.state = "ended"
	var events []string
	caught := false
	for _, ca := range s.Catches {
		if !cancelled && fits(ca.Errors, x.error) && (ca.Condition == nil || x.error == "Blurred") {
			caught = true
			for _, st := range ca.Do {
				events = append(events, st.Event)
			}
			break
		}
	}
	if !sameSet(events, e.Payload.Events) {
		return fmt.Sprintf("sets %v, and should %v", e.Payload.Events, events)
	}
	if !caught && !cancelled && !c.failed {
		c.failed, c.failure = true, e.Time
	}
	if caught {
		c.raise(events, e.Time)
	}
	if cancelled && !c.failed {
		c.aborted = true
	}
	return ""
}

func (c *checker) end(e flow.ExecutionEvent) string {
	c.ended = true
	if e.Type == flow.ExecutionAborted {
		return "" // at any moment: by hand, or because the engine ended
	}
	for i, x := range c.steps {
		if x.state == "started" {
			return "step " + c.def.Steps[i].Name + " is under way"
		}
		if x.enabled && x.state == "" && !c.failed {
			return "step " + c.def.Steps[i].Name + " could start and did not"
		}
	}
	if c.failed != (e.Type == flow.ExecutionFailed) {
		return fmt.Sprintf("a step failed: %v", c.failed)
	}
	return ""
}
