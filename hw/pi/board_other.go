//go:build !linux

package pi

import (
	"fmt"
	"log/slog"
	"runtime"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"pithings/hw"
)

// Board is the real board. There is none on this system: no part can be opened.
type Board struct{}

var errNoHardware = fmt.Errorf("%w: real parts need Linux and this is %s; use --mock to simulate them", hw.ErrUnsupported, runtime.GOOS)

// Open returns a board without parts: a configuration whose parts are all
// simulated, or that has none, works on every system.
func Open(*slog.Logger) (*Board, error) { return &Board{}, nil }

// Close does nothing.
func (*Board) Close() {}

func (*Board) String() string { return "no board" }

// OpenPin fails: real parts need Linux.
func (*Board) OpenPin(string) (gpio.PinIn, error) { return nil, errNoHardware }

// OpenBus fails: real parts need Linux.
func (*Board) OpenBus(string) (i2c.BusCloser, error) { return nil, errNoHardware }

// OpenVideo fails: real parts need Linux.
func (*Board) OpenVideo(string) (hw.Video, error) { return nil, errNoHardware }

// OpenFramebuffer fails: real parts need Linux.
func (*Board) OpenFramebuffer(string) (hw.Framebuffer, error) { return nil, errNoHardware }

var _ hw.Board = (*Board)(nil)
