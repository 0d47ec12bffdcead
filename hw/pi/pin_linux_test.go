package pi

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

// fakeLine behaves as periph's GPIOLine does towards its caller: Halt sets a
// deadline in the past, and WaitForEdge overwrites it.
type fakeLine struct {
	err     error         // of In
	level   gpio.Level    // of Read
	broken  bool          // waits end at once, without an edge
	edges   chan struct{} // an edge for each
	halt    chan struct{}
	waits   atomic.Int32
	longest time.Duration
	before  func() // called when a wait begins
	closed  atomic.Int32
}

func newFakeLine() *fakeLine {
	return &fakeLine{edges: make(chan struct{}, 8), halt: make(chan struct{}, 1)}
}

func (l *fakeLine) In(gpio.Pull, gpio.Edge) error { return l.err }
func (l *fakeLine) Read() gpio.Level              { return l.level }
func (l *fakeLine) Close()                        { l.closed.Add(1) }

func (l *fakeLine) Halt() error {
	select {
	case l.halt <- struct{}{}:
	default:
	}
	return nil
}

func (l *fakeLine) WaitForEdge(timeout time.Duration) bool {
	if timeout == time.Nanosecond { // see linePin.In
		return false
	}
	l.waits.Add(1)
	l.longest = max(l.longest, timeout)
	if l.before != nil {
		l.before()
	}
	select { // an earlier Halt is lost
	case <-l.halt:
	default:
	}
	if l.broken {
		return false
	}
	select {
	case <-l.edges:
		return true
	case <-l.halt:
	case <-time.After(timeout):
	}
	return false
}

func testPin(l *fakeLine) *linePin {
	return &linePin{name: "sim:GPIO17", node: "/dev/null", line: l, halted: make(chan struct{})}
}

func TestWaitsAreCutInSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLine()
		p := testPin(l)
		begun := time.Now()
		if p.WaitForEdge(3500 * time.Millisecond) {
			t.Error("an edge on a quiet line")
		}
		if took := time.Since(begun); took != 3500*time.Millisecond || l.longest > maxWait || l.waits.Load() != 4 {
			t.Errorf("%d waits of up to %v, %v in all", l.waits.Load(), l.longest, took)
		}
		go func() {
			time.Sleep(2500 * time.Millisecond)
			l.edges <- struct{}{}
		}()
		begun = time.Now()
		if !p.WaitForEdge(time.Minute) || time.Since(begun) != 2500*time.Millisecond {
			t.Errorf("no edge, or late: %v", time.Since(begun))
		}
		for _, none := range []time.Duration{0, -1} {
			if p.WaitForEdge(none) {
				t.Errorf("an edge in %v", none)
			}
		}
	})
}

// Halt must get through even when the library's wait begins right after the
// library's Halt.
func TestHaltEndsAWaitThatBeginsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLine()
		p := testPin(l)
		done := make(chan bool)
		l.before = func() { l.Halt(); time.Sleep(300 * time.Microsecond) }
		go func() { done <- p.WaitForEdge(time.Hour) }()
		time.Sleep(100 * time.Microsecond)
		begun := time.Now()
		if err := p.Halt(); err != nil {
			t.Error(err)
		}
		if <-done || time.Since(begun) > 10*time.Millisecond {
			t.Errorf("the wait ended with an edge or after %v", time.Since(begun))
		}
		if err := p.Halt(); err != nil || l.closed.Load() != 1 {
			t.Errorf("the second Halt: %v, closed %d times", err, l.closed.Load())
		}
		if p.WaitForEdge(time.Hour) {
			t.Error("an edge after Halt")
		}
		if err := p.In(gpio.PullDown, gpio.BothEdges); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("In after Halt: %v", err)
		}
	})
}

func TestALineThatIsGoneDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLine()
		l.level, l.broken = gpio.High, true
		p := testPin(l)
		begun := time.Now()
		if p.WaitForEdge(5*time.Second) || time.Since(begun) != 5*time.Second || l.waits.Load() > 5 {
			t.Errorf("%d waits in %v", l.waits.Load(), time.Since(begun))
		}
		l.err = errors.New("no such device") // gpioioctl's form of ENODEV
		if err := p.In(gpio.PullDown, gpio.BothEdges); !errors.Is(err, hw.ErrGone) {
			t.Errorf("In: %v, want %v", err, hw.ErrGone)
		}
		l.err = nil // the number may belong to another chip now
		if err := p.In(gpio.PullDown, gpio.BothEdges); !errors.Is(err, hw.ErrGone) {
			t.Errorf("the next In: %v, want %v", err, hw.ErrGone)
		}
		if p.Read() != gpio.Low {
			t.Error("a line that is gone reads high")
		}
		go func() { time.Sleep(time.Second); p.Halt() }()
		begun = time.Now()
		if p.WaitForEdge(time.Hour) || time.Since(begun) > 2*time.Second {
			t.Errorf("Halt was not heard for %v", time.Since(begun))
		}
	})
}

func TestErrorsOfALineSayWhy(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{"line_request ioctl: device or resource busy", hw.ErrBusy},
		{"line_request ioctl: operation not permitted", hw.ErrPermission},
		{"invalid argument", hw.ErrUnsupported},
		{"line_request ioctl: no such device", hw.ErrGone},
	} {
		l := newFakeLine()
		l.err = errors.New(c.text)
		if err := testPin(l).In(gpio.PullDown, gpio.BothEdges); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.text, err, c.want)
		}
	}
}
