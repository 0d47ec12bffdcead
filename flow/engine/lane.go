package engine

import (
	"context"
	"fmt"
	"sync"
)

// MaxWaiting is how many actions may wait for their turn on one thing.
const MaxWaiting = 64

// lanes let one action at a time use a thing, whatever carries its actions.
type lanes struct {
	mu      sync.Mutex
	byThing map[string]*lane
}

// enter waits for the turn on a thing. leave must follow if there is no error.
func (s *lanes) enter(ctx context.Context, thing string) (leave func(), err error) {
	s.mu.Lock()
	l := s.byThing[thing]
	if l == nil {
		l = new(lane)
		s.byThing = put(s.byThing, thing, l)
	}
	l.users++
	s.mu.Unlock()
	done := func() {
		s.mu.Lock()
		if l.users--; l.users == 0 {
			delete(s.byThing, thing)
		}
		s.mu.Unlock()
	}
	if err := l.enter(ctx, thing); err != nil {
		done()
		return nil, err
	}
	return func() { l.leave(); done() }, nil
}

// lane is the queue of one thing, in the order in which its actions came.
type lane struct {
	mu      sync.Mutex
	busy    bool
	waiting []chan struct{} // each is closed when its turn has come
	users   int             // calls under way, under the lanes' lock; the last one removes the lane
}

// busyError is why an action does not even wait: too many wait already.
type busyError struct{ thing string }

func (e busyError) Error() string {
	return fmt.Sprintf("%s is busy, and %d actions wait for it already", e.thing, MaxWaiting)
}

// ErrorName lets retries and catches name it.
func (busyError) ErrorName() string { return "Busy" }

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
	l.next() // the turn came at the same moment, and another action can use it
	return ctx.Err()
}

func (l *lane) leave() {
	l.mu.Lock()
	l.next()
	l.mu.Unlock()
}

// next hands the turn to the next action. The lock is held.
func (l *lane) next() {
	if len(l.waiting) == 0 {
		l.busy = false
		return
	}
	turn := l.waiting[0]
	l.waiting = l.waiting[1:]
	close(turn)
}

// put sets a key of a map that may be nil.
func put[M ~map[string]V, V any](m M, key string, v V) M {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = v
	return m
}
