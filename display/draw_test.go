package display

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"testing"

	xdraw "golang.org/x/image/draw"

	"pithings/hw"
)

// expected computes the whole screen the plain way: turn the picture pixel by
// pixel, then scale it with another library onto black.
func expected(img image.Image, fit Fit, orientation, rotate, w, h int) *image.NRGBA {
	b := img.Bounds()
	turned := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(turned, turned.Bounds(), image.NewUniform(color.Black), image.Point{}, draw.Src)
	draw.Draw(turned, turned.Bounds(), img, b.Min, draw.Over)
	mirror := func(m *image.RGBA) *image.RGBA {
		out := image.NewRGBA(m.Bounds())
		for y := range m.Bounds().Dy() {
			for x := range m.Bounds().Dx() {
				out.SetRGBA(m.Bounds().Dx()-1-x, y, m.RGBAAt(x, y))
			}
		}
		return out
	}
	clockwise := func(m *image.RGBA) *image.RGBA {
		out := image.NewRGBA(image.Rect(0, 0, m.Bounds().Dy(), m.Bounds().Dx()))
		for y := range m.Bounds().Dy() {
			for x := range m.Bounds().Dx() {
				out.SetRGBA(m.Bounds().Dy()-1-y, x, m.RGBAAt(x, y))
			}
		}
		return out
	}
	// Orientations as mirroring, then quarter turns.
	steps := map[int]struct {
		mirror bool
		turns  int
	}{1: {false, 0}, 2: {true, 0}, 3: {false, 2}, 4: {true, 2}, 5: {true, 3}, 6: {false, 1}, 7: {true, 1}, 8: {false, 3}}[orientation]
	if steps.mirror {
		turned = mirror(turned)
	}
	for range steps.turns + rotate/90 {
		turned = clockwise(turned)
	}

	tw, th := turned.Bounds().Dx(), turned.Bounds().Dy()
	sx, sy := float64(w)/float64(tw), float64(h)/float64(th)
	scale := min(sx, sy)
	if fit == Cover {
		scale = max(sx, sy)
	}
	onW, onH := max(1, int(float64(tw)*scale+0.5)), max(1, int(float64(th)*scale+0.5))
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.Black), image.Point{}, draw.Src)
	left, top := (w-onW)/2, (h-onH)/2
	if onW > w {
		left = -(onW - w) / 2
	}
	if onH > h {
		top = -(onH - h) / 2
	}
	xdraw.BiLinear.Scale(out, image.Rect(left, top, left+onW, top+onH), turned, turned.Bounds(), draw.Src, nil)
	return out
}

// compare fails the test if a pixel of the screen is not what it should be.
func compare(t *testing.T, f *fakeScreen, want *image.NRGBA, tolerance int) {
	t.Helper()
	for y := range f.geo.Height {
		for x := range f.geo.Width {
			got, w := f.at(x, y), want.NRGBAAt(x, y)
			if got.A != 255 {
				t.Fatalf("pixel %d,%d is not opaque", x, y)
			}
			if !near(got, w, tolerance) {
				t.Fatalf("pixel %d,%d is %v, want %v ± %d", x, y, got, w, tolerance)
			}
		}
	}
	f.intact(t)
}

// step is the largest error that a screen's depth makes.
func step(g hw.Geometry) int { return (255>>min(g.Red.Length, g.Green.Length, g.Blue.Length) + 1) / 2 }

func TestEveryTurnOnEveryScreen(t *testing.T) {
	sources := map[string]image.Image{
		"planes 4:2:0": toYCbCr(corners(64, 64*3/4), image.YCbCrSubsampleRatio420),
		"RGBA":         corners(48, 64),
	}
	for _, l := range layouts {
		for name, img := range sources {
			for _, fit := range []Fit{Contain, Cover} {
				for orientation := 1; orientation <= 8; orientation++ {
					for rotate := 0; rotate < 360; rotate += 90 {
						t.Run(fmt.Sprintf("%s/%s/%v/exif %d/rotate %d", l.name, name, fit, orientation, rotate), func(t *testing.T) {
							f := newFake(l.geo)
							b := newBlitter(l.geo)
							b.src.open(img)
							if err := b.draw(f.pix, fit, turnOf(orientation, rotate)); err != nil {
								t.Fatal(err)
							}
							compare(t, f, expected(img, fit, orientation, rotate, l.geo.Width, l.geo.Height), 9+step(l.geo))
						})
					}
				}
			}
		}
	}
}

