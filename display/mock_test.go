package display

import (
	"context"
	"errors"
	"testing"

	"pithings/hw"
	"pithings/hw/mock"
)

// TestOnTheSimulatedBoard holds the screen against the board that --mock uses,
// with its faults.
func TestOnTheSimulatedBoard(t *testing.T) {
	ctx := context.Background()
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			board := mock.New(mock.Options{Screen: l.geo})
			part := board.Framebuffer("/dev/fb0")
			s := New(board, "/dev/fb0", Opts{Rotate: 180}, quiet)
			defer s.Close()
			img := corners(64, 48)
			shown := func() {
				t.Helper()
				got := part.Image()
				want := expected(img, Contain, 1, 180, l.geo.Width, l.geo.Height)
				for y := range l.geo.Height {
					for x := range l.geo.Width {
						g, w := got.RGBAAt(x, y), want.NRGBAAt(x, y)
						w2 := w
						w2.R, w2.G, w2.B = g.R, g.G, g.B
						if !near(w2, w, 9+step(l.geo)) {
							t.Fatalf("pixel %d,%d is %v, want %v", x, y, g, w)
						}
					}
				}
			}
			if err := s.Show(ctx, dataURI(t, img)); err != nil {
				t.Fatal(err)
			}
			shown()

			part.Unplug()
			if err := s.Check(ctx); !errors.Is(err, hw.ErrGone) {
				t.Errorf("unplugged: %v", err)
			}
			if err := s.Show(ctx, dataURI(t, img)); !errors.Is(err, hw.ErrNotFound) {
				t.Errorf("still unplugged: %v", err)
			}
			part.Replug()
			if err := s.Show(ctx, dataURI(t, img)); err != nil {
				t.Fatal(err)
			}
			shown()

			part.SetMode(l.geo)
			if err := s.ShowImage(ctx, img); err != nil {
				t.Fatal(err)
			}
			shown()
			if err := s.Close(); err != nil || part.InUse() {
				t.Errorf("close: %v, in use: %v", err, part.InUse())
			}
		})
	}
}
