// Package line waits for edges on an input line, for drivers whose device is a level:
// without spinning when the line has an edge all the time, and without waiting for ever
// when the line has gone.
//
// Neither gpio.PinIn's Read nor its WaitForEdge can tell whether the line is still
// there: one that has gone reads as low, and its waits end at once or never. Its In can.
package line

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// ErrHalted is wrapped by the error of a Pin that was halted.
var ErrHalted = errors.New("halted")

// Pin is an input line that one driver has: it waits for both edges, one Watch at a time,
// until it is halted.
type Pin struct {
	gpio.PinIn
	driver string // what errors begin with
	pull   gpio.Pull

	watching atomic.Bool
	halt     sync.Once
	halted   chan struct{}
}

// NewPin configures a pin as an input with a pull and both edges. If anyPull, the pin may
// have no such pull, and is left without.
func NewPin(driver string, p gpio.PinIn, pull gpio.Pull, anyPull bool) (*Pin, error) {
	l := &Pin{PinIn: p, driver: driver, pull: pull, halted: make(chan struct{})}
	if err := l.Configure(); err != nil {
		if !anyPull {
			return nil, err
		}
		l.pull = gpio.PullNoChange
		if l.Configure() != nil {
			return nil, err
		}
	}
	return l, nil
}

// Configure configures the pin once more.
func (l *Pin) Configure() error { return l.Edges(gpio.BothEdges) }

// Edges configures the pin for other edges.
func (l *Pin) Edges(edge gpio.Edge) error { return l.wrap(l.In(l.pull, edge)) }

// Halt ends Watch and releases the pin. It may be called twice.
func (l *Pin) Halt() (err error) {
	l.halt.Do(func() {
		close(l.halted)
		err = l.wrap(l.PinIn.Halt())
	})
	return err
}

// Halted returns an error that wraps ErrHalted after Halt.
func (l *Pin) Halted() error {
	select {
	case <-l.halted:
		return l.wrap(ErrHalted)
	default:
		return nil
	}
}

// Watch returns what waits for edges, until end. A second one meanwhile is an error.
func (l *Pin) Watch() (w *Watcher, end func(), err error) {
	if l.watching.Swap(true) {
		return nil, nil, l.wrap(errors.New("it is watched already"))
	}
	return NewWatcher(l.PinIn, l.Configure, l.halted), func() { l.watching.Store(false) }, nil
}

func (l *Pin) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", l.driver, l.Name(), err)
}

const (
	// MinWait is the shortest wait for an edge. Some pins take a time-out that is
	// not positive for "forever".
	MinWait = time.Millisecond
	// A wait that is over sooner than this did not wait. Some in a row are
	// normal, since pins queue edges; more are a storm or a broken pin, and are
	// slowed down to leave the processor to others.
	noWait    = time.Millisecond
	noWaits   = 32
	slowDown  = 10 * time.Millisecond
	checkPlan = 5 * time.Second // between checks of a quiet line
	checkSoon = time.Second     // between checks of a suspicious line
	checkFall = slowDown        // between checks of a line that falls
)

// Watcher waits for edges and finds out whether the line is still there. It belongs to
// one goroutine.
type Watcher struct {
	pin    gpio.PinIn
	check  func() error
	halted <-chan struct{}

	early   int // waits in a row that did not wait
	checked time.Time
	high    gpio.Level // at the last sample
}

// NewWatcher returns a Watcher for a pin that was configured just now. check has to
// configure it once more, with the same direction, edges and pull: for the kernel nothing
// changes and no edge is lost; other pins may forget one, and the level is read next.
// halted is closed when the pin is halted.
func NewWatcher(pin gpio.PinIn, check func() error, halted <-chan struct{}) *Watcher {
	return &Watcher{pin: pin, check: check, halted: halted, checked: time.Now()}
}

// Fell takes a sample, and checks a line that was high and reads as low: that fall should
// not be reported of a line that has gone.
func (w *Watcher) Fell(now time.Time, level gpio.Level) error {
	fell := w.high && !level
	w.high = level
	if !fell || now.Sub(w.checked) < checkFall {
		return nil
	}
	return w.checkNow(now)
}

// Wait returns after an edge, after timeout, at the end of ctx or when the pin is
// halted, or with an error when the line has gone. level is what the line was before.
func (w *Watcher) Wait(ctx context.Context, timeout time.Duration, level gpio.Level) (edge bool, err error) {
	begin := time.Now()
	edge = w.pin.WaitForEdge(timeout)
	end := time.Now()
	took := end.Sub(begin)
	gaveUp := !edge && took < timeout/2
	if took < noWait {
		w.early++
	} else {
		w.early = 0
	}
	strange := gaveUp || w.early > noWaits
	if strange {
		// Not the whole time-out: the level counts, edge or not.
		if !w.Pause(ctx, min(slowDown, timeout)) {
			return edge, nil
		}
	}
	every := checkPlan
	if strange {
		every = checkSoon
	}
	if level == gpio.High || end.Sub(w.checked) < every {
		return edge, nil
	}
	return edge, w.checkNow(end)
}

// Pause waits for d, and returns false when ctx ended or the pin was halted before.
func (w *Watcher) Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-w.halted:
	}
	return false
}

func (w *Watcher) checkNow(now time.Time) error {
	w.checked = now
	return w.check()
}
