package mjpeg

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"pithings/hw"
)

// scene is a picture of smooth shades, edges and some noise, in full-range
// Y'CbCr 4:2:2. It stands for what a camera sees.
func scene(w, h int) *image.YCbCr { return sceneIn(w, h, image.YCbCrSubsampleRatio422) }

func sceneIn(w, h int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	rnd := rand.New(rand.NewPCG(1, 2))
	clip := func(v float64) byte { return byte(min(max(v, 0), 255)) }
	for y := range h {
		for x := range w {
			v := 120 + 70*math.Sin(float64(x)/37)*math.Cos(float64(y)/23)
			if (x/40+y/30)%5 == 0 {
				v += 50
			}
			m.Y[m.YOffset(x, y)] = clip(v + rnd.Float64()*4 - 2)
			m.Cb[m.COffset(x, y)] = clip(128 + 60*math.Sin(float64(x+y)/91))
			m.Cr[m.COffset(x, y)] = clip(128 + 60*math.Cos(float64(x-y)/71))
		}
	}
	return m
}

// pack lays a picture out as YUYV rows with some bytes between them. Limited
// range is made the way a camera does, by rounding.
func pack(m *image.YCbCr, padding int, full bool) Frame { return packAs(m, hw.YUYV, padding, full) }

func decode(t testing.TB, data []byte) *image.YCbCr {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("image/jpeg does not read it: %v", err)
	}
	y, ok := m.(*image.YCbCr)
	if !ok {
		t.Fatalf("decoded to %T", m)
	}
	return y
}

// psnr compares one plane over the picture's own pixels, in dB.
func psnr(a, b *image.YCbCr, plane func(m *image.YCbCr, x, y int) byte) float64 {
	var sum float64
	r := a.Rect
	for y := range r.Dy() {
		for x := range r.Dx() {
			d := float64(plane(a, x, y)) - float64(plane(b, x, y))
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(r.Dx()*r.Dy())/max(sum, 1e-9))
}

var planes = map[string]func(m *image.YCbCr, x, y int) byte{
	"Y":  func(m *image.YCbCr, x, y int) byte { return m.Y[m.YOffset(x, y)] },
	"Cb": func(m *image.YCbCr, x, y int) byte { return m.Cb[m.COffset(x, y)] },
	"Cr": func(m *image.YCbCr, x, y int) byte { return m.Cr[m.COffset(x, y)] },
}

func TestEncodeKeepsThePicture(t *testing.T) {
	for _, size := range []image.Point{{320, 240}, {160, 120}, {16, 8}, {17, 9}, {15, 7}, {31, 33}, {2, 1}, {98, 50}} {
		for _, full := range []bool{true, false} {
			for _, padding := range []int{0, 64} {
				t.Run(fmt.Sprintf("%dx%d full=%v padding=%d", size.X, size.Y, full, padding), func(t *testing.T) {
					want := scene(size.X, size.Y)
					data, err := NewEncoder(85).Append(nil, pack(want, padding, full))
					if err != nil {
						t.Fatal(err)
					}
					got := decode(t, data)
					if got.Rect.Size() != size || got.SubsampleRatio != image.YCbCrSubsampleRatio422 {
						t.Fatalf("got %v in %v", got.Rect.Size(), got.SubsampleRatio)
					}
					for name, plane := range planes {
						// The chroma tables are coarser than the luma table. An odd
						// last column has no Cr of its own.
						if size.X%2 == 1 && name == "Cr" {
							continue
						}
						if db := psnr(want, got, plane); db < 38 {
							t.Errorf("%s differs: %.1f dB", name, db)
						}
					}
				})
			}
		}
	}
}

func TestEncodeIsAsGoodAsTheReference(t *testing.T) {
	// image/jpeg at the same quality uses the same quantisation, so the error of
	// luma must be the same but for rounding.
	want := scene(320, 240)
	for _, quality := range []int{1, 30, 50, 75, 85, 95, 100} {
		data, err := NewEncoder(quality).Append(nil, pack(want, 0, true))
		if err != nil {
			t.Fatal(err)
		}
		var ref bytes.Buffer
		if err := jpeg.Encode(&ref, want, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		ours := psnr(want, decode(t, data), planes["Y"])
		theirs := psnr(want, decode(t, ref.Bytes()), planes["Y"])
		t.Logf("quality %d: %.2f dB in %d bytes, reference %.2f dB in %d (4:2:0)", quality, ours, len(data), theirs, ref.Len())
		if ours < theirs-0.3 {
			t.Errorf("quality %d: %.2f dB, reference has %.2f dB", quality, ours, theirs)
		}
	}
}

func TestEncodeExtremes(t *testing.T) {
	// Blocks that drive each coefficient as far as samples can, at the quality
	// that divides the least: nothing may overflow, in 32 bits either.
	for _, quality := range []int{100, 50, 1} {
		for _, full := range []bool{true, false} {
			e := NewEncoder(quality)
			for k := range 64 {
				for _, invert := range []bool{false, true} {
					u, v := k%8, k/8
					sample := func(x, y int) byte {
						b := math.Cos(float64(2*(x%8)+1)*float64(u)*math.Pi/16) * math.Cos(float64(2*(y%8)+1)*float64(v)*math.Pi/16)
						if (b > 0) != invert {
							return 255
						}
						return 0
					}
					f := Frame{Pixel: hw.YUYV, Stride: 64, Width: 32, Height: 8, FullRange: full, Pix: make([]byte, 64*8)}
					for y := range 8 {
						for x := range 32 {
							f.Pix[y*64+2*x] = sample(x, y) // the same pattern in each block
							f.Pix[y*64+2*x+1] = sample(x/2, y)
						}
					}
					data, err := e.Append(nil, f)
					if err != nil {
						t.Fatal(err)
					}
					got := decode(t, data)
					if quality != 100 {
						continue
					}
					for y := range 8 {
						for x := range 32 {
							if d := int(got.Y[got.YOffset(x, y)]) - int(sample(x, y)); d < -3 || d > 3 {
								t.Fatalf("coefficient %d,%d full=%v: luma at %d,%d is %d, want %d", u, v, full, x, y, got.Y[got.YOffset(x, y)], sample(x, y))
							}
						}
					}
				}
			}
		}
	}
}

func TestEncodeRange(t *testing.T) {
	// Black and white of either range have to come out as JPEG's black and white.
	for _, tt := range []struct {
		name     string
		full     bool
		y, u     byte
		wantY    int
		wantChro int
	}{
		{"limited black", false, 16, 128, 0, 128},
		{"limited white", false, 235, 128, 255, 128},
		{"limited grey", false, 126, 128, 128, 128},
		{"below limited black", false, 1, 128, 0, 128},
		{"above limited white", false, 254, 128, 255, 128},
		{"limited strong colour", false, 126, 240, 128, 255},
		{"full black", true, 0, 128, 0, 128},
		{"full white", true, 255, 128, 255, 128},
		{"full strong colour", true, 128, 255, 128, 255},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := Frame{Pixel: hw.YUYV, Stride: 64, Width: 32, Height: 16, FullRange: tt.full}
			f.Pix = bytes.Repeat([]byte{tt.y, tt.u}, 32*16)
			data, err := NewEncoder(95).Append(nil, f)
			if err != nil {
				t.Fatal(err)
			}
			m := decode(t, data)
			if y := int(m.Y[0]); y < tt.wantY-1 || y > tt.wantY+1 {
				t.Errorf("luma %d, want %d", y, tt.wantY)
			}
			if c := int(m.Cb[0]); c < tt.wantChro-1 || c > tt.wantChro+1 {
				t.Errorf("chroma %d, want %d", c, tt.wantChro)
			}
		})
	}
}

