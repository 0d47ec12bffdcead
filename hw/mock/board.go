package mock

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"pithings/hw"
)

// Options says what a board has. The zero value is a still motion sensor, a
// BME680 at 0x76, a Modbus device, a camera of 640 × 480 and more, and a screen of
// 800 × 480.
type Options struct {
	// Seed makes one board's weather and calibration differ from another's.
	Seed uint64
	// Now dates the weather and the camera's pictures, time.Now when nil. How
	// long things take is always measured by package time.
	Now func() time.Time
	// Motion is what the pins do by themselves.
	Motion Motion
	// Settled says of the pins' sensors that they have warmed up; see [hw.Settled].
	Settled bool
	// Environment is the sensor on every bus.
	Environment Environment
	// Video is how cameras behave.
	Video VideoOptions
	// Screen is the layout of framebuffers; 800 × 480 XRGB8888 when zero.
	Screen hw.Geometry
}

// DefaultScreen is the layout of a framebuffer when the options name none.
var DefaultScreen = hw.Geometry{
	Width: 800, Height: 480, Stride: 3200, BitsPerPixel: 32,
	Red: hw.Bitfield{Offset: 16, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 0, Length: 8},
}

// Board is a simulated board. All its methods, and those of its parts, may be
// called from several goroutines.
type Board struct {
	opts Options

	mu           sync.Mutex
	closed       bool
	pins         map[string][]*Pin
	buses        map[string]*Bus
	devices      map[string]*Modbus
	videos       map[string][]*Video
	framebuffers map[string][]*Framebuffer
	sysfs        *Sysfs
}

var _ hw.Board = (*Board)(nil)

// New makes a board. A Screen that [hw.Geometry.Validate] refuses is an error
// of every OpenFramebuffer.
func New(o Options) *Board {
	if o.Screen == (hw.Geometry{}) {
		o.Screen = DefaultScreen
	}
	b := &Board{
		opts:         o,
		pins:         map[string][]*Pin{},
		buses:        map[string]*Bus{},
		devices:      map[string]*Modbus{},
		videos:       map[string][]*Video{},
		framebuffers: map[string][]*Framebuffer{},
	}
	b.sysfs = newSysfs(o.Seed, b.date)
	return b
}

// String names the board.
func (b *Board) String() string { return "simulated board" }

// Close takes all parts away and ends what waits for them. It may be called
// twice.
func (b *Board) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, list := range b.pins {
		for _, p := range list {
			p.Unplug()
		}
	}
	for _, p := range b.buses {
		p.Unplug()
	}
	for _, m := range b.devices {
		m.Unplug()
	}
	for _, list := range b.videos {
		for _, p := range list {
			p.Unplug()
		}
	}
	for _, list := range b.framebuffers {
		for _, p := range list {
			p.Unplug()
		}
	}
	return nil
}

// Pin is the line called name. Of several lines called "mock" it is the first.
func (b *Board) Pin(name string) *Pin {
	b.mu.Lock()
	defer b.mu.Unlock()
	return first(b.pins, name, b.newPin)
}

// Bus is the bus called name; "1" and "/dev/i2c-1" are the same.
func (b *Board) Bus(name string) *Bus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bus(name)
}

// Video is the camera called name. Of several called "mock" it is the first.
func (b *Board) Video(name string) *Video {
	b.mu.Lock()
	defer b.mu.Unlock()
	return first(b.videos, name, b.newVideo)
}

// Framebuffer is the screen called name. Of several called "mock" it is the
// first.
func (b *Board) Framebuffer(name string) *Framebuffer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return first(b.framebuffers, name, b.newFramebuffer)
}

// OpenPin implements [hw.Board].
func (b *Board) OpenPin(name string) (gpio.PinIn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(name); err != nil {
		return nil, err
	}
	l, err := own(b.pins, name, b.newPin).open()
	if err != nil {
		return nil, err
	}
	return l, nil
}

// OpenOutput implements [hw.Board].
func (b *Board) OpenOutput(name string, o hw.OutputOpts) (hw.Output, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(name); err != nil {
		return nil, err
	}
	h, err := own(b.pins, name, b.newPin).openOutput(o)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// OpenBus implements [hw.Board].
func (b *Board) OpenBus(name string) (i2c.BusCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(name); err != nil {
		return nil, err
	}
	h, err := b.bus(name).open()
	if err != nil {
		return nil, err
	}
	return h, nil
}

// OpenVideo implements [hw.Board].
func (b *Board) OpenVideo(device string) (hw.Video, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(device); err != nil {
		return nil, err
	}
	h, err := own(b.videos, device, b.newVideo).open()
	if err != nil {
		return nil, err
	}
	return h, nil
}

// OpenFramebuffer implements [hw.Board].
func (b *Board) OpenFramebuffer(device string) (hw.Framebuffer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(device); err != nil {
		return nil, err
	}
	h, err := own(b.framebuffers, device, b.newFramebuffer).open()
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Sysfs implements [hw.Board]: the sensor called "mock" is the DHT22,
// "mock:ina219" the INA219, and so on; any other name is the DHT22's too. "" is none's.
func (b *Board) Sysfs(name string) (fs.FS, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(cmp.Or(name, "all")); err != nil {
		return nil, err
	}
	return view{b.sysfs, name}, nil
}

// Kernel is what the board shows of the kernel, to switch its faults.
func (b *Board) Kernel() *Sysfs { return b.sysfs }

var errBoardClosed = errors.New("the simulated board is closed")

func (b *Board) check(name string) error {
	if b.closed {
		return fmt.Errorf("%s: %w", name, errBoardClosed)
	}
	if name == "" {
		return fmt.Errorf("a part without a name: %w", hw.ErrNotFound)
	}
	return nil
}

func (b *Board) bus(name string) *Bus {
	name = strings.TrimPrefix(name, "/dev/i2c-")
	p, ok := b.buses[name]
	if !ok {
		p = b.newBus(name)
		b.buses[name] = p
	}
	return p
}

func (b *Board) newPin(name string) *Pin { return newPin(name, b.opts.Motion, b.opts.Settled) }

func (b *Board) newFramebuffer(name string) *Framebuffer { return newFramebuffer(name, b.opts.Screen) }

// date returns the date of the board's calendar at a moment of the monotonic clock.
func (b *Board) date(moment time.Time) time.Time {
	if b.opts.Now == nil {
		return moment
	}
	return b.opts.Now().Add(-time.Since(moment))
}

// first gives the first part called name.
func first[P any](parts map[string][]P, name string, make func(string) P) P {
	if len(parts[name]) == 0 {
		parts[name] = append(parts[name], make(name))
	}
	return parts[name][0]
}

// own gives the part that the next opener of name gets. A part called "mock"
// that was closed is used again: with its faults, and so that a program that
// opens again and again does not pile them up.
func own[P interface{ InUse() bool }](parts map[string][]P, name string, make func(string) P) P {
	if name != "mock" {
		return first(parts, name, make)
	}
	for _, p := range parts[name] {
		if !p.InUse() {
			return p
		}
	}
	label := name
	if n := len(parts[name]); n > 0 {
		label = fmt.Sprintf("%s (%d)", name, n+1)
	}
	p := make(label)
	parts[name] = append(parts[name], p)
	return p
}
