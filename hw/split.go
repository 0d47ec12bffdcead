package hw

import (
	"context"
	"io/fs"
	"net"
	"strings"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
)

// Split returns a board that takes the parts named "mock", or "mock:…", from
// simulated and all others from real, so that a laptop's own webcam can work
// beside a simulated sensor. opened, if not nil, is called with the name of each part that
// is opened simulated: what it reads looks like what is measured.
func Split(real, simulated Board, opened func(name string)) Board {
	return split{real, simulated, opened}
}

type split struct {
	real, simulated Board
	opened          func(name string)
}

func (s split) pick(name string) Board {
	if name == "mock" || strings.HasPrefix(name, "mock:") {
		if s.opened != nil {
			s.opened(name)
		}
		return s.simulated
	}
	return s.real
}

func (s split) String() string { return s.real.String() }

// Parts lists the real parts: simulated ones exist under any name.
func (s split) Parts(ctx context.Context) Parts { return s.real.Parts(ctx) }

// Line implements [Board]. It opens nothing, and opened is not called.
func (s split) Line(name string) (GPIOChip, GPIOLine, error) {
	s.opened = nil
	return s.pick(name).Line(name)
}

func (s split) OpenPin(name string) (gpio.PinIn, error) { return s.pick(name).OpenPin(name) }
func (s split) OpenOutput(name string, o OutputOpts) (Output, error) {
	return s.pick(name).OpenOutput(name, o)
}
func (s split) OpenBus(name string) (i2c.BusCloser, error) { return s.pick(name).OpenBus(name) }
func (s split) OpenSerial(device string, o SerialOpts) (Serial, error) {
	return s.pick(device).OpenSerial(device, o)
}
func (s split) Dial(ctx context.Context, address string) (net.Conn, error) {
	return s.pick(address).Dial(ctx, address)
}
func (s split) OpenVideo(device string) (Video, error) { return s.pick(device).OpenVideo(device) }
func (s split) OpenFramebuffer(d string) (Framebuffer, error) {
	return s.pick(d).OpenFramebuffer(d)
}
func (s split) Sysfs(name string) (fs.FS, error) { return s.pick(name).Sysfs(name) }
