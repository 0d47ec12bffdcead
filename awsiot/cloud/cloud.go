package cloud

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"pithings/awsiot/cloud/internal/fleet"
	"pithings/awsiot/cloud/internal/store"
	"pithings/mqttlink"
)

// Options are what a cloud needs.
type Options struct {
	// Client is the connection to the broker. It must be allowed to subscribe to the
	// requests of all things, and to publish the answers.
	Client mqttlink.Client
	// Dir is the folder of the state; "" keeps it in memory.
	Dir string
	// MaxBytes bounds the state, in bytes of memory and, four times, of the disk. 0 is
	// [DefaultBytes].
	MaxBytes int64
	// ShadowRate is how many shadow requests of a thing are served in a second. 0 is
	// AWS's 20, below that there is no limit.
	ShadowRate int
	// Templates are those of fleet provisioning, which is off without one.
	Templates []Template
	// CreateKeys allows devices to have their keys made by the cloud. AWS sends a key to the
	// device alone; another broker sends it to whoever may subscribe to the topic. Without
	// it devices send a certificate signing request.
	CreateKeys bool
	// CACert and CAKey are the authority that signs devices' certificates, in PEM. nil is
	// one of the cloud's own, ca.pem and ca.key in Dir.
	CACert, CAKey []byte
	// Log is for what the cloud does. Others cause most of its lines: bound it with
	// quietlog.Limit. nil discards them.
	Log *slog.Logger
}

// DefaultBytes bounds the state unless Options.MaxBytes does: some 20,000 shadows of 1 KB
// with their metadata.
const DefaultBytes = 64 << 20

// batch is how many requests are answered together at most.
const batch = 256

// Cloud serves the things at one broker.
type Cloud struct {
	o        Options
	log      *slog.Logger
	services []service

	mu    sync.Mutex // over all below, and the services
	store *store.Store
	timer chan struct{} // has one element if the time of the next work has changed
	next  time.Time     // not before this is the next work
}

// service is one of AWS's.
type service interface {
	// filters are those of its requests.
	filters() []string
	// answer handles a request, of which levels are the topic's. ok is false if it is no
	// request of this service.
	answer(levels []string, payload []byte, now time.Time) (r result, ok bool)
	// due is when the service has work without a request; zero if there is none.
	due() time.Time
	// work does it.
	work(now time.Time) []mqttlink.Message
	// reset forgets what is remembered beside the records, after changes were taken back.
	reset()
}

// result is the answer to a request.
type result struct {
	messages []mqttlink.Message
	// failed is the answer if what has changed could not be saved.
	failed []mqttlink.Message
}

// New makes a cloud. It owns the state folder until Close.
func New(o Options) (*Cloud, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultBytes
	}
	if o.CACert != nil { // before the state folder is made
		if _, err := fleet.ReadAuthority(o.CACert, o.CAKey); err != nil {
			return nil, err
		}
	}
	s, err := store.Open(o.Dir, o.MaxBytes)
	if err != nil {
		return nil, err
	}
	c := &Cloud{o: o, log: o.Log, store: s, timer: make(chan struct{}, 1)}
	if n := s.Damaged(); n > 0 {
		c.log.Warn("lines of the state are damaged and were dropped; after a power cut the last one is", "n", n, "dir", o.Dir)
	}
	documents := &shadows{c: c}
	c.services = []service{documents, &statuses{documents}, &jobService{c: c}, &reports{c}}
	if len(o.Templates) > 0 {
		p, err := newProvisioning(c)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		c.services = append(c.services, p)
	}
	c.reset()
	return c, nil
}

// Close ends the ownership of the state folder, after Run has returned.
func (c *Cloud) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.Close()
}

// Filters are those of the requests, which Run subscribes to.
func (c *Cloud) Filters() []string {
	var all []string
	for _, s := range c.services {
		all = append(all, s.filters()...)
	}
	return all
}

