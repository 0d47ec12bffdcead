//go:build !linux

package pi

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
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

// OpenOutput fails: real parts need Linux.
func (*Board) OpenOutput(string, hw.OutputOpts) (hw.Output, error) { return nil, errNoHardware }

// Line fails: real parts need Linux.
func (*Board) Line(string) (c hw.GPIOChip, l hw.GPIOLine, err error) { return c, l, errNoHardware }

// Parts lists nothing.
func (*Board) Parts(context.Context) hw.Parts { return hw.Parts{} }

// OpenBus fails: real parts need Linux.
func (*Board) OpenBus(string) (i2c.BusCloser, error) { return nil, errNoHardware }

// OpenSerial fails: real parts need Linux.
func (*Board) OpenSerial(string, hw.SerialOpts) (hw.Serial, error) { return nil, errNoHardware }

// Dial implements [hw.Board]: a network is there on every system.
func (*Board) Dial(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, address) }

// OpenVideo fails: real parts need Linux.
func (*Board) OpenVideo(string) (hw.Video, error) { return nil, errNoHardware }

// OpenFramebuffer fails: real parts need Linux.
func (*Board) OpenFramebuffer(string) (hw.Framebuffer, error) { return nil, errNoHardware }

// Sysfs fails: real parts need Linux.
func (*Board) Sysfs(string) (fs.FS, error) { return nil, errNoHardware }

var _ hw.Board = (*Board)(nil)
