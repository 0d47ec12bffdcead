package pi

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/pin"

	"pithings/hw"
)

// OpenPin implements [hw.Board]. The line is requested from the kernel at once,
// as an input with its bias left as it is.
func (b *Board) OpenPin(name string) (gpio.PinIn, error) {
	b.gpio.Lock()
	defer b.gpio.Unlock()
	chip, found, full, err := freeLine(name)
	if err != nil {
		return nil, err
	}
	own := &cdevLine{node: chip.node, offset: found.offset}
	p := &linePin{name: full, offset: found.offset, node: chip.node, halted: make(chan struct{})}
	if p.line = periphLine(chip, found); p.line == nil {
		p.line = own
	}
	err = p.In(gpio.PullNoChange, gpio.NoEdge)
	if errors.Is(err, hw.ErrGone) && p.line != line(own) {
		// The chip was bound anew and periph still holds the old one.
		p = &linePin{name: full, offset: found.offset, node: chip.node, halted: make(chan struct{}), line: own}
		err = p.In(gpio.PullNoChange, gpio.NoEdge)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// maxWait bounds one wait in the library: a Halt that comes just before such a
// wait is overwritten by the wait's own deadline (periph host v3.8.5).
const maxWait = time.Second

// linePin is an input line that can be halted from another goroutine at any
// time, which periph's GPIOLine cannot.
type linePin struct {
	name   string // "pinctrl-bcm2835:GPIO17"
	offset int
	node   string

	calls sync.Mutex // guards line's methods other than Halt and WaitForEdge
	line  line
	pull  gpio.Pull
	edge  gpio.Edge

	waiting sync.Mutex // held while in line.WaitForEdge
	gone    atomic.Bool
	closed  atomic.Bool
	halted  chan struct{} // closed by Halt
}

var (
	_ gpio.PinIn  = (*linePin)(nil)
	_ pin.PinFunc = (*linePin)(nil)
)

// String names the chip's label and the line.
func (p *linePin) String() string { return p.name }

// Name is the same as String: a name that opens this very line.
func (p *linePin) Name() string { return p.name }

// Number is the line's offset on its chip.
func (p *linePin) Number() int { return p.offset }

// Function implements pin.Pin.
func (p *linePin) Function() string { return string(p.Func()) }

// Func implements pin.PinFunc.
func (p *linePin) Func() pin.Func {
	if p.Read() {
		return gpio.IN_HIGH
	}
	return gpio.IN_LOW
}

// SupportedFuncs implements pin.PinFunc.
func (p *linePin) SupportedFuncs() []pin.Func { return []pin.Func{gpio.IN} }

// SetFunc implements pin.PinFunc.
func (p *linePin) SetFunc(f pin.Func) error {
	if f != gpio.IN {
		return because(hw.ErrUnsupported, nil, lineTitle(p.name), "it is an input")
	}
	return p.In(gpio.PullNoChange, gpio.NoEdge)
}

// Pull implements gpio.PinIn: what was asked for last.
func (p *linePin) Pull() gpio.Pull {
	p.calls.Lock()
	defer p.calls.Unlock()
	return p.pull
}

// DefaultPull implements gpio.PinIn. The kernel does not tell.
func (p *linePin) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// In configures the line. hw.ErrGone says that its chip has gone.
func (p *linePin) In(pull gpio.Pull, edge gpio.Edge) error {
	p.calls.Lock()
	defer p.calls.Unlock()
	if p.closed.Load() {
		return fmt.Errorf("%s: it was halted; open it again: %w", lineTitle(p.name), fs.ErrClosed)
	}
	if p.gone.Load() {
		return because(hw.ErrGone, nil, lineTitle(p.name), "halt it and open it again")
	}
	if err := p.line.In(pull, edge); err != nil {
		return p.explain(err)
	}
	p.pull, p.edge = pull, edge
	if edge != gpio.NoEdge {
		// periph makes the line's file at the first wait, unguarded against a
		// Halt meanwhile. A wait that is over before it begins makes it now, and
		// reads no event.
		p.line.WaitForEdge(time.Nanosecond)
	}
	return nil
}

func (p *linePin) explain(err error) error {
	err = lineError(p.name, p.node, "do this pull or edge", err)
	if errors.Is(err, hw.ErrGone) {
		p.gone.Store(true)
	}
	if errors.Is(err, hw.ErrGone) || errors.Is(err, hw.ErrBusy) || errors.Is(err, hw.ErrPermission) {
		p.line.Close()
	}
	return err
}

// Read returns the level; Low after Halt or when the line has gone.
func (p *linePin) Read() gpio.Level {
	p.calls.Lock()
	defer p.calls.Unlock()
	if p.closed.Load() || p.gone.Load() {
		return gpio.Low
	}
	return p.line.Read()
}

// WaitForEdge waits for an edge, for at most timeout, or until Halt. It
// says nothing about the level: read it.
func (p *linePin) WaitForEdge(timeout time.Duration) bool {
	for end := time.Now().Add(timeout); ; {
		left := time.Until(end)
		if left <= 0 {
			return false
		}
		slice := min(left, maxWait)
		begin := time.Now()
		edge, ok := p.wait(slice)
		if edge || !ok {
			return edge
		}
		if early := slice - time.Since(begin); early > 0 {
			// The line's file has an error: the chip has gone, or no edge was
			// configured. Callers wait in a loop, which must not spin.
			select {
			case <-time.After(early):
			case <-p.halted:
				return false
			}
		}
	}
}

// wait waits once in the library. ok is false after Halt.
func (p *linePin) wait(timeout time.Duration) (edge, ok bool) {
	p.waiting.Lock()
	defer p.waiting.Unlock()
	if p.closed.Load() {
		return false, false
	}
	edge = !p.gone.Load() && p.line.WaitForEdge(timeout)
	return edge && !p.closed.Load(), !p.closed.Load()
}

// Halt ends a wait and gives the line back to the kernel. It may be called from
// any goroutine, and twice.
func (p *linePin) Halt() error {
	if p.closed.Swap(true) {
		return nil
	}
	close(p.halted)
	// A wait that begins just now overwrites the library's own interruption, so
	// ask until the waiter has left.
	for !p.waiting.TryLock() {
		p.calls.Lock()
		p.line.Halt()
		p.calls.Unlock()
		time.Sleep(time.Millisecond)
	}
	defer p.waiting.Unlock()
	p.calls.Lock()
	defer p.calls.Unlock()
	if !p.gone.Load() {
		p.line.Close()
	}
	return nil
}
