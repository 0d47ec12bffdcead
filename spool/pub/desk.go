package pub

import (
	"context"
	"errors"
	"sync"

	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
)

// Desk takes messages for one connection.
type Desk struct {
	Link *mqttlink.Link
	Box  outbox.Box // the link's
}

// Fate is what has become of a message.
type Fate string

// The fates of messages.
const (
	Safe    Fate = "safe"    // it is on the disk
	Unsaved Fate = "held"    // in memory only, until the disk can be written again; Safe follows
	Refused Fate = "refused" // it was not taken, and never will be
)

// Verdict says what has become of the message with that number.
type Verdict struct {
	N    int
	Fate Fate
	Why  string // of a refusal, in one line
}

// counter numbers the messages of one stream from 1, and reports what becomes of
// each: the safe ones in order.
type counter struct {
	desk Desk
	tell func([]Verdict) // in order, never two at a time

	mu      sync.Mutex
	n       int       // messages so far
	waiting []stretch // those whose turn to be reported safe has not come
	changed sync.Cond // waiting has
}

// stretch is messages in a row, and the place of the last in the outbox.
type stretch struct {
	from, to int
	last     uint64
}

func newCounter(d Desk, tell func([]Verdict)) *counter {
	c := &counter{desk: d, tell: tell}
	c.changed.L = &c.mu
	return c
}

// put takes messages. An error says that the link or ctx has ended: what was not
// reported has not been taken.
func (c *counter) put(ctx context.Context, ms []mqttlink.Message) error {
	for len(ms) > 0 {
		a, err := c.desk.Link.PublishAll(ctx, ms)
		if a.N > 0 {
			unsaved := errors.Is(err, mqttlink.ErrUnsaved)
			if !unsaved {
				syncErr := c.desk.Box.Sync()
				if errors.Is(syncErr, outbox.ErrClosed) { // by a reload: the client hands them over again
					return syncErr
				}
				unsaved = syncErr != nil
			}
			c.took(a, unsaved)
		}
		if ms = ms[a.N:]; len(ms) == 0 {
			return nil
		}
		if errors.Is(err, mqttlink.ErrEnded) || ctx.Err() != nil {
			return err
		}
		c.mu.Lock()
		c.n++
		c.tell([]Verdict{{c.n, Refused, mqttlink.Explain(err)}})
		c.mu.Unlock()
		ms = ms[1:]
	}
	return nil
}

// took reports messages that are in the outbox.
func (c *counter) took(a outbox.Appended, unsaved bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := stretch{c.n + 1, c.n + a.N, a.Last}
	c.n += a.N
	if unsaved {
		c.tell(s.verdicts(Unsaved))
	}
	if !unsaved && len(c.waiting) == 0 {
		c.tell(s.verdicts(Safe))
		return
	}
	c.waiting = append(c.waiting, s)
	c.changed.Broadcast()
}

func (s stretch) verdicts(f Fate) []Verdict {
	vs := make([]Verdict, 0, s.to-s.from+1)
	for n := s.from; n <= s.to; n++ {
		vs = append(vs, Verdict{N: n, Fate: f})
	}
	return vs
}

// run reports messages that were unsaved when they have become safe, until ctx is
// done.
func (c *counter) run(ctx context.Context) {
	for c.await(ctx, func() bool { return len(c.waiting) > 0 }) {
		c.mu.Lock()
		next := c.waiting[0]
		c.mu.Unlock()
		if c.desk.Box.Safe(ctx, next.last) != nil {
			return
		}
		if err := c.desk.Box.Sync(); errors.Is(err, outbox.ErrUnsaved) {
			continue // unsaved again
		} else if err != nil {
			return
		}
		c.mu.Lock()
		c.tell(next.verdicts(Safe))
		c.waiting = c.waiting[1:]
		c.changed.Broadcast()
		c.mu.Unlock()
	}
}

// rest waits until all has been reported safe.
func (c *counter) rest(ctx context.Context) {
	c.await(ctx, func() bool { return len(c.waiting) == 0 })
}

// await waits until what, which is called with the lock held, is so. It returns
// false if ctx is done first.
func (c *counter) await(ctx context.Context, what func() bool) bool {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		c.changed.Broadcast()
		c.mu.Unlock()
	})
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !what() {
		if ctx.Err() != nil {
			return false
		}
		c.changed.Wait()
	}
	return ctx.Err() == nil
}
