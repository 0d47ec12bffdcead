package button

import "time"

// state turns samples of the line into events. It waits for nothing, and knows no time
// but that of the samples. A press that bounces, with LongPress:
//
//	line      ____|‾|_|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|_|‾|________
//	counts    _______________|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|___
//	                  |--D---|               |---D--|    D: Debounce
//	                  |------ LongPress -|
//	events            On, Pressed        LongPress   at: when the line rose last before it
//	                                         Off, Released    settled, or fell
type state struct {
	opts Opts
	tell func(Event)

	known bool      // a level has counted
	on    bool      // the level that counts
	seen  bool      // the level of the last sample
	since time.Time // from then on without a break
	blind bool      // what led to the next level that counts was not seen

	began   time.Time // when on began to count
	pressed bool      // reported, and not released
	long    bool      // reported, or not to be
	first   time.Time // of two presses; zero when the next one is the first
	stuck   bool      // reported

	storm
}

// step takes a sample, and how many edges there were since the last one.
func (s *state) step(now time.Time, on bool, edges int) {
	switch first := s.since.IsZero(); {
	case first:
		s.seen, s.since, s.blind = on, now, true
	case on != s.seen:
		s.seen, s.since = on, now
		edges = max(edges, 1) // when it was not waited for
	}
	switch s.storm.step(now, edges, s.opts.Debounce) {
	case broke:
		s.tell(Event{Kind: Chatter, Time: now})
		s.blind, s.long, s.first = true, true, time.Time{}
	case calmed:
		s.tell(Event{Kind: Quiet, Time: now})
		s.since, s.began = now, now
	}
	if s.rages() {
		return
	}
	// In the order in which it happened.
	s.lasts(now)
	if s.unsettled() && now.Sub(s.since) >= s.opts.Debounce {
		s.accept()
		s.lasts(now)
	}
}

// next is when step has something to do even if the line stays as it is.
func (s *state) next() (at time.Time, ok bool) {
	if at, ok = s.storm.next(); ok {
		return at, true
	}
	consider := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if s.unsettled() {
		consider(s.since.Add(s.opts.Debounce))
	}
	if t := s.longAt(); s.longs() && s.stays(t) {
		consider(t)
	}
	if t := s.stuckAt(); s.sticks() && s.stays(t) {
		consider(t)
	}
	return at, ok
}

// unsettled reports whether the level that was seen has yet to count.
func (s *state) unsettled() bool { return !s.known || s.blind || s.seen != s.on }

// accept lets the level that was seen count.
func (s *state) accept() {
	blind, changed := s.blind, !s.known || s.seen != s.on
	s.known, s.on, s.blind = true, s.seen, false
	switch {
	case !changed:
	case s.on:
		s.rise(blind)
	default:
		s.fall()
	}
}

func (s *state) rise(blind bool) {
	s.began, s.long = s.since, blind
	s.tell(Event{Kind: On, Time: s.since})
	if blind {
		return
	}
	s.pressed = true
	s.tell(Event{Kind: Pressed, Time: s.since})
	if s.opts.DoublePress <= 0 {
		return
	}
	if s.first.IsZero() || s.since.Sub(s.first) > s.opts.DoublePress {
		s.first = s.since
		return
	}
	s.first = time.Time{}
	s.tell(Event{Kind: DoublePress, Time: s.since})
}

func (s *state) fall() {
	if s.stuck {
		s.stuck = false
		s.tell(Event{Kind: Unstuck, Time: s.since})
	}
	s.tell(Event{Kind: Off, Time: s.since})
	if s.pressed {
		s.pressed = false
		s.tell(Event{Kind: Released, Time: s.since})
	}
}

// lasts reports what has been on for long enough, the shorter time first.
func (s *state) lasts(now time.Time) {
	if s.opts.Stuck < s.opts.LongPress {
		s.lastsStuck(now)
		s.lastsLong(now)
		return
	}
	s.lastsLong(now)
	s.lastsStuck(now)
}

func (s *state) lastsLong(now time.Time) {
	if t := s.longAt(); s.longs() && s.stays(t) && !now.Before(t) {
		s.long = true
		s.tell(Event{Kind: LongPress, Time: t})
	}
}

func (s *state) lastsStuck(now time.Time) {
	if t := s.stuckAt(); s.sticks() && s.stays(t) && !now.Before(t) {
		s.stuck = true
		s.tell(Event{Kind: Stuck, Time: t})
	}
}

// longs and sticks report whether there is to be a LongPress or Stuck if the line stays
// on.
func (s *state) longs() bool  { return s.on && s.pressed && !s.long && s.opts.LongPress > 0 }
func (s *state) sticks() bool { return s.on && !s.stuck && s.opts.Stuck > 0 }

func (s *state) longAt() time.Time  { return s.began.Add(s.opts.LongPress) }
func (s *state) stuckAt() time.Time { return s.began.Add(s.opts.Stuck) }

// stays reports whether the line, which counts as on, does so until t. A fall before
// that is not settled leaves it open.
func (s *state) stays(t time.Time) bool { return s.seen || !s.since.Before(t) }
