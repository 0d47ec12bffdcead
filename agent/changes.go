package agent

import (
	"slices"
	"sync"
)

// changes notifies those who wait that something has changed. The zero value is ready to use.
type changes struct {
	mu    sync.Mutex
	next  chan struct{} // closed at the next change; nil: none waits
	calls []*func()     // at each change
}

func (c *changes) note() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
	for _, call := range c.calls {
		(*call)()
	}
}

// wait returns a channel that is closed at the next change.
func (c *changes) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

// follow calls call at each change, until stop. call returns at once.
func (c *changes) follow(call func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, &call)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls = slices.DeleteFunc(c.calls, func(one *func()) bool { return one == &call })
	}
}
