package agent

import "sync"

// changes notifies those who wait that something has changed. The zero value is ready to use.
type changes struct {
	mu   sync.Mutex
	next chan struct{} // closed at the next change; nil: none waits
}

func (c *changes) note() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
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
