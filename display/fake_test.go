package display

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net/url"
	"sync"
	"testing"

	"pithings/hw"
)

// The screens that people have.
var (
	rgb565 = hw.Geometry{Width: 80, Height: 48, Stride: 160, BitsPerPixel: 16,
		Red: hw.Bitfield{Offset: 11, Length: 5}, Green: hw.Bitfield{Offset: 5, Length: 6}, Blue: hw.Bitfield{Offset: 0, Length: 5}}
	xrgb8888 = hw.Geometry{Width: 80, Height: 48, Stride: 320, BitsPerPixel: 32,
		Red: hw.Bitfield{Offset: 16, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 0, Length: 8}}
	argb8888 = hw.Geometry{Width: 80, Height: 48, Stride: 320, BitsPerPixel: 32, Alpha: hw.Bitfield{Offset: 24, Length: 8},
		Red: hw.Bitfield{Offset: 16, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 0, Length: 8}}
	bgr888 = hw.Geometry{Width: 80, Height: 48, Stride: 256, BitsPerPixel: 24,
		Red: hw.Bitfield{Offset: 0, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 16, Length: 8}}
	padded565 = func() hw.Geometry { g := rgb565; g.Stride += 34; return g }()
)

var layouts = []struct {
	name string
	geo  hw.Geometry
}{
	{"RGB565", rgb565},
	{"RGB565 padded", padded565},
	{"XRGB8888", xrgb8888},
	{"ARGB8888", argb8888},
	{"BGR888 padded", bgr888},
}

// fakeScreen is a board with one framebuffer in memory.
type fakeScreen struct {
	hw.Board // the other parts are not there

	mu       sync.Mutex
	geo      hw.Geometry
	pix      []byte
	absent   error // what OpenFramebuffer says, if not nil
	gone     bool  // the open handles have lost the screen
	noBlank  bool
	blanked  bool
	opened   int
	closed   int
	drawings int
}

const untouched = 0x5a // what the memory holds before anything is drawn

func newFake(g hw.Geometry) *fakeScreen {
	return &fakeScreen{geo: g, pix: bytes.Repeat([]byte{untouched}, g.Stride*g.Height)}
}

func (f *fakeScreen) String() string { return "fake board" }

func (f *fakeScreen) OpenFramebuffer(device string) (hw.Framebuffer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.absent != nil {
		return nil, fmt.Errorf("%s: %w", device, f.absent)
	}
	f.opened++
	f.gone = false
	return &fakeHandle{f: f, generation: f.opened}, nil
}

// vanish makes the open handles useless; the screen comes back as g.
func (f *fakeScreen) vanish(g hw.Geometry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.geo = g
	f.pix = make([]byte, g.Stride*g.Height)
}

// at returns a pixel as 8-bit channels, decoded bit by bit.
func (f *fakeScreen) at(x, y int) color.NRGBA {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.geo
	bit := func(n int) int {
		return int(f.pix[y*g.Stride+x*g.BitsPerPixel/8+n/8]>>(n%8)) & 1
	}
	channel := func(b hw.Bitfield) uint8 {
		v := 0
		for i := range b.Length {
			v |= bit(b.Offset+i) << i
		}
		return uint8(float64(v)*255/float64(int(1)<<b.Length-1) + 0.5)
	}
	c := color.NRGBA{R: channel(g.Red), G: channel(g.Green), B: channel(g.Blue), A: 255}
	if g.Alpha.Length > 0 {
		c.A = channel(g.Alpha)
	}
	return c
}

// intact fails the test if a byte between the rows was written.
func (f *fakeScreen) intact(t testing.TB) {
	t.Helper()
	used := f.geo.Width * f.geo.BitsPerPixel / 8
	for y := range f.geo.Height {
		for x := used; x < f.geo.Stride; x++ {
			if f.pix[y*f.geo.Stride+x] != untouched {
				t.Fatalf("byte %d of row %d, beyond the visible %d, was written", x, y, used)
			}
		}
	}
}

func (f *fakeScreen) snapshot() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Clone(f.pix)
}

// isBlack reports whether nothing is shown.
func (f *fakeScreen) isBlack() bool {
	for y := range f.geo.Height {
		for x := range f.geo.Width {
			if c := f.at(x, y); c.R|c.G|c.B != 0 {
				return false
			}
		}
	}
	return true
}

type fakeHandle struct {
	f          *fakeScreen
	generation int
}

func (h *fakeHandle) lost() error {
	if h.f.gone || h.generation != h.f.opened {
		return fmt.Errorf("fake: %w", hw.ErrGone)
	}
	return nil
}

func (h *fakeHandle) String() string        { return "fake screen" }
func (h *fakeHandle) Geometry() hw.Geometry { return h.f.geo }

func (h *fakeHandle) Draw(paint func([]byte)) error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if err := h.lost(); err != nil {
		return err
	}
	h.f.drawings++
	paint(h.f.pix)
	return nil
}

func (h *fakeHandle) Read(look func([]byte)) error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if err := h.lost(); err != nil {
		return err
	}
	look(h.f.pix)
	return nil
}

func (h *fakeHandle) Blank(off bool) error {
	if h.f.noBlank {
		return hw.ErrUnsupported
	}
	h.f.blanked = off
	return nil
}

func (h *fakeHandle) Close() error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	h.f.closed++
	return nil
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// newScreen returns an open screen that stays black until Show.
// anything lets a screen fetch from the tests' own servers on loopback addresses.
func anything(*url.URL) bool { return true }

func newScreen(t testing.TB, f *fakeScreen, o Opts) *Screen {
	t.Helper()
	if o.Fetch.Own == nil {
		o.Fetch.Own = anything
	}
	s := New(f, "/dev/fb0", o, quiet)
	t.Cleanup(func() { s.Close() })
	return s
}

// corners returns a smooth picture whose four corners are red, green, blue and
// white, so that all turns are different.
func corners(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			u, v := float64(x)/float64(max(w-1, 1)), float64(y)/float64(max(h-1, 1))
			mix := func(tl, tr, bl, br float64) uint8 {
				return uint8(tl*(1-u)*(1-v) + tr*u*(1-v) + bl*(1-u)*v + br*u*v + 0.5)
			}
			img.SetRGBA(x, y, color.RGBA{mix(230, 20, 20, 240), mix(20, 220, 30, 240), mix(25, 15, 210, 240), 255})
		}
	}
	return img
}

// toYCbCr converts img to planes.
func toYCbCr(img image.Image, r image.YCbCrSubsampleRatio) *image.YCbCr {
	b := img.Bounds()
	out := image.NewYCbCr(image.Rect(0, 0, b.Dx(), b.Dy()), r)
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.YCbCrModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.YCbCr)
			out.Y[out.YOffset(x, y)] = c.Y
			out.Cb[out.COffset(x, y)], out.Cr[out.COffset(x, y)] = c.Cb, c.Cr
		}
	}
	return out
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withOrientation puts an EXIF orientation into a JPEG file.
func withOrientation(data []byte, o int) []byte {
	exif := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01"), 0, byte(o), 0, 0, 0, 0, 0, 0)
	app1 := append([]byte{0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...)
	return append(append(bytes.Clone(data[:2]), app1...), data[2:]...)
}

func near(a, b color.NRGBA, tolerance int) bool {
	d := func(a, b uint8) bool { return max(int(a)-int(b), int(b)-int(a)) <= tolerance }
	return d(a.R, b.R) && d(a.G, b.G) && d(a.B, b.B)
}
