package mock

import (
	"fmt"
	"image"
	"image/color"
	"os"

	"pithings/hw"
)

// Framebuffer is a simulated screen.
type Framebuffer struct {
	part
	geometry hw.Geometry
	pix      []byte
	pixLife  int // the life that pix belongs to
	blank    bool
	noBlank  bool
}

func newFramebuffer(name string, g hw.Geometry) *Framebuffer {
	return &Framebuffer{part: newPart(name), geometry: g}
}

// SetMode changes the layout: what is open has gone, what is opened next has
// the new one.
func (f *Framebuffer) SetMode(g hw.Geometry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.geometry, f.pix = g, nil
	f.life++
}

// SetNoBlank makes a screen that cannot be blanked.
func (f *Framebuffer) SetNoBlank(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noBlank = on
}

// Blanked reports whether the picture is switched off.
func (f *Framebuffer) Blanked() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blank
}

// Image is what the screen shows, black while it is blanked and after it was
// given back to the console.
func (f *Framebuffer) Image() *image.RGBA {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.geometry
	img := image.NewRGBA(image.Rect(0, 0, g.Width, g.Height))
	for y := range g.Height {
		for x := range g.Width {
			c := color.RGBA{A: 0xFF}
			if f.pix != nil && f.pixLife == f.life && !f.blank {
				c = pixel(g, f.pix, x, y)
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

// pixel takes one pixel apart.
func pixel(g hw.Geometry, pix []byte, x, y int) color.RGBA {
	bytes := g.BitsPerPixel / 8
	at := y*g.Stride + x*bytes
	var v uint32
	for i := range bytes {
		v |= uint32(pix[at+i]) << (8 * i)
	}
	channel := func(b hw.Bitfield) uint8 {
		top := uint32(1)<<b.Length - 1
		return uint8(((v>>b.Offset&top)*255 + top/2) / top)
	}
	return color.RGBA{R: channel(g.Red), G: channel(g.Green), B: channel(g.Blue), A: 0xFF}
}

func (f *Framebuffer) open() (*screen, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.geometry.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	life, err := f.claim(false)
	if err != nil {
		return nil, err
	}
	if f.pix == nil || f.pixLife != life {
		f.pix, f.pixLife, f.blank = make([]byte, f.geometry.Stride*f.geometry.Height), life, false
	}
	return &screen{fb: f, life: life, geometry: f.geometry}, nil
}

// screen is an open framebuffer. Its field closed is guarded by fb.mu.
type screen struct {
	fb       *Framebuffer
	life     int
	geometry hw.Geometry
	closed   bool
}

var _ hw.Framebuffer = (*screen)(nil)

func (s *screen) String() string        { return s.fb.name + " (simulated)" }
func (s *screen) Geometry() hw.Geometry { return s.geometry }

func (s *screen) usable() error {
	if s.closed {
		return fmt.Errorf("%s: %w", s.fb.name, os.ErrClosed)
	}
	return s.fb.alive(s.life)
}

// Draw implements [hw.Framebuffer].
func (s *screen) Draw(paint func(pix []byte)) error {
	s.fb.mu.Lock()
	defer s.fb.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	paint(s.fb.pix)
	return nil
}

// Read implements [hw.Framebuffer].
func (s *screen) Read(look func(pix []byte)) error { return s.Draw(look) }

// Blank implements [hw.Framebuffer].
func (s *screen) Blank(off bool) error {
	s.fb.mu.Lock()
	defer s.fb.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if s.fb.noBlank {
		return fmt.Errorf("%s: blanking is %w by this screen", s.fb.name, hw.ErrUnsupported)
	}
	s.fb.blank = off
	return nil
}

// Close implements [hw.Framebuffer]. The console's own picture is black.
func (s *screen) Close() error {
	f := s.fb
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	f.opened--
	if f.opened == 0 {
		f.pix, f.blank = nil, false
	}
	return nil
}