func TestEncodeNoise(t *testing.T) {
	// Noise makes long codes, runs and stuffed bytes of all kinds.
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 100 {
		f := Frame{Pixel: rawFormats[i%len(rawFormats)], Width: 1 + rnd.IntN(80), Height: 1 + rnd.IntN(40), FullRange: i%2 == 0}
		f.Stride = f.Pixel.RowBytes(f.Width) + rnd.IntN(9)
		f.Pix = make([]byte, hw.LayoutOf(f.Pixel, f.Width, f.Height, f.Stride).Least())
		for j := range f.Pix {
			f.Pix[j] = byte(rnd.Uint32())
		}
		data, err := NewEncoder(1+rnd.IntN(100)).Append(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil || got.Bounds().Dx() != f.Width || got.Bounds().Dy() != f.Height {
			t.Fatalf("%v: got %v (%v), want %dx%d", f.Pixel, got, err, f.Width, f.Height)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    Frame
	}{
		{"no pixels", Frame{Pixel: hw.YUYV, Stride: 16}},
		{"rows too short", Frame{Pixel: hw.YUYV, Pix: make([]byte, 800), Stride: 15, Width: 8, Height: 4}},
		{"frame cut short", Frame{Pixel: hw.YUYV, Pix: make([]byte, 63), Stride: 16, Width: 8, Height: 4}},
		{"too wide", Frame{Pixel: hw.YUYV, Pix: make([]byte, 1<<18), Stride: 1 << 18, Width: 1 << 16, Height: 1}},
		{"negative", Frame{Pixel: hw.YUYV, Pix: make([]byte, 64), Stride: 16, Width: 8, Height: -4}},
	} {
		if out, err := NewEncoder(85).Append([]byte("x"), tt.f); err == nil || len(out) != 1 {
			t.Errorf("%s: %d bytes, error %v", tt.name, len(out), err)
		}
	}
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	f := pack(scene(322, 242), 0, false)
	e := NewEncoder(85)
	buf, err := e.Append(nil, f)
	if err != nil {
		t.Fatal(err)
	}
	buf = make([]byte, 0, 2*len(buf))
	if n := testing.AllocsPerRun(5, func() { buf, _ = e.Append(buf[:0], f) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// The two benchmarks code the same scene at the same quality; image/jpeg has no
// 4:2:2 and codes a third fewer blocks.
func BenchmarkEncode(b *testing.B) {
	for _, size := range []image.Point{{640, 480}, {1280, 720}, {1920, 1080}} {
		m := scene(size.X, size.Y)
		f := pack(m, 0, false)
		b.Run(fmt.Sprintf("%dx%d/yuyv", size.X, size.Y), func(b *testing.B) {
			e := NewEncoder(75)
			buf := make([]byte, 0, 1<<20)
			b.ReportAllocs()
			b.SetBytes(int64(len(f.Pix)))
			for b.Loop() {
				buf, _ = e.Append(buf[:0], f)
			}
			b.ReportMetric(float64(len(buf)), "jpeg-bytes")
		})
		b.Run(fmt.Sprintf("%dx%d/image-jpeg", size.X, size.Y), func(b *testing.B) {
			var buf bytes.Buffer
			b.ReportAllocs()
			b.SetBytes(int64(len(f.Pix)))
			for b.Loop() {
				buf.Reset()
				if err := jpeg.Encode(&buf, m, &jpeg.Options{Quality: 75}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(buf.Len()), "jpeg-bytes")
		})
	}
}
