package pi

import (
	"encoding/binary"
	"io"
	"os"
	"sync"
	"time"
	"unsafe"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"
)

// line is a GPIO line that can be requested: periph's, or our own for chips
// that periph does not know.
type line interface {
	In(pull gpio.Pull, edge gpio.Edge) error
	Read() gpio.Level
	WaitForEdge(timeout time.Duration) bool
	Halt() error
	// Close gives the line back to the kernel.
	Close()
}

var (
	_ line = (*gpioioctl.GPIOLine)(nil)
	_ line = (*cdevLine)(nil)
)

// periphLine returns periph's line for one that was found by scanGPIO, or nil
// when its chip appeared after periph looked.
func periphLine(chip gpioChip, l gpioLine) line {
	for _, c := range gpioioctl.Chips {
		// Not by name: periph renames lines whose name exists twice.
		if c.Name() == chip.name && c.Label() == chip.label && len(c.Lines()) == len(chip.lines) {
			return c.ByNumber(l.offset)
		}
	}
	return nil
}

// cdevLine is a line of a chip that periph does not know, because it appeared,
// or was bound to its driver anew, after the program's start. It does what
// periph's GPIOLine does, in the same way.
type cdevLine struct {
	node   string
	offset int

	mu sync.Mutex
	f  *os.File // nil until requested
}

// In requests the line, or configures it anew.
func (l *cdevLine) In(pull gpio.Pull, edge gpio.Edge) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		f, err := requestLine(l.node, l.offset, gpioLineConfig{flags: gpioLineInput})
		if err != nil {
			return err
		}
		l.f = f
	}
	config := gpioLineConfig{flags: lineFlags(pull, edge)}
	return lineControl(l.f, gpioLineSetConfig, unsafe.Pointer(&config))
}

func (l *cdevLine) Read() gpio.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	values := gpioLineValues{mask: 1}
	if l.f == nil || lineControl(l.f, gpioLineGetValues, unsafe.Pointer(&values)) != nil {
		return gpio.Low
	}
	return values.bits&1 != 0
}

func (l *cdevLine) WaitForEdge(timeout time.Duration) bool {
	f := l.file()
	if f == nil || f.SetReadDeadline(time.Now().Add(timeout)) != nil {
		return false
	}
	var event [gpioEventSize]byte
	_, err := io.ReadFull(f, event[:])
	return err == nil && binary.NativeEndian.Uint32(event[8:]) != 0
}

func (l *cdevLine) file() *os.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f
}

func (l *cdevLine) Halt() error {
	if f := l.file(); f != nil {
		return f.SetReadDeadline(time.Unix(0, 0))
	}
	return nil
}

func (l *cdevLine) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
}

func lineFlags(pull gpio.Pull, edge gpio.Edge) uint64 {
	flags := uint64(gpioLineInput)
	switch pull {
	case gpio.PullUp:
		flags |= gpioLineBiasPullUp
	case gpio.PullDown:
		flags |= gpioLineBiasPullDown
	case gpio.Float:
		flags |= gpioLineBiasDisabled
	}
	if edge == gpio.RisingEdge || edge == gpio.BothEdges {
		flags |= gpioLineEdgeRising
	}
	if edge == gpio.FallingEdge || edge == gpio.BothEdges {
		flags |= gpioLineEdgeFalling
	}
	return flags
}
