package mock

import (
	"fmt"
	"os"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

// openOutput makes the line an output, which it stays after Close, with its level,
// as on a Pi with Raspberry Pi's kernel: until it is opened as an input.
func (p *Pin) openOutput(o hw.OutputOpts) (*output, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	life, err := p.claim(true)
	if err != nil {
		return nil, err
	}
	p.settle(time.Now())
	h := &output{pin: p, life: life, activeLow: o.ActiveLow}
	level := p.level
	if o.Start != hw.StartKeep {
		level = h.level(o.Start == hw.StartOn)
	}
	p.changes = nil
	p.drive(level)
	return h, nil
}

// drive makes the line an output of that level. p.mu is held.
func (p *Pin) drive(l gpio.Level) {
	p.output = &l
	p.apply()
	p.notify()
}

// output is an open output line. Its fields are guarded by pin.mu.
type output struct {
	pin       *Pin
	life      int
	activeLow bool
	closed    bool
}

var _ hw.Output = (*output)(nil)

// level is the level of the line when the output is on or off; on is the value of the
// output when the line is at that level.
func (o *output) level(on bool) gpio.Level { return gpio.Level(on != o.activeLow) }

func (o *output) usable() error {
	if o.closed {
		return fmt.Errorf("%s: %w", o.pin.name, os.ErrClosed)
	}
	return o.pin.alive(o.life)
}

// String implements hw.Output.
func (o *output) String() string { return o.pin.name }

// Set implements hw.Output.
func (o *output) Set(on bool) error {
	o.pin.mu.Lock()
	defer o.pin.mu.Unlock()
	if err := o.usable(); err != nil {
		return err
	}
	o.pin.settle(time.Now())
	o.pin.drive(o.level(on))
	return nil
}

// Value implements hw.Output: the level of the wire, which Stick holds.
func (o *output) Value() (bool, error) {
	o.pin.mu.Lock()
	defer o.pin.mu.Unlock()
	if err := o.usable(); err != nil {
		return false, err
	}
	return bool(o.pin.level) != o.activeLow, nil
}

// Close implements hw.Output.
func (o *output) Close() error {
	o.pin.mu.Lock()
	defer o.pin.mu.Unlock()
	if !o.closed {
		o.closed = true
		o.pin.opened--
	}
	return nil
}
