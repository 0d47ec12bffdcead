package modbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"pithings/device"
	"pithings/hw"
)

// Opts are how a device is asked. DefaultOpts suits most.
type Opts struct {
	Unit    byte          // 1 to 247 on a serial line, 0 to 255 on the network
	Timeout time.Duration // for one answer, beside the time that it takes on the wire
	Pause   time.Duration // silence before each request; 0: that of the protocol
	Retries int           // how often a request without a valid answer is repeated
	Gap     int           // registers that are read without need to save a request
	Block   int           // the most registers of one request, 1 to 125
	// Several has a single register written by function 16, for devices without function 6.
	Several bool
}

// DefaultOpts are the usual ones.
var DefaultOpts = Opts{Unit: 1, Timeout: time.Second, Retries: 1, Block: maxRegisters}

// Device is one unit on a port. Its methods may be called from several goroutines.
type Device struct {
	lines     *Lines
	board     hw.Board
	port      Port
	opts      Opts
	registers []Register
	channels  []device.Quantity

	mu   sync.Mutex // of line
	line *line      // nil while it is not open

	reading sync.Mutex // one Read at a time; guards what follows
	blocks  []block
	failing error     // why the device was not read last
	until   time.Time // it is not read before
}

// New returns a device with registers that Register.Check has accepted. Nothing is opened.
func New(lines *Lines, board hw.Board, port Port, o Opts, registers []Register) *Device {
	d := &Device{lines: lines, board: board, port: port, opts: o, registers: registers}
	d.plan()
	for i := range registers {
		d.channels = append(d.channels, registers[i].Quantity())
	}
	return d
}

// String names the device for a log line.
func (d *Device) String() string { return fmt.Sprintf("unit %d at %s", d.opts.Unit, d.port.Device) }

// Channels are the values that Read returns.
func (d *Device) Channels() []device.Quantity { return d.channels }

// Open takes the device's port, and opens it if no other device has. Close must follow.
func (d *Device) Open(ctx context.Context) error {
	d.mu.Lock()
	if d.line == nil {
		d.line = d.lines.take(d.board, d.port)
	}
	l := d.line
	d.mu.Unlock()
	d.reading.Lock()
	d.plan()
	d.reading.Unlock()
	return l.with(ctx, d.opts.Timeout, func() error { return nil })
}

// plan makes whole blocks: what the device has refused before, it may have now. reading is held.
func (d *Device) plan() { d.blocks = plan(d.registers, d.opts.Gap, d.opts.Block) }

// Close leaves the port to other devices. It may be called twice.
func (d *Device) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.line != nil {
		d.lines.leave(d.line)
		d.line = nil
	}
}

// errClosed is of a device that is not open.
var errClosed = errors.New("the device is not open at the moment")

func (d *Device) opened() (*line, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.line == nil {
		return nil, fmt.Errorf("%s: %w", d, errClosed)
	}
	return d.line, nil
}

// Read returns a value for each channel: a bool, an int64, a float64 or a string, nil for
// none. err says why some or all lack.
//
// A request that the device refuses costs the values in it only: it is divided until what
// the device does not have stands alone, until the device does not answer or is opened
// again. After a request without a valid answer the others of this reading are not made,
// and none at all for four times as long as it took, 30 s at most, for other devices may
// wait for the port.
func (d *Device) Read(ctx context.Context) (values []any, err error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	l, err := d.opened()
	if err != nil {
		return nil, err
	}
	values = make([]any, len(d.registers))
	if time.Now().Before(d.until) {
		return values, d.failing
	}
	var refused, implausible []string
	for i := 0; i < len(d.blocks); i++ {
		b := &d.blocks[i]
		data, cost, err := d.ask(ctx, l, readOf(b.Address, b.count), d.failing != nil)
		var no Exception
		switch {
		case err == nil:
			d.failing = nil
			implausible = append(implausible, d.decode(b, data, values)...)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.As(err, &no):
			d.failing = nil
			if parts, ok := b.split(d.registers); ok && (no == IllegalAddress || no == IllegalValue) {
				d.blocks = append(d.blocks[:i], append(parts, d.blocks[i+1:]...)...)
				i--
				continue
			}
			refused = append(refused, fmt.Sprintf("read %s: %v", b, no))
		default:
			d.failing = fmt.Errorf("%s: read %s: %w", d, b, err)
			d.until = time.Now().Add(min(restFactor*cost, longestRest))
			d.plan()
			return values, d.failing
		}
	}
	return values, d.problems(refused, implausible)
}

