//go:build faults && linux

package faults

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pithings/test/faults/ledger"
)

// client is what one client of the broker's produced and what arrived of it:
// streams of messages that are numbered each for itself.
type client struct {
	mu      sync.Mutex
	streams map[string]*stream
	safe    int
	news    int       // different messages that arrived
	arrived []uint64  // all arrivals; each message by the rank of its first one
	latest  time.Time // the last first arrival
}

type stream struct {
	safe, arrived []uint64
	rank          map[uint64]uint64
}

func newClient() *client { return &client{streams: map[string]*stream{}} }

func (c *client) stream(name string) *stream {
	s := c.streams[name]
	if s == nil {
		s = &stream{rank: map[uint64]uint64{}}
		c.streams[name] = s
	}
	return s
}

// wasSafe notes that the producer has the answer that a message is safe.
func (c *client) wasSafe(name string, n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stream(name)
	s.safe = append(s.safe, n)
	c.safe++
}

// hasArrived notes an arrival at the watcher.
func (c *client) hasArrived(name string, n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stream(name)
	s.arrived = append(s.arrived, n)
	rank, again := s.rank[n]
	if !again {
		rank = uint64(c.news)
		s.rank[n] = rank
		c.news++
		c.latest = time.Now()
	}
	c.arrived = append(c.arrived, rank)
}

// backlog is how many messages were reported safe and have not arrived. It is
// a little less if messages arrived that were not reported safe.
func (c *client) backlog() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.safe - c.news
}

// last returns when a message arrived for the first time, the latest such moment.
func (c *client) last() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest
}

// missing is how many safe messages have not arrived.
func (c *client) missing() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		for _, number := range s.safe {
			if _, ok := s.rank[number]; !ok {
				n++
			}
		}
	}
	return n
}

// check compares what was safe with what arrived, for each stream, and the
// repetitions of all together with the sessions that there were.
func (c *client) check(t *testing.T, name string, p ledger.Promise) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for s, m := range c.streams {
		if _, err := ledger.Check(m.safe, m.arrived, p); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s, err))
		}
	}
	r, err := ledger.Check(nil, c.arrived, p)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Errorf("%s, %d sessions with a window of %d:\n%v", name, p.Sessions, p.Window, err)
	}
	t.Logf("%s: %d safe messages in %d streams; %d sessions; arrived: %v", name, c.safe, len(c.streams), p.Sessions, r)
}
