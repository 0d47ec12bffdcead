package hcsr501

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"

	"pithings/sensors/internal/line"
)

// ErrHalted is returned by Watch when Halt was called.
var ErrHalted = line.ErrHalted

// Opts defines the options of the device. A duration that is zero or negative
// means none, except Poll.
type Opts struct {
	// WarmUp is the time after New in which the sensor is not trusted.
	WarmUp time.Duration
	// Debounce is how long a level must last to count, at most 10 s.
	Debounce time.Duration
	// Hold is how long the line must be low for motion to end.
	Hold time.Duration
	// Poll is the longest time between two looks at the line, 1 ms to 1 s; 0
	// means 1 s. It bounds how late Watch notices the end of its context too.
	Poll time.Duration
	// StuckHigh is how long motion may last, from Began on, before that is a
	// fault.
	StuckHigh time.Duration
}

// DefaultOpts are the options used when New is given none.
var DefaultOpts = Opts{
	WarmUp:    time.Minute,
	Debounce:  50 * time.Millisecond,
	Poll:      maxPoll,
	StuckHigh: 10 * time.Minute,
}

const (
	minPoll     = time.Millisecond
	maxPoll     = time.Second
	maxDebounce = 10 * time.Second
)

// normal returns o with its defaults, or an error.
func (o Opts) normal() (Opts, error) {
	if o.Poll == 0 {
		o.Poll = maxPoll
	}
	if o.Poll < minPoll || o.Poll > maxPoll {
		return o, fmt.Errorf("hcsr501: Opts.Poll is %s; use %s to %s", o.Poll, minPoll, maxPoll)
	}
	if o.Debounce > maxDebounce {
		return o, fmt.Errorf("hcsr501: Opts.Debounce is %s; use at most %s", o.Debounce, maxDebounce)
	}
	for _, d := range []*time.Duration{&o.WarmUp, &o.Debounce, &o.Hold, &o.StuckHigh} {
		*d = max(*d, 0)
	}
	return o, nil
}

// Kind is what an Event reports.
type Kind uint8

// Kinds of events.
const (
	// WarmingUp is the first event when there is a warm-up; Event.Remaining is
	// the rest of it.
	WarmingUp Kind = iota + 1
	// Ready: the warm-up is over.
	Ready
	// Began: motion was detected.
	Began
	// Ended: there is no motion any more.
	Ended
	// Stuck: motion lasts too long, because the line is always high or never
	// low for Opts.Hold. Motion continues until Ended.
	Stuck
	// Unstuck: motion that was Stuck is about to end; Ended follows.
	Unstuck
)

