package engine

import (
	"context"
	"time"

	"pithings/flow"
)

// waiter is a wait as an alarm.
type waiter struct {
	entry
	s    *scene
	w    *flow.Wait
	r    *resting
	done chan struct{}
}

func (w *waiter) ring(time.Time) {
	select {
	case w.done <- struct{}{}:
	default: // it has rung
	}
}

// reset implements alarm: the clock is known now, and with it how long the process was
// away.
func (w *waiter) reset(time.Time) {
	if age, ok := w.s.age(w.r.Since); ok {
		w.s.after(&w.entry, w.w.Duration-age)
	}
}

// wait lets time pass. An earlier process may have begun it.
func (x *execution) wait(i int, a *flow.Wait, r *resting) *stepError {
	w := &waiter{s: x.s, w: a, r: r, done: make(chan struct{}, 1)}
	w.alarm = w
	age, exact := x.s.spanAge(&r.span)
	if !exact {
		x.s.whenKnown(&w.entry)
	}
	x.s.after(&w.entry, a.Duration-age)
	defer x.s.drop(&w.entry)
	if !r.resumed() {
		x.tree.settle()
	}
	select {
	case <-w.done:
	case <-x.ctx.Done():
	}
	if !x.tree.move(context.Cause(x.ctx)) {
		return errLeft
	}
	x.woken(i)
	if x.ctx.Err() != nil {
		return x.cancelledError()
	}
	return nil
}
