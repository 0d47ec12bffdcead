package hwtest

import (
	"slices"
	"strings"
	"testing"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

// parts tests the list of parts with those that the harness names.
func (h Harness) parts(t *testing.T) {
	h.test(t, "lines", func(t *testing.T, b hw.Board) {
		skipUnless(t, h.Output != nil, "no output to test")
		free := lineOf(t, b, h.Output.Name)
		if free.Used || free.Open == "" {
			t.Errorf("a free line is listed as %+v", free)
		}
		out, err := b.OpenOutput(free.Open, hw.OutputOpts{})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if l := lineOf(t, b, h.Output.Name); !l.Used || l.Consumer == "" || !l.Output || l.Offset != free.Offset {
			t.Errorf("a line that is an output is listed as %+v, free as %+v", l, free)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		in, err := b.OpenPin(free.Open)
		if err == nil {
			defer in.Halt()
			err = in.In(gpio.PullNoChange, gpio.NoEdge)
		}
		if l := lineOf(t, b, h.Output.Name); err != nil || !l.Used || l.Output {
			t.Errorf("a line that is an input is listed as %+v, %v", l, err)
		}
	})
	h.test(t, "unknown line", func(t *testing.T, b hw.Board) {
		skipUnless(t, h.Output != nil && h.Output.Missing != "", "the harness knows no missing name")
		_, _, err := b.Line(h.Output.Missing)
		refused(t, err, hw.ErrNotFound, h.Output.Missing)
	})
	h.test(t, "buses", func(t *testing.T, b hw.Board) {
		skipUnless(t, h.Bus != nil, "no bus to test")
		there := func(p hw.I2CBus, address uint16) bool {
			return slices.ContainsFunc(p.Devices, func(d hw.I2CDevice) bool { return d.Address == address && d.Driver == "" })
		}
		listed := func() (hw.I2CBus, bool) {
			for _, p := range b.Parts(t.Context()).I2C {
				if p.Open == h.Bus.Name || strings.HasPrefix(p.Adapter, h.Bus.Name) {
					return p, true
				}
			}
			return hw.I2CBus{}, false
		}
		p, ok := listed()
		// A search ends early on a bus that hangs, and the bridge of an emulated machine on a busy
		// host is as slow as one.
		for n := 1; n < 4 && ok && p.Err != nil; n++ {
			t.Logf("search %d: %v", n, p.Err)
			p, ok = listed()
		}
		if !ok {
			t.Fatalf("%s is not listed", h.Bus.Name)
		}
		if p.Err != nil || !there(p, h.Bus.Address) || h.Bus.Empty != 0 && there(p, h.Bus.Empty) {
			t.Errorf("the bus is listed as %+v", p)
		}
		again, err := b.OpenBus(p.Open)
		if err != nil {
			t.Fatal(err)
		}
		_ = again.Close()
	})
	h.test(t, "video devices", func(t *testing.T, b hw.Board) {
		skipUnless(t, h.Video != nil, "no video device to test")
		for _, p := range b.Parts(t.Context()).Video {
			switch p.Node {
			case h.Video.Device:
				if p.Err != nil || len(p.Formats) == 0 || p.Title == "" {
					t.Errorf("the camera is listed as %+v", p)
				}
				v, err := b.OpenVideo(p.Open)
				if err != nil {
					t.Fatal(err)
				}
				_ = v.Close()
				return
			case h.Video.Refused:
				refused(t, p.Err, hw.ErrUnsupported, p.Node)
			}
		}
		t.Errorf("%s is not listed", h.Video.Device)
	})
	h.test(t, "screens", func(t *testing.T, b hw.Board) {
		skipUnless(t, h.Framebuffer != nil, "no framebuffer to test")
		screen, err := b.OpenFramebuffer(h.Framebuffer.Device)
		if err != nil {
			t.Fatal(err)
		}
		want := screen.Geometry()
		_ = screen.Close()
		for _, p := range b.Parts(t.Context()).Framebuffers {
			if p.Node == h.Framebuffer.Device {
				if p.Err != nil || p.Geometry != want || p.Title == "" {
					t.Errorf("the screen is listed as %+v, want %v", p, want)
				}
				return
			}
		}
		t.Errorf("%s is not listed", h.Framebuffer.Device)
	})
}

// lineOf looks a line up, in the list, too.
func lineOf(t *testing.T, b hw.Board, name string) hw.GPIOLine {
	t.Helper()
	chip, line, err := b.Line(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Parts(t.Context()).GPIO {
		if c.Node == chip.Node && c.Label == chip.Label && slices.Contains(c.Lines, line) {
			return line
		}
	}
	t.Errorf("%+v of %s is not listed", line, chip.Label)
	return line
}
