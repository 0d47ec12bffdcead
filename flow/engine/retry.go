package engine

import (
	"time"

	"pithings/flow"
	"pithings/flow/expr"
)

// pause waits until the next attempt.
func (x *execution) pause(wait time.Duration) *stepError {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-x.ctx.Done():
		return x.cancelledError()
	}
}

// retry reports whether and when a step is tried again. tried counts the attempts
// of each retry; without may there is none.
func (x *execution) retry(s *flow.Step, err *stepError, tried []int, attempt int, may bool) (time.Duration, bool) {
	if err.cancelled() || !may {
		return 0, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range s.Retries {
		r := &s.Retries[i]
		if !x.fits(r.Errors, r.Condition, err) {
			continue
		}
		most := r.MaxAttempts
		if most == 0 {
			most = flow.DefaultMaxAttempts
		}
		if tried[i] >= most {
			return 0, false
		}
		tried[i]++
		wait := waitBefore(r, tried[i])
		x.event(flow.ActivityRetried, flow.EventPayload{
			Step: s.Name, Attempt: attempt, Error: err.name, Rule: ruleName(r.Name, i), Wait: wait.String()})
		return wait, true
	}
	return 0, false
}

// waitBefore is the pause before a retry's n-th attempt, n from 1.
func waitBefore(r *flow.Retry, n int) time.Duration {
	interval := r.Interval
	if interval == 0 {
		interval = flow.DefaultRetryInterval
	}
	wait := float64(interval)
	for range n - 1 {
		wait *= max(r.BackoffRate, 1)
		if wait >= float64(flow.MaxRetryWait) {
			return flow.MaxRetryWait
		}
	}
	return min(time.Duration(wait), flow.MaxRetryWait)
}

// onError is the scope of a retry's or a catch's condition.
type onError struct {
	x   *execution
	err *stepError
}

func (o onError) Lookup(name string) (any, bool) {
	switch name {
	case "Error":
		return o.err.name, true
	case "ErrorMessage":
		return o.err.message, true
	}
	return o.x.Lookup(name)
}

// fits reports whether a retry or a catch is meant for an error. A condition that
// cannot be computed does not hold. The lock is held.
func (x *execution) fits(names []string, condition *expr.Expr, err *stepError) bool {
	if len(names) > 0 && !err.named(names) {
		return false
	}
	if condition == nil {
		return true
	}
	ok, failed := condition.True(onError{x, err})
	return ok && failed == nil
}

// eventsOf returns the events that statements set.
func eventsOf(list []flow.Statement) []string {
	var events []string
	for _, s := range list {
		if s.Event != "" {
			events = append(events, s.Event)
		}
	}
	return events
}
