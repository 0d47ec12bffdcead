package mock_test

import (
	"errors"
	"image/color"
	"testing"

	"pithings/hw"
	"pithings/hw/mock"
)

func openScreen(t *testing.T, b *mock.Board, device string) hw.Framebuffer {
	t.Helper()
	f, err := b.OpenFramebuffer(device)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestImageDecodesPixels(t *testing.T) {
	orange := color.RGBA{R: 0xFF, G: 0x80, B: 0x00, A: 0xFF}
	for _, row := range []struct {
		name     string
		geometry hw.Geometry
		orange   []byte // as it lies in memory
		want     color.RGBA
	}{
		{"RGB565", rgb565, []byte{0x00, 0xFC}, color.RGBA{R: 0xFF, G: 0x82, B: 0, A: 0xFF}},
		{"XRGB8888", mock.DefaultScreen, []byte{0x00, 0x80, 0xFF, 0x00}, orange},
		{"BGR888 with padded rows", bgr888, []byte{0xFF, 0x80, 0x00}, orange},
		{"ARGB8888", argb8888, []byte{0x00, 0x80, 0xFF, 0xFF}, orange},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := mock.New(mock.Options{Screen: row.geometry})
			f := openScreen(t, b, "/dev/fb0")
			x, y := row.geometry.Width-1, row.geometry.Height-1
			if err := f.Draw(func(pix []byte) { copy(pix[y*row.geometry.Stride+x*len(row.orange):], row.orange) }); err != nil {
				t.Fatal(err)
			}
			img := b.Framebuffer("/dev/fb0").Image()
			if got := img.RGBAAt(x, y); got != row.want {
				t.Errorf("the pixel is %v, want %v", got, row.want)
			}
			if got := img.RGBAAt(0, 0); got != (color.RGBA{A: 0xFF}) {
				t.Errorf("the other corner is %v, want black", got)
			}
		})
	}
}

func TestFramebufferFaults(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, b *mock.Board) {
		sim := b.Framebuffer("/dev/fb0")
		sim.Unplug()
		if _, err := b.OpenFramebuffer("/dev/fb0"); !errors.Is(err, hw.ErrNotFound) {
			t.Errorf("not there at the start: %v", err)
		}
		sim.Replug()
		f := openScreen(t, b, "/dev/fb0")
		white := func(pix []byte) {
			for i := range pix {
				pix[i] = 0xFF
			}
		}
		lit := func() bool { return sim.Image().RGBAAt(3, 3).R == 0xFF }
		if err := f.Draw(white); err != nil || !lit() {
			t.Fatalf("draw: %v, lit %v", err, lit())
		}
		if err := f.Blank(true); err != nil || !sim.Blanked() || lit() {
			t.Errorf("blank: %v, lit %v", err, lit())
		}
		if err := f.Blank(false); err != nil || !lit() {
			t.Errorf("unblank: %v, lit %v", err, lit())
		}
		sim.SetNoBlank(true)
		if err := f.Blank(true); !errors.Is(err, hw.ErrUnsupported) {
			t.Errorf("a screen that cannot be blanked: %v", err)
		}

		sim.SetMode(rgb565)
		if err := f.Draw(white); !errors.Is(err, hw.ErrGone) {
			t.Errorf("mode changed: %v", err)
		}
		if f.Geometry() != mock.DefaultScreen {
			t.Error("the geometry of an open screen must not change")
		}
		second := openScreen(t, b, "/dev/fb0")
		if second.Geometry() != rgb565 || lit() {
			t.Errorf("after the mode changed: %v, lit %v", second.Geometry(), lit())
		}
		if err := errors.Join(f.Close(), second.Draw(white)); err != nil || !lit() {
			t.Errorf("closing the old handle hurt the new: %v, lit %v", err, lit())
		}

		sim.Unplug()
		if err := second.Draw(white); !errors.Is(err, hw.ErrGone) {
			t.Errorf("vanished: %v", err)
		}
		sim.Replug()
		third := openScreen(t, b, "/dev/fb0")
		if lit() {
			t.Error("a screen that comes back shows the old picture")
		}
		if err := errors.Join(second.Close(), third.Draw(white), third.Close()); err != nil || lit() {
			t.Errorf("close must give the screen back: %v, lit %v", err, lit())
		}
		sim.SetMode(hw.Geometry{Width: 1, Height: 1, Stride: 1, BitsPerPixel: 8})
		if _, err := b.OpenFramebuffer("/dev/fb0"); !errors.Is(err, hw.ErrUnsupported) {
			t.Errorf("8 bits per pixel: %v", err)
		}
	})
}
