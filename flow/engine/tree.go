package engine

import (
	"sync"
	"sync/atomic"
)

// tree is an execution with those that its steps run. While all of its steps that are
// under way wait, it is at rest, and only then can another process continue it: its
// actions are not idempotent, so what was kept is removed before anything moves again.
//
//	moving   2 … 1 … 0      0 … 1 … 2
//	kept             saved  removed
//	a kill   aborted        continued aborted
type tree struct {
	root root
	// moving counts the steps that are under way and neither wait nor run a flow. A step
	// that runs a flow lends its count to the first steps of that, and gets it back from
	// the last.
	moving atomic.Int32

	mu    sync.Mutex // taken before the executions' locks
	saved bool
	left  bool          // the engine ended while all was at rest: nothing moves any more
	gone  chan struct{} // closed then
}

// root is the execution at the root of a tree, at rest.
type root interface {
	// worthKeeping reports whether another process could continue it.
	worthKeeping() bool
	// keep saves it, and reports whether it could.
	keep() bool
	// forget removes what was saved.
	forget()
}

func newTree(r root) *tree { return &tree{root: r, gone: make(chan struct{})} }

// settle notes that a step has ended, or waits from now on. No lock is held.
func (t *tree) settle() {
	if t.moving.Add(-1) > 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.moving.Load() > 0 || t.saved || t.left || !t.root.worthKeeping() {
		return
	}
	t.saved = t.root.keep()
}

// restored notes that the tree comes from what an earlier process kept. changed says that
// it is not as it was kept.
func (t *tree) restored(changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.saved = true
	if changed {
		t.root.keep()
	}
}

// move notes that a step continues after its wait, which ended for a cause. It reports
// false if another process is to do that.
func (t *tree) move(cause error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.left && t.saved && cause == errEngineEnds && t.moving.Load() == 0 {
		t.left = true
		close(t.gone)
	}
	if t.left {
		return false
	}
	t.moving.Add(1)
	t.remove()
	return true
}

// abandon forgets what is kept of an execution that was cancelled.
func (t *tree) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove()
}

// remove removes what is kept, if anything is. The lock is held.
func (t *tree) remove() {
	if t.saved {
		t.saved = false
		t.root.forget()
	}
}
