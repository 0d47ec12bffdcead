package hw_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"testing"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"pithings/hw"
)

// named is a board that opens nothing, and says who was asked for what.
type named string

func (n named) asked(name string) error { return errors.New(string(n) + " " + name) }

func (n named) String() string                          { return string(n) }
func (n named) OpenPin(name string) (gpio.PinIn, error) { return nil, n.asked("pin " + name) }
func (n named) OpenOutput(name string, _ hw.OutputOpts) (hw.Output, error) {
	return nil, n.asked("output " + name)
}
func (n named) Line(name string) (c hw.GPIOChip, l hw.GPIOLine, err error) {
	return c, l, n.asked("line " + name)
}
func (n named) Parts(context.Context) hw.Parts {
	return hw.Parts{GPIO: []hw.GPIOChip{{Label: string(n)}}}
}
func (n named) OpenBus(name string) (i2c.BusCloser, error) { return nil, n.asked("bus " + name) }
func (n named) OpenSerial(name string, _ hw.SerialOpts) (hw.Serial, error) {
	return nil, n.asked("serial " + name)
}
func (n named) Dial(_ context.Context, name string) (net.Conn, error) {
	return nil, n.asked("dial " + name)
}
func (n named) OpenVideo(name string) (hw.Video, error) { return nil, n.asked("video " + name) }
func (n named) OpenFramebuffer(name string) (hw.Framebuffer, error) {
	return nil, n.asked("framebuffer " + name)
}
func (n named) Sysfs(name string) (fs.FS, error) { return nil, n.asked("sysfs " + name) }

func TestSplit(t *testing.T) {
	b := hw.Split(named("real"), named("simulated"), nil)
	for name, want := range map[string]string{
		"mock":                "simulated",
		"mock:hall":           "simulated",
		"mock:":               "simulated",
		"GPIO17":              "real",
		"pinctrl-rp1:GPIO17":  "real",
		"/dev/video0":         "real",
		"/dev/v4l/by-id/mock": "real",
		"mockingbird":         "real",
		"MOCK":                "real",
		"1":                   "real",
		"":                    "real",
		"chip:mock":           "real",
	} {
		_, pin := b.OpenPin(name)
		_, output := b.OpenOutput(name, hw.OutputOpts{})
		_, _, line := b.Line(name)
		_, bus := b.OpenBus(name)
		_, serial := b.OpenSerial(name, hw.SerialOpts{})
		_, dial := b.Dial(t.Context(), name)
		_, video := b.OpenVideo(name)
		_, framebuffer := b.OpenFramebuffer(name)
		_, sysfs := b.Sysfs(name)
		for part, err := range map[string]error{"pin": pin, "output": output, "line": line, "bus": bus, "serial": serial, "dial": dial, "video": video, "framebuffer": framebuffer, "sysfs": sysfs} {
			if got := err.Error(); got != want+" "+part+" "+name {
				t.Errorf("%s %q went to %q, want %s", part, name, got, want)
			}
		}
	}
	if p := b.Parts(t.Context()); p.GPIO[0].Label != "real" {
		t.Errorf("Parts lists those of the %s board", p.GPIO[0].Label)
	}
	if b.String() != "real" {
		t.Errorf("String() = %q, want the name of the real board", b)
	}
}
