package hcsr501

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"
)

// ErrHalted is returned by Watch when Halt was called.
var ErrHalted = errors.New("halted")

// Opts defines the options of the device. A duration that is zero or negative
// means none, except Poll.
type Opts struct {
	// WarmUp is the time after New in which the sensor is not believed.
	WarmUp time.Duration
	// Debounce is how long a level must last to count, at most 10 s.
	Debounce time.Duration
	// Hold is how long the line must be low for motion to end.
	Hold time.Duration
	// Poll is the longest time between two looks at the line, 1 ms to 1 s; 0
	// means 1 s. It bounds how late Watch notices the end of its context too.
	Poll time.Duration
	// StuckHigh is how long the line may be high before that is a fault.
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

// Kind is what an Event tells.
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
	// Stuck: the line is high for too long. Motion goes on until Ended.
	Stuck
	// Unstuck: a line that was stuck has fallen.
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
	// Time is when it happened, which is before Watch tells it: motion began
	// when the line was first seen high, not when it had been high for the
	// debounce time, and it ended when the hold time was over.
	Time time.Time
	// Remaining is how much longer the sensor warms up.
	Remaining time.Duration
}

// Dev is a handle to an HC-SR501.
type Dev struct {
	pin   gpio.PinIn
	pull  gpio.Pull
	opts  Opts
	ready time.Time // end of the warm-up

	watching atomic.Bool
	halt     sync.Once
	halted   chan struct{}
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
	d := &Dev{pin: p, pull: gpio.PullDown, opts: o, halted: make(chan struct{})}
	if err := d.configure(); err != nil {
		// The sensor drives its output both ways: a pull-down is welcome, not
		// necessary.
		d.pull = gpio.PullNoChange
		if d.configure() != nil {
			return nil, err
		}
	}
	d.ready = time.Now().Add(o.WarmUp)
	return d, nil
}

func (d *Dev) configure() error {
	if err := d.pin.In(d.pull, gpio.BothEdges); err != nil {
		return fmt.Errorf("hcsr501: %s: %w", d.pin.Name(), err)
	}
	return nil
}

// String returns the sensor and its pin.
func (d *Dev) String() string { return fmt.Sprintf("HC-SR501{%s}", d.pin.Name()) }

// Detected tells whether the line is high at this moment, whatever the options.
func (d *Dev) Detected() bool { return bool(d.pin.Read()) }

// Halt ends Watch and releases the pin. It may be called twice.
func (d *Dev) Halt() error {
	var err error
	d.halt.Do(func() {
		close(d.halted)
		if err = d.pin.Halt(); err != nil {
			err = fmt.Errorf("hcsr501: %s: %w", d.pin.Name(), err)
		}
	})
	return err
}

func (d *Dev) isHalted() bool {
	select {
	case <-d.halted:
		return true
	default:
		return false
	}
}

// Watch calls tell for each event, in the caller's goroutine and in order, until
// ctx ends, Halt is called or the line has gone. It returns ctx's error,
// ErrHalted, or what the pin says. It starts from "no motion" each time. tell
// should be quick: nothing is seen while it runs but the level after it.
//
// Only one Watch can run at a time.
func (d *Dev) Watch(ctx context.Context, tell func(Event)) error {
	if d.watching.Swap(true) {
		return fmt.Errorf("hcsr501: %s: somebody is watching already", d.pin.Name())
	}
	defer d.watching.Store(false)
	w := watcher{Dev: d, checked: time.Now()}
	s := state{opts: d.opts, ready: d.ready, tell: tell}
	s.start(time.Now())
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.isHalted() {
			return fmt.Errorf("hcsr501: %s: %w", d.pin.Name(), ErrHalted)
		}
		level := d.pin.Read()
		now := time.Now()
		if err := w.fell(now, level); err != nil && !d.isHalted() {
			return err
		}
		s.step(now, bool(level))
		timeout := d.opts.Poll
		if at, ok := s.next(); ok {
			timeout = min(timeout, max(at.Sub(now), minWait))
		}
		if err := w.wait(ctx, timeout, level); err != nil && !d.isHalted() {
			return err
		}
	}
}

var _ conn.Resource = &Dev{}
