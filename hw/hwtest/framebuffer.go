package hwtest

import (
	"errors"
	"image"
	"sync"
	"testing"

	"pithings/hw"
)

func (h Harness) framebuffer(t *testing.T, p Framebuffer) {
	open := func(t *testing.T, b hw.Board) hw.Framebuffer {
		t.Helper()
		f, err := b.OpenFramebuffer(p.Device)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	draw := func(t *testing.T, f hw.Framebuffer, paint func(pix []byte)) {
		t.Helper()
		if err := f.Draw(paint); err != nil {
			t.Fatal(err)
		}
	}

	h.names(t, p.Missing, func(b hw.Board) opener {
		return func(name string) (func(), error) {
			f, err := b.OpenFramebuffer(name)
			return func() { _ = f.Close() }, err
		}
	})

	h.test(t, "geometry", func(t *testing.T, b hw.Board) {
		f := open(t, b)
		g := f.Geometry()
		if err := g.Validate(); err != nil {
			t.Error(err)
		}
		if p.Geometry != (hw.Geometry{}) && g != p.Geometry {
			t.Errorf("geometry %v, want %v", g, p.Geometry)
		}
		draw(t, f, func(pix []byte) {
			if len(pix) != g.Stride*g.Height {
				t.Errorf("%d bytes of pixels, want %d rows of %d", len(pix), g.Height, g.Stride)
			}
		})
		if g != f.Geometry() || f.String() == "" {
			t.Error("the geometry changed, or the screen has no name")
		}
	})

	h.test(t, "each channel in each corner", func(t *testing.T, b hw.Board) {
		f := open(t, b)
		g := f.Geometry()
		corners := []image.Point{{0, 0}, {g.Width - 1, 0}, {0, g.Height - 1}, {g.Width - 1, g.Height - 1}}
		for _, channel := range []struct {
			name    string
			bits    hw.Bitfield
			r, g, b uint32
		}{{"red", g.Red, 0xFFFF, 0, 0}, {"green", g.Green, 0, 0xFFFF, 0}, {"blue", g.Blue, 0, 0, 0xFFFF}} {
			full := uint32(1<<channel.bits.Length-1) << channel.bits.Offset
			draw(t, f, func(pix []byte) {
				clear(pix)
				for _, c := range corners {
					put(g, pix, c, full)
				}
			})
			err := f.Read(func(pix []byte) {
				for _, c := range corners {
					if got := get(g, pix, c); got != full {
						t.Errorf("%s at %v reads back as %#x, want %#x", channel.name, c, got, full)
					}
				}
				if middle := get(g, pix, image.Pt(g.Width/2, g.Height/2)); middle != 0 {
					t.Errorf("the middle is %#x, want black", middle)
				}
			})
			if err != nil {
				t.Error(err)
			}
			if p.Screenshot == nil {
				continue
			}
			shot := p.Screenshot(t)
			for _, c := range corners {
				at := shot.Bounds().Min.Add(c)
				if r, gr, bl, _ := shot.At(at.X, at.Y).RGBA(); r != channel.r || gr != channel.g || bl != channel.b {
					t.Errorf("%s at %v is seen as %#x %#x %#x", channel.name, c, r, gr, bl)
				}
			}
		}
	})

	h.test(t, "blank", func(t *testing.T, b hw.Board) {
		f := open(t, b)
		for _, off := range []bool{true, false, false} {
			if err := f.Blank(off); err != nil && !errors.Is(err, hw.ErrUnsupported) {
				t.Errorf("Blank(%v): %v", off, err)
			}
		}
	})

	h.test(t, "several goroutines", func(t *testing.T, b hw.Board) {
		f := open(t, b)
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				for range 20 {
					_ = f.Draw(func(pix []byte) { pix[0] = byte(i) })
					_ = f.Read(func(pix []byte) { _ = pix[0] })
				}
			})
		}
		group.Go(func() { _ = f.Close() })
		group.Wait()
	})

	h.test(t, "close and open again", func(t *testing.T, b hw.Board) {
		for range 3 {
			f := open(t, b)
			draw(t, f, func(pix []byte) { pix[0] = 0xFF })
			for range 2 {
				if err := f.Close(); err != nil {
					t.Fatalf("close: %v", err)
				}
			}
			touched := false
			if err := f.Draw(func([]byte) { touched = true }); err == nil || touched {
				t.Error("a closed screen was drawn on")
			}
		}
	})

	h.test(t, "vanished and back", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Vanish != nil, "the harness cannot take the screen away")
		f := open(t, b)
		bring := sync.OnceFunc(p.Vanish(t))
		defer bring()
		if err := f.Draw(func([]byte) { t.Error("drawn on a screen that is gone") }); !errors.Is(err, hw.ErrGone) {
			t.Errorf("draw: %v, want %v", err, hw.ErrGone)
		}
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if again, err := b.OpenFramebuffer(p.Device); !errors.Is(err, hw.ErrNotFound) {
			if err == nil {
				_ = again.Close()
			}
			t.Errorf("open: %v, want %v", err, hw.ErrNotFound)
		}
		bring()
		draw(t, open(t, b), func(pix []byte) { pix[0] = 1 })
	})
}

func put(g hw.Geometry, pix []byte, at image.Point, v uint32) {
	for i := range g.BitsPerPixel / 8 {
		pix[at.Y*g.Stride+at.X*g.BitsPerPixel/8+i] = byte(v >> (8 * i))
	}
}

func get(g hw.Geometry, pix []byte, at image.Point) uint32 {
	var v uint32
	for i := range g.BitsPerPixel / 8 {
		v |= uint32(pix[at.Y*g.Stride+at.X*g.BitsPerPixel/8+i]) << (8 * i)
	}
	return v
}
