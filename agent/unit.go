package agent

import (
	"context"
	"sync"
)

// unit is something that runs until it is ended.
type unit struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func begin(ctx context.Context, run func(context.Context)) *unit {
	ctx, cancel := context.WithCancel(ctx)
	u := &unit{cancel, make(chan struct{})}
	go func() {
		defer close(u.done)
		defer cancel()
		run(ctx)
	}()
	return u
}

// askToEnd asks it to end, and does not wait; nil has not begun.
func (u *unit) askToEnd() {
	if u != nil {
		u.cancel()
	}
}

// end ends it and waits until it has ended; nil has not begun.
func (u *unit) end() {
	if u != nil {
		u.cancel()
		<-u.done
	}
}

// runs reports whether it has begun and not ended.
func (u *unit) runs() bool {
	if u == nil {
		return false
	}
	select {
	case <-u.done:
		return false
	default:
		return true
	}
}

// tasks are goroutines that end together. Any goroutine may begin one, also while another waits for
// them: sync.WaitGroup has no such Go.
type tasks struct {
	running sync.WaitGroup

	mu    sync.Mutex
	ended bool
}

// Go begins a task, unless Wait was called.
func (t *tasks) Go(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.running.Go(do)
	}
}

// Wait lets no further task begin, and waits for those that have.
func (t *tasks) Wait() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.running.Wait()
}
