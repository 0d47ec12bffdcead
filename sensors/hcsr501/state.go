package hcsr501

import "time"

// state turns samples of the line into events. It waits for nothing, and knows
// no time but that of the samples.
type state struct {
	opts  Opts
	ready time.Time
	tell  func(Event)

	warm   bool
	level  bool      // the level that counts
	rose   time.Time // when it last went high
	fell   time.Time // when it last went low
	other  bool      // the line was last seen at the other level,
	since  time.Time // from then on without a break
	motion bool      // reported
	stuck  bool      // reported
}

// start tells of the warm-up, if there is one left.
func (s *state) start(now time.Time) {
	if left := s.ready.Sub(now); left > 0 {
		s.tell(Event{Kind: WarmingUp, Time: now, Remaining: left})
	} else {
		s.warm = true
	}
}

// step takes a sample.
func (s *state) step(now time.Time, high bool) {
	switch {
	case high == s.level:
		s.other = false
	case !s.other:
		s.other, s.since = true, now
	}
	// In the order in which it happened: a level from before the end of the
	// warm-up comes before that.
	if s.settled(now) && s.since.Before(s.ready) {
		s.accept()
	}
	if !s.warm && !now.Before(s.ready) {
		s.warm = true
		s.tell(Event{Kind: Ready, Time: s.ready})
	}
	s.finish(now)
	s.begin()
	if s.settled(now) {
		s.accept()
		s.begin()
		s.finish(now)
	}
	if s.sticks() && !now.Before(s.limit()) {
		s.stuck = true
		s.tell(Event{Kind: Stuck, Time: s.limit()})
	}
}

// next is when step has something to do even if the line stays as it is.
func (s *state) next() (at time.Time, ok bool) {
	consider := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if !s.warm {
		consider(s.ready)
	}
	if s.other {
		consider(s.since.Add(s.opts.Debounce))
	}
	if s.motion && !s.level && !s.prolongs() {
		consider(s.end())
	}
	if s.sticks() {
		consider(s.limit())
	}
	return at, ok
}

// settled tells that the line has had the other level for long enough.
func (s *state) settled(now time.Time) bool {
	return s.other && now.Sub(s.since) >= s.opts.Debounce
}

// accept lets the other level count.
func (s *state) accept() {
	s.level, s.other = !s.level, false
	if s.level {
		s.rose = s.since
		return
	}
	s.fell = s.since
	if s.stuck {
		s.stuck = false
		s.tell(Event{Kind: Unstuck, Time: s.since})
	}
}

// begin reports motion if the line is high after the warm-up; a fall from before
// its end that is not settled yet leaves that open.
func (s *state) begin() {
	if !s.warm || !s.level || s.motion || s.other && s.since.Before(s.ready) {
		return
	}
	s.motion = true
	t := s.rose
	if t.Before(s.ready) {
		t = s.ready
	}
	s.tell(Event{Kind: Began, Time: t})
}

// finish reports the end of motion when the hold time is over.
func (s *state) finish(now time.Time) {
	if s.motion && !s.level && !now.Before(s.end()) && !s.prolongs() {
		s.motion = false
		s.tell(Event{Kind: Ended, Time: s.end()})
	}
}

// end is when the motion ends unless the line rises before.
func (s *state) end() time.Time { return s.fell.Add(s.opts.Hold) }

// prolongs tells that the line rose before the motion's end; whether that
// counts is not settled.
func (s *state) prolongs() bool { return s.other && s.since.Before(s.end()) }

// sticks tells that the line will be stuck at the limit. A fall before the limit
// that is not settled yet leaves that open.
func (s *state) sticks() bool {
	return s.opts.StuckHigh > 0 && s.warm && s.level && !s.stuck &&
		!(s.other && s.since.Before(s.limit()))
}

// limit is when the line is high for too long, which is not told during the
// warm-up.
func (s *state) limit() time.Time {
	t := s.rose.Add(s.opts.StuckHigh)
	if t.Before(s.ready) {
		return s.ready
	}
	return t
}