// Run serves until ctx is done. It may be called again after that.
func (c *Cloud) Run(ctx context.Context) error {
	requests := make(chan mqttlink.Message, batch)
	cancel, err := c.o.Client.SubscribeAll(c.Filters(), 1, func(ctx context.Context, m mqttlink.Message) {
		select {
		case requests <- m:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	var unsubscribed sync.WaitGroup
	unsubscribed.Go(func() { // while the loop below takes what a handler holds
		<-ctx.Done()
		cancel()
		close(requests)
	})
	defer unsubscribed.Wait()
	defer end()
	c.log.Info("serving things", "records", c.records())
	for {
		wake := time.NewTimer(c.wait())
		select {
		case m, open := <-requests:
			if !open {
				wake.Stop()
				return nil
			}
			c.serve(context.WithoutCancel(ctx), gather(m, requests))
		case <-wake.C:
			c.work(context.WithoutCancel(ctx))
		case <-c.timer:
		}
		wake.Stop()
	}
}

// records is how many there are. Jobs may be created from the beginning.
func (c *Cloud) records() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.Len()
}

// gather takes what else has arrived.
func gather(first mqttlink.Message, requests <-chan mqttlink.Message) []mqttlink.Message {
	all := []mqttlink.Message{first}
	for len(all) < batch {
		select {
		case m, open := <-requests:
			if !open {
				return all
			}
			all = append(all, m)
		default:
			return all
		}
	}
	return all
}

// idle is how long Run sleeps at most.
const idle = time.Hour

// wait returns how long it is until a service has work. What cannot be done is tried again
// after a second.
func (c *Cloud) wait() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := idle
	for _, s := range c.services {
		if at := s.due(); !at.IsZero() {
			wait = min(wait, time.Until(at))
		}
	}
	return max(wait, time.Until(c.next), 0)
}

// earliest is the first of some times in seconds since 1970; zero if there is none.
func earliest(all map[string]int64) time.Time {
	first := int64(0)
	for _, at := range all {
		if first == 0 || at < first {
			first = at
		}
	}
	if first == 0 {
		return time.Time{}
	}
	return time.Unix(first, 0)
}

func (c *Cloud) work(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = time.Now().Add(time.Second)
	var messages []mqttlink.Message
	for _, s := range c.services {
		messages = append(messages, s.work(time.Now())...)
	}
	if err := c.store.Commit(); err != nil {
		c.log.Error("state not saved", "err", err)
		c.reset()
		return
	}
	c.publish(ctx, messages)
}

// serve answers requests in their order, when all that they change is saved.
func (c *Cloud) serve(ctx context.Context, requests []mqttlink.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var results []result
	for _, m := range requests {
		levels := strings.Split(m.Topic, "/") // two at least, as all filters have
		for _, s := range c.services {
			if r, ok := s.answer(levels, m.Payload, time.Now()); ok {
				results = append(results, r)
				break
			}
		}
	}
	err := c.store.Commit()
	if err != nil {
		c.log.Error("state not saved, requests are refused", "n", len(results), "err", err)
		c.reset()
	}
	for _, r := range results {
		if err != nil {
			r.messages = r.failed
		}
		c.publish(ctx, r.messages)
	}
}

// commit saves a change that no request has caused, and publishes what follows from it.
func (c *Cloud) commit(ctx context.Context, messages []mqttlink.Message) error {
	if err := c.store.Commit(); err != nil {
		c.reset()
		return err
	}
	select {
	case c.timer <- struct{}{}:
	default:
	}
	return c.publish(ctx, messages)
}

func (c *Cloud) reset() {
	for _, s := range c.services {
		s.reset()
	}
}

func (c *Cloud) publish(ctx context.Context, messages []mqttlink.Message) error {
	var all error
	for _, m := range messages {
		if err := c.o.Client.Publish(ctx, m); err != nil {
			c.log.Warn("answer not published", "topic", m.Topic, "err", err)
			all = errors.Join(all, err)
		}
	}
	return all
}

// message is one of the service's own.
func message(topic string, payload []byte) mqttlink.Message {
	return mqttlink.Message{Topic: topic, Payload: payload, QoS: 1}
}