// String returns the kind in words: "motion began".
func (k Kind) String() string {
	switch k {
	case WarmingUp:
		return "warming up"
	case Ready:
		return "ready"
	case Began:
		return "motion began"
	case Ended:
		return "motion ended"
	case Stuck:
		return "stuck high"
	case Unstuck:
		return "no longer stuck"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Event is something that happened to the sensor.
type Event struct {
	Kind Kind
	// Time is when it happened, which is before Watch reports it: motion began
	// when the line was first seen high, not when it had been high for the
	// debounce time, and it ended when the hold time was over.
	Time time.Time
	// Remaining is how much longer the sensor warms up.
	Remaining time.Duration
}

// Dev is a handle to an HC-SR501.
type Dev struct {
	pin   *line.Pin
	opts  Opts
	ready time.Time // end of the warm-up
}

// New returns an object that reads an HC-SR501 on pin p, which it configures as
// an input with both edges and, if the pin can, a pull-down: a sensor that is
// not connected is quiet. opts may be nil for DefaultOpts; they are copied.
//
// The warm-up begins now. Call Halt when done.
func New(p gpio.PinIn, opts *Opts) (*Dev, error) {
	if opts == nil {
		opts = &DefaultOpts
	}
	o, err := opts.normal()
	if err != nil {
		return nil, err
	}
	// The sensor drives its output both ways: a pull-down is welcome, not necessary.
	pin, err := line.NewPin("hcsr501", p, gpio.PullDown, true)
	if err != nil {
		return nil, err
	}
	return &Dev{pin, o, time.Now().Add(o.WarmUp)}, nil
}

// String returns the sensor and its pin.
func (d *Dev) String() string { return fmt.Sprintf("HC-SR501{%s}", d.pin.Name()) }

// Detected reports whether the line is high at this moment, whatever the options.
func (d *Dev) Detected() bool { return bool(d.pin.Read()) }

// Halt ends Watch and releases the pin. It may be called twice.
func (d *Dev) Halt() error { return d.pin.Halt() }

// Watch calls tell for each event, in the caller's goroutine and in order, until
// ctx ends, Halt is called or the line has gone. It returns ctx's error,
// ErrHalted, or what the pin says. It starts from "no motion" each time. tell
// should be quick: nothing is seen while it runs but the level after it.
//
// Only one Watch can run at a time.
func (d *Dev) Watch(ctx context.Context, tell func(Event)) error {
	w, end, err := d.pin.Watch()
	if err != nil {
		return err
	}
	defer end()
	s := state{opts: d.opts, ready: d.ready, tell: tell}
	s.start(time.Now())
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.pin.Halted(); err != nil {
			return err
		}
		level := d.pin.Read()
		now := time.Now()
		if err := w.Fell(now, level); err != nil && d.pin.Halted() == nil {
			return err
		}
		s.step(now, bool(level))
		timeout := d.opts.Poll
		if at, ok := s.next(); ok {
			timeout = min(timeout, max(at.Sub(now), line.MinWait))
		}
		if _, err := w.Wait(ctx, timeout, level); err != nil && d.pin.Halted() == nil {
			return err
		}
	}
}

var _ conn.Resource = &Dev{}

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
	began  time.Time // when the line rose for it, maybe during the warm-up
	stuck  bool      // reported
}

// start reports the warm-up, if it is not over.
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

// settled reports that the line has had the other level for long enough.
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
}

// begin reports motion if the line is high after the warm-up; a fall from before
// its end that is not settled yet leaves that open.
func (s *state) begin() {
	if !s.warm || !s.level || s.motion || s.other && s.since.Before(s.ready) {
		return
	}
	s.motion, s.began = true, s.rose
	s.tell(Event{Kind: Began, Time: s.afterWarmUp(s.began)})
}

// finish reports the end of motion when the hold time is over.
func (s *state) finish(now time.Time) {
	if s.motion && !s.level && !now.Before(s.end()) && !s.prolongs() {
		s.motion = false
		if s.stuck {
			s.stuck = false
			s.tell(Event{Kind: Unstuck, Time: s.end()})
		}
		s.tell(Event{Kind: Ended, Time: s.end()})
	}
}

// end is when the motion ends unless the line rises before.
func (s *state) end() time.Time { return s.fell.Add(s.opts.Hold) }

// prolongs reports that the line rose before the motion's end; whether that
// counts is not settled.
func (s *state) prolongs() bool { return s.other && s.since.Before(s.end()) }

// sticks reports whether the motion lasts until its limit if the line stays as it is. It counts from Began and not
// from the last rise: a sensor that is low for less than the hold time again and again, for days, is as dead to its
// user as one that is always high.
//
// An end before the limit that is not settled yet leaves it open.
func (s *state) sticks() bool {
	if s.opts.StuckHigh <= 0 || !s.motion || s.stuck {
		return false
	}
	if s.level {
		return !s.other || !s.since.Add(s.opts.Hold).Before(s.limit())
	}
	return !s.end().Before(s.limit())
}

// limit is when the motion has lasted too long, which is not reported during the warm-up.
func (s *state) limit() time.Time { return s.afterWarmUp(s.began.Add(s.opts.StuckHigh)) }

// afterWarmUp is t, or the end of the warm-up if that comes later.
func (s *state) afterWarmUp(t time.Time) time.Time {
	if t.Before(s.ready) {
		return s.ready
	}
	return t
}