func TestEverySizeOfPicture(t *testing.T) {
	// The picture is smooth, so the ways to scale it hardly differ.
	for _, size := range []image.Point{{1, 1}, {2, 1}, {3, 200}, {80, 48}, {81, 49}, {160, 96}, {201, 121}, {90, 300}} {
		for _, fit := range []Fit{Contain, Cover} {
			for name, convert := range kinds {
				t.Run(fmt.Sprintf("%dx%d/%v/%s", size.X, size.Y, fit, name), func(t *testing.T) {
					img := convert(corners(size.X, size.Y))
					f := newFake(xrgb8888)
					b := newBlitter(f.geo)
					b.src.open(img)
					if err := b.draw(f.pix, fit, turnOf(1, 0)); err != nil {
						t.Fatal(err)
					}
					tolerance := 8
					if min(size.X, size.Y) < 10 {
						tolerance = 75 // subsampled chroma of a few pixels is a coarse thing
					}
					compare(t, f, expected(img, fit, 1, 0, 80, 48), tolerance)
				})
			}
		}
	}
}

// kinds are the picture types that decoders return.
var kinds = map[string]func(image.Image) image.Image{
	"RGBA":  func(m image.Image) image.Image { return m },
	"4:4:4": func(m image.Image) image.Image { return toYCbCr(m, image.YCbCrSubsampleRatio444) },
	"4:2:2": func(m image.Image) image.Image { return toYCbCr(m, image.YCbCrSubsampleRatio422) },
	"4:2:0": func(m image.Image) image.Image { return toYCbCr(m, image.YCbCrSubsampleRatio420) },
	"4:4:0": func(m image.Image) image.Image { return toYCbCr(m, image.YCbCrSubsampleRatio440) },
	"4:1:1": func(m image.Image) image.Image { return toYCbCr(m, image.YCbCrSubsampleRatio411) },
	"grey": func(m image.Image) image.Image {
		g := image.NewGray(m.Bounds())
		draw.Draw(g, g.Bounds(), m, m.Bounds().Min, draw.Src)
		return g
	},
	"NRGBA half clear": func(m image.Image) image.Image {
		out := image.NewNRGBA(m.Bounds())
		for i := range m.Bounds().Dx() * m.Bounds().Dy() {
			x, y := i%m.Bounds().Dx(), i/m.Bounds().Dx()
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			c.A = 100
			out.SetNRGBA(x, y, c)
		}
		return out
	},
	"16-bit": func(m image.Image) image.Image {
		out := image.NewNRGBA64(m.Bounds())
		draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Src)
		return out
	},
	"CMYK": func(m image.Image) image.Image {
		out := image.NewCMYK(m.Bounds())
		draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Src)
		return out
	},
	"own type": func(m image.Image) image.Image { return struct{ image.Image }{m} },
	"part of a larger picture": func(m image.Image) image.Image {
		b := m.Bounds()
		out := image.NewRGBA(image.Rect(-5, -3, b.Dx()+9, b.Dy()+4))
		draw.Draw(out, b, m, b.Min, draw.Src)
		return out.SubImage(b)
	},
	"part of larger planes": func(m image.Image) image.Image {
		b := m.Bounds()
		whole := image.NewRGBA(image.Rect(0, 0, b.Dx()+3, b.Dy()+3))
		draw.Draw(whole, b.Add(image.Pt(1, 1)), m, b.Min, draw.Src)
		for y := range whole.Rect.Dy() { // the edge's colours continue outside
			for x := range whole.Rect.Dx() {
				whole.Set(x, y, m.At(min(max(x-1, 0), b.Dx()-1), min(max(y-1, 0), b.Dy()-1)))
			}
		}
		return toYCbCr(whole, image.YCbCrSubsampleRatio420).SubImage(b.Add(image.Pt(1, 1)))
	},
}