// decode puts the values of a block into those of all, and returns the names of those that
// are not plausible.
func (d *Device) decode(b *block, data []byte, values []any) (implausible []string) {
	for _, i := range b.values {
		r := &d.registers[i]
		if values[i] = r.value(b.of(r, data)); values[i] == nil {
			implausible = append(implausible, r.Name)
		}
	}
	return implausible
}

// shownProblems is how many problems of one reading an error names.
const shownProblems = 3

func (d *Device) problems(refused, implausible []string) error {
	if n := len(implausible); n > 0 {
		refused = append(refused, "not plausible: "+strings.Join(implausible[:min(n, shownProblems)], ", "))
	}
	switch n := len(refused); {
	case n == 0:
		return nil
	case n > shownProblems:
		refused = append(refused[:shownProblems], fmt.Sprintf("and %d more", n-shownProblems))
	}
	return fmt.Errorf("%s: %s", d, strings.Join(refused, "; "))
}

// ask asks the device, and repeats the request as the options say, or not at all. cost is
// the time for which the port was taken.
func (d *Device) ask(ctx context.Context, l *line, q *request, once bool) (data []byte, cost time.Duration, err error) {
	for try := 0; ; try++ {
		err = l.with(ctx, d.opts.Timeout, func() error {
			begin := time.Now()
			var err error
			data, err = l.ask(ctx, d.opts.Unit, q, d.opts.Timeout, d.opts.Pause)
			cost += time.Since(begin)
			return err
		})
		var no Exception
		var closed *unreachable
		if err == nil || once || try >= d.opts.Retries || ctx.Err() != nil || errors.As(err, &no) || errors.As(err, &closed) {
			return data, cost, err
		}
	}
}

// Write writes a value under its name: a bool for a bit, a float64 for a number, a string
// for a text. A bit of a register is written by reading the register and writing it back:
// the device must not change other bits of it at that moment.
func (d *Device) Write(ctx context.Context, name string, value any) error {
	r, err := d.writable(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b, err := r.registers(value)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	l, err := d.opened()
	if err != nil {
		return err
	}
	if r.Bit < 0 {
		_, _, err = d.ask(ctx, l, writeOf(r.Address, b, d.opts.Several), false)
	} else {
		err = d.writeBit(ctx, l, r, b[1] == 1)
	}
	if err != nil {
		return fmt.Errorf("%s: write %s to %s: %w", d, name, r.Address, err)
	}
	return nil
}

// Check returns why a value cannot be written, without writing it.
func (d *Device) Check(name string, value any) error {
	r, err := d.writable(name)
	if err == nil {
		_, err = r.registers(value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (d *Device) writable(name string) (*Register, error) {
	for i := range d.registers {
		if r := &d.registers[i]; r.Name == name {
			if !r.Writable {
				return nil, errors.New("it is not writable; write writable: true in the configuration if it may be")
			}
			return r, nil
		}
	}
	return nil, errors.New("there is no such quantity")
}

// writeBit changes one bit of a register, while no other request of this process is made.
func (d *Device) writeBit(ctx context.Context, l *line, r *Register, on bool) error {
	return l.with(ctx, d.opts.Timeout, func() error {
		b, err := l.ask(ctx, d.opts.Unit, readOf(r.Address, 1), d.opts.Timeout, d.opts.Pause)
		if err != nil {
			return err
		}
		r.Order.swap(b, r.Type)
		at, mask := 1-r.Bit/8, byte(1)<<(r.Bit%8)
		if b[at] &^= mask; on {
			b[at] |= mask
		}
		r.Order.swap(b, r.Type)
		_, err = l.ask(ctx, d.opts.Unit, writeOf(r.Address, b, d.opts.Several), d.opts.Timeout, d.opts.Pause)
		return err
	})
}
