package hw_test

import (
	"errors"
	"testing"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"pithings/hw"
)

// named is a board that opens nothing, and says who was asked for what.
type named string

func (n named) asked(name string) error { return errors.New(string(n) + " " + name) }

func (n named) String() string                             { return string(n) }
func (n named) OpenPin(name string) (gpio.PinIn, error)    { return nil, n.asked("pin " + name) }
func (n named) OpenBus(name string) (i2c.BusCloser, error) { return nil, n.asked("bus " + name) }
func (n named) OpenVideo(name string) (hw.Video, error)    { return nil, n.asked("video " + name) }
func (n named) OpenFramebuffer(name string) (hw.Framebuffer, error) {
	return nil, n.asked("framebuffer " + name)
}

func TestSplit(t *testing.T) {
	b := hw.Split(named("real"), named("simulated"))
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
		_, bus := b.OpenBus(name)
		_, video := b.OpenVideo(name)
		_, framebuffer := b.OpenFramebuffer(name)
		for part, err := range map[string]error{"pin": pin, "bus": bus, "video": video, "framebuffer": framebuffer} {
			if got := err.Error(); got != want+" "+part+" "+name {
				t.Errorf("%s %q went to %q, want %s", part, name, got, want)
			}
		}
	}
	if b.String() != "real" {
		t.Errorf("String() = %q, want the name of the real board", b)
	}
}
