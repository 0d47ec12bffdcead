package hw

import (
	"strings"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
)

// Split returns a board that takes the parts named "mock", or "mock:…", from
// simulated and all others from real, so that a laptop's own webcam can work
// beside a simulated sensor.
func Split(real, simulated Board) Board { return split{real, simulated} }

type split struct{ real, simulated Board }

func (s split) pick(name string) Board {
	if name == "mock" || strings.HasPrefix(name, "mock:") {
		return s.simulated
	}
	return s.real
}

func (s split) String() string { return s.real.String() }

func (s split) OpenPin(name string) (gpio.PinIn, error)    { return s.pick(name).OpenPin(name) }
func (s split) OpenBus(name string) (i2c.BusCloser, error) { return s.pick(name).OpenBus(name) }
func (s split) OpenVideo(device string) (Video, error)     { return s.pick(device).OpenVideo(device) }
func (s split) OpenFramebuffer(d string) (Framebuffer, error) {
	return s.pick(d).OpenFramebuffer(d)
}