func TestColoursOneToOne(t *testing.T) {
	// Every colour of a lattice, unscaled: nothing but rounding may differ.
	img := image.NewYCbCr(image.Rect(0, 0, 80, 48), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = byte(i * 37)
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = byte(i*53), byte(i*101)
	}
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			f := newFake(l.geo)
			s := newScreen(t, f, Opts{})
			if err := s.ShowImage(context.Background(), img); err != nil {
				t.Fatal(err)
			}
			for y := range 48 {
				for x := range 80 {
					r, g, b := color.YCbCrToRGB(img.Y[img.YOffset(x, y)], img.Cb[img.COffset(x, y)], img.Cr[img.COffset(x, y)])
					if got := f.at(x, y); !near(got, color.NRGBA{r, g, b, 255}, 1+step(l.geo)) {
						t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, [3]uint8{r, g, b})
					}
				}
			}
		})
	}
}

func TestFinePatternsBecomeGrey(t *testing.T) {
	// One-pixel lines at a size whose scaling factor of 8.1 would pick
	// some lines and skip others if it looked at two pixels only.
	for name, line := range map[string]func(x, y int) bool{
		"upright": func(x, _ int) bool { return x%2 == 0 },
		"level":   func(_, y int) bool { return y%2 == 0 },
		"checker": func(x, y int) bool { return (x+y)%2 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			img := image.NewGray(image.Rect(0, 0, 648, 389))
			for i := range img.Pix {
				if line(i%648, i/648) {
					img.Pix[i] = 255
				}
			}
			f := newFake(xrgb8888)
			s := newScreen(t, f, Opts{})
			if err := s.ShowImage(context.Background(), img); err != nil {
				t.Fatal(err)
			}
			for x := range 80 {
				if c := f.at(x, 24); !near(c, color.NRGBA{128, 128, 128, 255}, 10) {
					t.Fatalf("pixel %d of the middle row is %v, want mid grey", x, c)
				}
			}
		})
	}
}

func TestWhiteIsWhiteAndBlackIsBlack(t *testing.T) {
	for _, l := range layouts {
		for _, v := range []uint8{0, 255} {
			img := image.NewUniform(color.Gray{v})
			f := newFake(l.geo)
			b := newBlitter(l.geo)
			b.src.open(cropped{img, image.Rect(0, 0, 33, 21)})
			if err := b.draw(f.pix, Cover, turnOf(1, 90)); err != nil {
				t.Fatal(err)
			}
			if c := f.at(40, 24); c.R != v || c.G != v || c.B != v {
				t.Errorf("%s: %d became %v", l.name, v, c)
			}
		}
	}
}

type cropped struct {
	image.Image
	r image.Rectangle
}

func (c cropped) Bounds() image.Rectangle { return c.r }

func TestWeightsAddUp(t *testing.T) {
	var a axis
	for _, tc := range []struct {
		n, size    int
		from, step float64
	}{{80, 80, 0, 1}, {80, 81, 0, 81. / 80}, {3, 65535, 0, 21845}, {100, 1, 0, .01}, {7, 20, 3.3, 2.01}, {480, 33, 0.5, 33. / 480 / 2}, {5, 4, 0, 2.5}} {
		a.set(tc.n, tc.size, tc.from, tc.step)
		for i := range tc.n {
			sum := 0
			for _, w := range a.weights(i) {
				sum += int(w)
			}
			if sum != 256 || a.start[i] < 0 || int(a.start[i]+a.count[i]) > tc.size {
				t.Errorf("%+v: output %d takes %d inputs from %d on with a weight of %d", tc, i, a.count[i], a.start[i], sum)
			}
		}
	}
}
