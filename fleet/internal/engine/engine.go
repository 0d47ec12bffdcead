package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Engine runs devices.
type Engine struct {
	o      Options
	start  time.Time
	shards []*shard

	addresses atomic.Pointer[[]netip.AddrPort]
	doubted   chan struct{} // has a token when connections fail
	running   chan struct{} // is closed when Do is of use
	online    atomic.Int64  // devices
	wanted    atomic.Int64  // devices that are not away
	ramp      ramp
	full      atomic.Int64 // when all of them were for the first time; 0: not yet
}

// New makes the devices. They connect when Run is called.
func New(o Options) (*Engine, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	e := &Engine{o: o, start: time.Now(), doubted: make(chan struct{}, 1), running: make(chan struct{})}
	e.ramp.set(o.Ramp)
	n := o.Shards
	if n <= 0 {
		n = min(runtime.GOMAXPROCS(0), 1+o.Devices/perShard)
	}
	n = min(n, o.Devices, maxOpening)
	e.shards = make([]*shard, n) // its length is asked for by each
	for i := range n {
		from, to := o.Devices*i/n, o.Devices*(i+1)/n
		e.shards[i] = newShard(e, from, to-from, i)
		e.wanted.Add(int64(to - from - e.shards[i].stats.Away))
	}
	return e, nil
}

// now is the time since the start, in nanoseconds.
func (e *Engine) now() int64 { return int64(time.Since(e.start)) }

// Now is the time that clients are given.
func (e *Engine) Now() time.Duration { return time.Since(e.start) }

// Run connects the devices and keeps them connected until ctx is done. Then it ends their
// sessions, with a second for messages that are not acknowledged.
func (e *Engine) Run(ctx context.Context) error {
	all, err := e.o.Addresses(ctx)
	if err == nil && len(all) == 0 {
		err = errors.New("the broker has no address")
	}
	if err != nil {
		return err
	}
	e.addresses.Store(&all)
	for i, s := range e.shards {
		s.mu.Lock() // from Do
		s.carrier, err = newCarrier(s)
		s.mu.Unlock()
		if err != nil {
			for _, s := range e.shards[:i] {
				s.carrier.end()
			}
			return fmt.Errorf("engine: %w", err)
		}
	}
	close(e.running)
	var running sync.WaitGroup
	running.Go(func() { e.refresh(ctx) })
	for _, s := range e.shards {
		running.Go(func() { s.run(ctx) })
	}
	running.Wait()
	return nil
}

// Running is closed when Run has begun, and what is done by Do is done.
func (e *Engine) Running() <-chan struct{} { return e.running }

// newCarrier is the best carrier for a shard.
func newCarrier(s *shard) (carrier, error) {
	if s.e.o.TLS == nil && !s.e.o.portable {
		if c, err := newEpoll(s); c != nil || err != nil {
			return c, err
		}
	}
	return newStreams(s), nil
}

// address is where a device connects to. Devices are dealt out over all addresses, and each takes the
// next one when it has failed at one.
func (s *shard) address(i int32) netip.AddrPort {
	all := *s.e.addresses.Load()
	return all[(s.first+int(i)+int(s.sessions[i].passed))%len(all)]
}

// Do calls f for a device, as a call of one of its Client's methods: it may publish if there is a
// session, and have the session ended, renewed or begun. It may be called by any goroutine while
// Run runs, and not by a Client.
func (e *Engine) Do(device int, f func(now time.Duration, out Out)) {
	s := e.shardOf(device)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := int32(device - s.first)
	if s.carrier == nil || s.ending || s.sessions[i].state == over {
		return
	}
	before := s.step()
	f(time.Duration(s.e.now()), s.of(i))
	s.flush(i)
	if s.step() < before {
		s.carrier.wake()
	}
}

// shardOf returns the shard of a device.
func (e *Engine) shardOf(device int) *shard {
	for _, s := range e.shards {
		if device < s.first+len(s.sessions) {
			return s
		}
	}
	panic("engine: a device that there is not")
}

// complete notes the first time at which all devices that are not away were connected.
func (e *Engine) complete(now int64) {
	if e.wanted.Load() > 0 {
		e.full.CompareAndSwap(0, now)
	}
}

// doubt notes that a connection has failed: the broker may have moved.
func (e *Engine) doubt() {
	select {
	case e.doubted <- struct{}{}:
	default:
	}
}

// refresh looks up the broker again when connections fail, now and then.
func (e *Engine) refresh(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(refreshTime):
		}
		select {
		case <-ctx.Done():
			return
		case <-e.doubted:
		}
		if all, err := e.o.Addresses(ctx); err == nil && len(all) > 0 {
			e.addresses.Store(&all)
		}
	}
}

// Stats returns what has been done so far.
func (e *Engine) Stats() Stats {
	all := Stats{Everyone: time.Duration(e.full.Load())}
	for _, s := range e.shards {
		s.mu.Lock()
		all.add(&s.stats)
		s.mu.Unlock()
	}
	return all
}

// SetRamp changes how many connections are opened in a second, at most, from now on. It may be called
// at any time.
func (e *Engine) SetRamp(perSecond float64) {
	e.ramp.set(perSecond)
	for _, s := range e.shards {
		s.mu.Lock()
		before := s.step()
		s.turn = min(s.turn, e.now()+e.ramp.gap(len(e.shards))) // it may have had long to wait
		if s.carrier != nil && s.step() < before {
			s.carrier.wake()
		}
		s.mu.Unlock()
	}
}
