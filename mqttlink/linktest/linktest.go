// Package linktest is a link without a network, for tests of what stands above
// it. A Client behaves as a *mqttlink.Link connected to an ideal broker: it
// delivers what is published to its own subscribers, keeps retained messages,
// calls each handler in order on a goroutine of its own, and refuses what a Link
// would refuse. Beyond that it remembers everything that was published.
package linktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"pithings/mqttlink"
	"pithings/mqttlink/internal/inbox"
	"pithings/mqttlink/topic"
)

// Client is an in-memory mqttlink.Client with a broker inside.
type Client struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu        sync.Mutex
	subs      []*subscription
	retained  map[string]mqttlink.Message
	published []mqttlink.Message
	fail      error
	changed   chan struct{} // closed, and made anew, at each publication
}

type subscription struct {
	filters []string
	inbox   *inbox.Inbox[mqttlink.Message]
}

var _ mqttlink.Client = (*Client)(nil)

// New returns a client. Close it when the test ends.
func New() *Client {
	c := &Client{retained: make(map[string]mqttlink.Message), changed: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close ends all subscriptions and waits for handlers that are running.
func (c *Client) Close() {
	c.cancel()
	c.mu.Lock()
	subs := c.subs
	c.subs = nil
	c.mu.Unlock()
	for _, s := range subs {
		s.inbox.Stop()
	}
}

// Publish implements mqttlink.Client.
func (c *Client) Publish(ctx context.Context, m mqttlink.Message) error {
	if err := errors.Join(ctx.Err(), check(m)); err != nil {
		return err
	}
	if c.ctx.Err() != nil {
		return mqttlink.ErrEnded
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return fmt.Errorf("publish to %s: %w", m.Topic, c.fail)
	}
	m.Payload = slices.Clone(m.Payload)
	c.published = append(c.published, m)
	c.deliver(m)
	if m.Delivered != nil {
		m.Delivered()
	}
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// Inject delivers m as if another client had published it: it reaches the
// handlers, but does not count as published.
func (c *Client) Inject(m mqttlink.Message) error {
	if err := check(m); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deliver(m)
	return nil
}

// FailPublish makes every Publish fail with err from now on; nil ends that.
func (c *Client) FailPublish(err error) {
	c.mu.Lock()
	c.fail = err
	c.mu.Unlock()
}

func check(m mqttlink.Message) error {
	if m.QoS > 1 {
		return fmt.Errorf("publish to %s: %w", m.Topic, mqttlink.ErrQoS)
	}
	if err := m.TimeField.Check(m.Payload); err != nil {
		return fmt.Errorf("publish to %s: %w", m.Topic, err)
	}
	return topic.Check(m.Topic)
}

// deliver does what a broker does with a message. c.mu is held.
func (c *Client) deliver(m mqttlink.Message) {
	switch {
	case m.Retain && len(m.Payload) == 0:
		delete(c.retained, m.Topic)
	case m.Retain:
		kept := m
		kept.Payload = slices.Clone(m.Payload)
		c.retained[m.Topic] = kept
	}
	m.Retain = false // only what was kept arrives so marked (MQTT 3.1.1 section 3.3.1.3)
	for _, s := range c.subs {
		if s.matches(m.Topic) {
			s.offer(m)
		}
	}
}

func (s *subscription) offer(m mqttlink.Message) {
	m.Payload = slices.Clone(m.Payload)
	s.inbox.Offer(m)
}

// Subscribe implements mqttlink.Client.
func (c *Client) Subscribe(filter string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	return c.SubscribeAll([]string{filter}, qos, h)
}

// SubscribeAll implements mqttlink.Client.
func (c *Client) SubscribeAll(filters []string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	for _, f := range filters {
		if err := topic.CheckFilter(f); err != nil {
			return nil, err
		}
		if qos > 1 {
			return nil, fmt.Errorf("subscribe to %s: %w", f, mqttlink.ErrQoS)
		}
	}
	if c.ctx.Err() != nil {
		return nil, mqttlink.ErrEnded
	}
	size := func(m mqttlink.Message) int { return len(m.Payload) }
	s := &subscription{filters: slices.Clone(filters), inbox: inbox.New(c.ctx, 1<<16, 1<<30, size, h)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subs = append(c.subs, s)
	for _, topic := range slices.Sorted(maps.Keys(c.retained)) {
		if s.matches(topic) {
			s.offer(c.retained[topic])
		}
	}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		c.subs = slices.DeleteFunc(c.subs, func(x *subscription) bool { return x == s })
		c.mu.Unlock()
		s.inbox.Stop()
	}), nil
}

func (s *subscription) matches(name string) bool {
	return slices.ContainsFunc(s.filters, func(f string) bool { return topic.Match(f, name) })
}

// Published returns what was published on topics that match filter, in order.
func (c *Client) Published(filter string) []mqttlink.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.match(filter)
}

func (c *Client) match(filter string) []mqttlink.Message {
	var found []mqttlink.Message
	for _, m := range c.published {
		if topic.Match(filter, m.Topic) {
			m.Payload = slices.Clone(m.Payload)
			found = append(found, m)
		}
	}
	return found
}

// WaitFor waits until n messages have been published on topics that match
// filter, counted from the beginning or the last Forget, and returns the n-th.
func (c *Client) WaitFor(ctx context.Context, filter string, n int) (mqttlink.Message, error) {
	for {
		c.mu.Lock()
		found, changed := c.match(filter), c.changed
		c.mu.Unlock()
		if n > 0 && len(found) >= n {
			return found[n-1], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return mqttlink.Message{}, fmt.Errorf("%d of %d messages on %s: %w", len(found), n, filter, ctx.Err())
		}
	}
}

// Forget empties the memory of what was published.
func (c *Client) Forget() {
	c.mu.Lock()
	c.published = nil
	c.mu.Unlock()
}

// Subscribed reports whether a subscriber is subscribed to exactly this filter.
func (c *Client) Subscribed(filter string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.subs, func(s *subscription) bool { return slices.Contains(s.filters, filter) })
}

// Transcript returns what was published as lines "topic payload", the form in
// which mosquitto_sub -v prints it.
func (c *Client) Transcript() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, m := range c.published {
		lines = append(lines, m.Topic+" "+string(m.Payload))
	}
	return lines
}
