package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"pithings/mqttlink"
)

// Link is what provisioning needs of a connection. *Conn is one.
type Link interface {
	mqttlink.Client
	// Await returns when the broker has accepted the subscriptions to filters, or why it does not.
	Await(ctx context.Context, filters ...string) error
	// Trouble is what was last wrong with the connection; "" if nothing is.
	Trouble() string
}

// failsAfter is how many attempts to connect may fail before a connection that never stood is
// dropped: a claim that is refused is refused again.
const failsAfter = 3

// Conn is a connection that is made for provisioning, and ends after it.
type Conn struct {
	*mqttlink.Link
	stop  context.CancelFunc
	ended chan struct{}

	mu      sync.Mutex
	err     error // of Run, or why it is useless to wait
	taken   []string
	refused []string
	up      bool          // it has stood
	changed chan struct{} // closed, and made anew, when one of these changes
}

// Connect begins a connection with options, of which it sets OnState and OnSuback. It does not
// wait for the broker.
func Connect(ctx context.Context, o mqttlink.Options) (*Conn, error) {
	c := &Conn{ended: make(chan struct{}), changed: make(chan struct{})}
	o.OnSuback = c.answered
	o.OnState = c.state
	link, err := mqttlink.New(o)
	if err != nil {
		return nil, err
	}
	c.Link = link
	ctx, c.stop = context.WithCancel(ctx)
	go func() {
		defer close(c.ended)
		err := link.Run(ctx)
		c.change(func() { c.err = errors.Join(c.err, err, ctx.Err()) })
	}()
	return c, nil
}

// Close ends the connection.
func (c *Conn) Close() {
	c.stop()
	<-c.ended
}

func (c *Conn) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Conn) answered(filters, refused []string) {
	c.change(func() {
		c.taken = append(c.taken, filters...)
		c.refused = append(c.refused, refused...)
	})
}

func (c *Conn) state(s mqttlink.State) {
	switch s {
	case mqttlink.Online:
		c.change(func() { c.up = true })
	case mqttlink.Offline:
		stats := c.Stats()
		c.change(func() {
			if !c.up && c.err == nil && stats.Attempts >= failsAfter {
				c.err = fmt.Errorf("no connection after %d attempts: %s", stats.Attempts, stats.LastError)
			}
		})
	}
}

// wait waits until done, which is called with c.mu held, or it is useless.
func (c *Conn) wait(ctx context.Context, done func() (bool, error)) error {
	for {
		c.mu.Lock()
		ok, err := done()
		if !ok && err == nil {
			err = c.err
		}
		changed := c.changed
		c.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if why := c.Trouble(); why != "" {
				return fmt.Errorf("%w: %s", context.Cause(ctx), why)
			}
			return fmt.Errorf("%w: no answer from %s", context.Cause(ctx), c.Endpoint())
		}
	}
}

// Await implements Link.
func (c *Conn) Await(ctx context.Context, filters ...string) error {
	return c.wait(ctx, func() (bool, error) {
		all := true
		for _, f := range filters {
			if slices.Contains(c.refused, f) {
				return false, fmt.Errorf("the broker refuses the subscription to %s: allow it in the policy of the claim (iot:Subscribe)", f)
			}
			all = all && slices.Contains(c.taken, f)
		}
		return all, nil
	})
}

// Online waits until the connection stands.
func (c *Conn) Online(ctx context.Context) error {
	return c.wait(ctx, func() (bool, error) { return c.up, nil })
}

// Trouble implements Link.
func (c *Conn) Trouble() string { return c.Stats().LastError }
