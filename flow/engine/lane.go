package engine

import (
	"context"
	"fmt"
	"sync"
)

// MaxWaiting is how many actions may wait for their turn on one thing.
const MaxWaiting = 64

// lane lets one action at a time use a thing, in the order in which they came.
type lane struct {
	mu      sync.Mutex
	busy    bool
	waiting []chan struct{} // each is closed when its turn has come
	users   int             // calls under way; the last one takes the lane away
}

// busyError says that too many wait.
type busyError struct{ thing string }

func (e busyError) Error() string {
	return fmt.Sprintf("%s is busy, and %d actions wait for it already", e.thing, MaxWaiting)
}

// ErrorName lets retries and catches name it.
func (busyError) ErrorName() string { return "Busy" }

// enter waits for the turn on a thing. leave must follow if there is no error.
func (e *Engine) enter(ctx context.Context, thing string) (leave func(), err error) {
	if !e.on(ruleOneCall) {
		return func() {}, nil
	}
	e.mu.Lock()
	l := e.lanes[thing]
	if l == nil {
		l = new(lane)
		e.lanes[thing] = l
	}
	l.users++
	e.mu.Unlock()
	done := func() {
		e.mu.Lock()
		if l.users--; l.users == 0 {
			delete(e.lanes, thing)
		}
		e.mu.Unlock()
	}
	if err := l.enter(ctx, thing); err != nil {
		done()
		return nil, err
	}
	return func() { l.leave(); done() }, nil
}

func (l *lane) enter(ctx context.Context, thing string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if !l.busy {
		l.busy = true
		l.mu.Unlock()
		return nil
	}
	if len(l.waiting) == MaxWaiting {
		l.mu.Unlock()
		return busyError{thing}
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range l.waiting {
		if w == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	l.next() // the turn came at the same moment, and somebody else can use it
	return ctx.Err()
}

func (l *lane) leave() {
	l.mu.Lock()
	l.next()
	l.mu.Unlock()
}

// next gives the turn on. The lock is held.
func (l *lane) next() {
	if len(l.waiting) == 0 {
		l.busy = false
		return
	}
	turn := l.waiting[0]
	l.waiting = l.waiting[1:]
	close(turn)
}
