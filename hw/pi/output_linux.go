package pi

import (
	"fmt"
	"io/fs"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

// OpenOutput implements [hw.Board].
//
// The request itself carries direction and first value
// (GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES), and the drivers of a Pi's chips set the
// level before they make the pin an output: the line does not glitch.
//
// For hw.StartKeep the line is requested as it is, which changes neither its
// direction nor its level, then read, then made an output with what was read. Three
// limits: what changes between reading and driving, some microseconds, is not seen;
// a pin that the boot left as an input has the level of its pull or of its wire; and
// a chip that cannot read its lines is refused.
func (b *Board) OpenOutput(name string, o hw.OutputOpts) (hw.Output, error) {
	b.gpio.Lock()
	defer b.gpio.Unlock()
	chip, found, full, err := freeLine(name)
	if err != nil {
		return nil, err
	}
	l := &outputLine{name: full, node: chip.node}
	if o.Start == hw.StartKeep {
		err = l.keep(found.offset, o.ActiveLow)
	} else {
		l.f, err = requestLine(chip.node, found.offset, outputConfig(o.ActiveLow, o.Start == hw.StartOn))
	}
	if err != nil {
		l.Close()
		return nil, lineError(full, chip.node, "drive this line", err)
	}
	return l, nil
}

// outputConfig makes a line an output that is on or off.
func outputConfig(activeLow, on bool) gpioLineConfig {
	c := gpioLineConfig{flags: gpioLineOutput, numAttrs: 1}
	if activeLow {
		c.flags |= gpioLineActiveLow
	}
	c.attrs[0].mask = 1 // of the first line, the only one
	c.attrs[0].attr.id = gpioAttrOutputValues
	if on {
		c.attrs[0].attr.value = 1
	}
	return c
}

// outputLine is an output line. The kernel inverts the values of one that is active
// low.
type outputLine struct {
	name, node string

	mu sync.Mutex
	f  *os.File // nil when closed
}

// keep requests the line as an output with the level that it has.
func (l *outputLine) keep(offset int, activeLow bool) (err error) {
	var asIs gpioLineConfig // no direction: nothing changes
	if activeLow {
		asIs.flags = gpioLineActiveLow
	}
	if l.f, err = requestLine(l.node, offset, asIs); err != nil {
		return err
	}
	on, err := l.read()
	if err != nil {
		return err
	}
	config := outputConfig(activeLow, on)
	return lineControl(l.f, gpioLineSetConfig, unsafe.Pointer(&config))
}

func (l *outputLine) String() string { return l.name }

// Set implements [hw.Output].
func (l *outputLine) Set(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return fmt.Errorf("%s: %w", lineTitle(l.name), fs.ErrClosed)
	}
	values := gpioLineValues{mask: 1}
	if on {
		values.bits = 1
	}
	if err := lineControl(l.f, gpioLineSetValues, unsafe.Pointer(&values)); err != nil {
		return lineError(l.name, l.node, "drive this line", err)
	}
	return nil
}

// Value implements [hw.Output].
func (l *outputLine) Value() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return false, fmt.Errorf("%s: %w", lineTitle(l.name), fs.ErrClosed)
	}
	on, err := l.read()
	if err != nil {
		return false, lineError(l.name, l.node, "read this line", err)
	}
	return on, nil
}

func (l *outputLine) read() (bool, error) {
	values := gpioLineValues{mask: 1}
	err := lineControl(l.f, gpioLineGetValues, unsafe.Pointer(&values))
	if is(err, unix.EIO) {
		// gpiolib's word for a chip without a way to read (gpiod_get_raw_value_commit).
		err = fmt.Errorf("read: %w", unix.ENOTSUP)
	}
	return values.bits&1 != 0, err
}

// Close implements [hw.Output].
func (l *outputLine) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}
