package button

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"

	"pithings/sensors/internal/line"
)

// ErrHalted is returned by Watch when Halt was called.
var ErrHalted = line.ErrHalted

// Opts defines the options of the device. A duration that is zero or negative means
// none, except Poll.
type Opts struct {
	// Pull is the pull resistor of the pin. A pin that has none is an error; for
	// gpio.Float it is not.
	Pull gpio.Pull
	// ActiveLow says that the low level is on.
	ActiveLow bool
	// Debounce is how long a level must last to count, at most 10 s.
	Debounce time.Duration
	// LongPress is how long a press lasts to be a long one.
	LongPress time.Duration
	// DoublePress is how much later than the first the second press begins, at most.
	DoublePress time.Duration
	// Stuck is how long the line may be on before that is a fault.
	Stuck time.Duration
	// Poll is the longest time between two looks at the line, 1 ms to 1 s; 0
	// means 1 s. It bounds how late Watch notices the end of its context, too.
	Poll time.Duration
}

// DefaultOpts are the options used when New is given none: a button to ground.
var DefaultOpts = Opts{
	Pull:        gpio.PullUp,
	ActiveLow:   true,
	Debounce:    30 * time.Millisecond,
	LongPress:   800 * time.Millisecond,
	DoublePress: 400 * time.Millisecond,
	Poll:        maxPoll,
}

const (
	minPoll     = time.Millisecond
	maxPoll     = time.Second
	maxDebounce = 10 * time.Second
	// stale is how many edges a pin may have queued before it was left alone.
	stale = 32
)

// normal returns o with its defaults, or an error.
func (o Opts) normal() (Opts, error) {
	if o.Poll == 0 {
		o.Poll = maxPoll
	}
	for _, d := range []*time.Duration{&o.Debounce, &o.LongPress, &o.DoublePress, &o.Stuck} {
		*d = max(*d, 0)
	}
	switch {
	case o.Poll < minPoll || o.Poll > maxPoll:
		return o, fmt.Errorf("button: Opts.Poll is %s; use %s to %s", o.Poll, minPoll, maxPoll)
	case o.Debounce > maxDebounce:
		return o, fmt.Errorf("button: Opts.Debounce is %s; use at most %s", o.Debounce, maxDebounce)
	case o.DoublePress > 0 && o.DoublePress < 2*o.Debounce:
		return o, fmt.Errorf("button: Opts.DoublePress is %s, too short for a release in between that lasts for Opts.Debounce; use 0 or at least %s",
			o.DoublePress, 2*o.Debounce)
	}
	return o, nil
}

// Kind is what an Event reports.
type Kind uint8

// Kinds of events.
const (
	// On: the line is on, first of all or anew.
	On Kind = iota + 1
	// Off: the line is off.
	Off
	// Pressed follows On when the line was off before.
	Pressed
	// Released follows Off when Pressed was reported.
	Released
	// LongPress: a press has lasted for Opts.LongPress.
	LongPress
	// DoublePress: a press was the second of two.
	DoublePress
	// Chatter: the line does not come to rest. Nothing but Quiet follows until it does.
	Chatter
	// Quiet: the line rests again. On or Off follows if it is not what it was before.
	Quiet
	// Stuck: the line has been on for Opts.Stuck.
	Stuck
	// Unstuck: Off follows.
	Unstuck
)

// String returns the kind in words: "long press".
func (k Kind) String() string {
	switch k {
	case On:
		return "on"
	case Off:
		return "off"
	case Pressed:
		return "pressed"
	case Released:
		return "released"
	case LongPress:
		return "long press"
	case DoublePress:
		return "double press"
	case Chatter:
		return "chatter"
	case Quiet:
		return "quiet"
	case Stuck:
		return "stuck"
	case Unstuck:
		return "no longer stuck"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Event is something that happened on the line.
type Event struct {
	Kind Kind
	// Time is when it happened, which is before Watch reports it: when the line was
	// first seen at its level, not when it had been there for the debounce time.
	Time time.Time
}

// Dev is a handle to a line that is on or off.
type Dev struct {
	pin  *line.Pin
	opts Opts
}

// New returns an object that reads pin p, which it configures as an input with both
// edges. opts may be nil for DefaultOpts; they are copied. Call Halt when done.
func New(p gpio.PinIn, opts *Opts) (*Dev, error) {
	if opts == nil {
		opts = &DefaultOpts
	}
	o, err := opts.normal()
	if err != nil {
		return nil, err
	}
	// A pin without resistors has none to switch off.
	pin, err := line.NewPin("button", p, o.Pull, o.Pull == gpio.Float)
	if err != nil {
		return nil, err
	}
	return &Dev{pin, o}, nil
}

// String returns the device and its pin.
func (d *Dev) String() string { return fmt.Sprintf("Button{%s}", d.pin.Name()) }

// On reports whether the line is on at this moment, whatever the debounce time.
func (d *Dev) On() bool { return d.is(d.pin.Read()) }

func (d *Dev) is(l gpio.Level) bool { return bool(l) != d.opts.ActiveLow }

// Halt ends Watch and releases the pin. It may be called twice.
func (d *Dev) Halt() error { return d.pin.Halt() }

// Watch calls tell for each event, in the caller's goroutine and in order, until ctx
// ends, Halt is called or the line has gone. It returns ctx's error, ErrHalted, or the
// pin's. It knows nothing of the line at its start: On or Off comes first. tell should be
// quick: nothing is seen while it runs but the level after it.
//
// Only one Watch can run at a time.
func (d *Dev) Watch(ctx context.Context, tell func(Event)) error {
	w, end, err := d.pin.Watch()
	if err != nil {
		return err
	}
	defer end()
	s := state{opts: d.opts, tell: tell}
	edges := 0
	for {
		var err error
		edges, err = d.look(ctx, w, &s, edges)
		if done := cmp.Or(d.pin.Halted(), ctx.Err()); done != nil {
			return done
		}
		if err != nil {
			return err
		}
	}
}

// look takes a sample, and waits for a reason to take the next. edges is how many there
// were before the sample, and seen how many there are before the next.
func (d *Dev) look(ctx context.Context, w *line.Watcher, s *state, edges int) (seen int, err error) {
	level := d.pin.Read()
	now := time.Now()
	if err := w.Fell(now, level); err != nil {
		return 0, err
	}
	s.step(now, d.is(level), edges)
	if s.rests() {
		return 0, d.rest(ctx, w, s)
	}
	timeout := d.opts.Poll
	if at, ok := s.next(); ok {
		timeout = min(timeout, max(at.Sub(now), line.MinWait))
	}
	edge, err := w.Wait(ctx, timeout, level)
	if edge {
		seen = 1
	}
	return seen, err
}

// rest leaves a line that chatters alone until it is to be tried again.
func (d *Dev) rest(ctx context.Context, w *line.Watcher, s *state) error {
	if err := d.pin.Edges(gpio.NoEdge); err != nil {
		return err
	}
	at, _ := s.next()
	if !w.Pause(ctx, time.Until(at)) {
		return nil
	}
	if err := d.pin.Configure(); err != nil {
		return err
	}
	for range stale { // edges from before
		if !d.pin.WaitForEdge(line.MinWait) {
			break
		}
	}
	return nil
}

var _ conn.Resource = &Dev{}
