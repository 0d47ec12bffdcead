package hwtest

import (
	"strings"
	"testing"
	"time"

	"pithings/hw"
)

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	if h.Patience == 0 {
		h.Patience = 5 * time.Second
	}
	if h.Around == nil {
		h.Around = func(t *testing.T, test func(t *testing.T)) { test(t) }
	}
	h.test(t, "Board", func(t *testing.T, b hw.Board) {
		if s := b.String(); s == "" || strings.Contains(s, "\n") {
			t.Errorf("String() = %q, want a name for a log line", s)
		}
	})
	t.Run("Pin", func(t *testing.T) {
		skipUnless(t, h.Pin != nil, "no pin to test")
		h.pin(t, *h.Pin)
	})
	t.Run("Output", func(t *testing.T) {
		skipUnless(t, h.Output != nil, "no output to test")
		h.output(t, *h.Output)
	})
	t.Run("Bus", func(t *testing.T) {
		skipUnless(t, h.Bus != nil, "no bus to test")
		h.bus(t, *h.Bus)
	})
	t.Run("Serial", func(t *testing.T) {
		skipUnless(t, h.Serial != nil, "no serial port to test")
		h.serial(t, *h.Serial)
	})
	t.Run("Video", func(t *testing.T) {
		skipUnless(t, h.Video != nil, "no video device to test")
		h.video(t, *h.Video)
	})
	t.Run("Framebuffer", func(t *testing.T) {
		skipUnless(t, h.Framebuffer != nil, "no framebuffer to test")
		h.framebuffer(t, *h.Framebuffer)
	})
	t.Run("Sysfs", func(t *testing.T) {
		skipUnless(t, h.Sysfs != nil, "no kernel sensor to test")
		h.Sysfs.run(func(name string, f func(t *testing.T, b hw.Board)) { h.test(t, name, f) }, h.Patience)
	})
	t.Run("Parts", h.parts)
}
