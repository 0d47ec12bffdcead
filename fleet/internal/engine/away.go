package engine

import "time"

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

// grant does what a device wants of its session.
func (s *shard) grant(i int32) {
	d := &s.sessions[i]
	w := d.wish
	d.wish = stay
	switch {
	case w == join && d.state == away:
		s.stats.Away--
		s.e.wanted.Add(1)
		d.state = queued
		s.queue.push(i)
	case w == leave && d.state != away:
		s.depart(i)
	case (w == again || w == cut) && d.state >= opening && d.state <= online:
		s.restart(i, w == again)
		return
	}
	s.time(i)
}

// depart ends a device's session, or its attempts at one.
func (s *shard) depart(i int32) {
	d := &s.sessions[i]
	switch d.state {
	case queued:
		s.queue.drop(i)
	case offline:
	default:
		s.goodbye(i)
		s.drop(i)
	}
	s.held(d, s.e.now())
	d.state, d.fails = away, 0
	s.stats.Away++
	if s.e.wanted.Add(-1); s.e.online.Load() == s.e.wanted.Load() {
		s.e.complete(s.e.now())
	}
}

// complete notes the first time at which all devices that are not away were connected.
func (e *Engine) complete(now int64) {
	if e.wanted.Load() > 0 {
		e.full.CompareAndSwap(0, now)
	}
}
