package mjpeg

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"testing"

	"pithings/hw"
)

var rawFormats = []hw.PixelFormat{hw.YUYV, hw.UYVY, hw.YU12, hw.NV12, hw.GREY}

// ratioOf is the sampling of a format, and so of its JPEG.
func ratioOf(f hw.PixelFormat) image.YCbCrSubsampleRatio {
	if f == hw.YUYV || f == hw.UYVY {
		return image.YCbCrSubsampleRatio422
	}
	return image.YCbCrSubsampleRatio420
}

// packAs lays a picture out in a format. Its bytes between the samples are 0xAA.
func packAs(m *image.YCbCr, f hw.PixelFormat, padding int, full bool) Frame {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	p := Frame{Pixel: f, Stride: f.RowBytes(w) + padding, Width: w, Height: h, FullRange: full}
	l := hw.LayoutOf(f, w, h, p.Stride)
	p.Pix = bytes.Repeat([]byte{0xAA}, l.Bytes)
	luma := func(v byte) byte { return v }
	chroma := luma
	if !full {
		luma = func(v byte) byte { return byte(16.5 + float64(v)*219/255) }
		chroma = func(v byte) byte { return byte(128.5 + (float64(v)-128)*224/255) }
	}
	put := func(to hw.Plane, from []byte, stride int, convert func(byte) byte) {
		for y := range to.Height {
			for x := range to.Width {
				p.Pix[to.At(x, y)] = convert(from[y*stride+x])
			}
		}
	}
	put(l.Y, m.Y, m.YStride, luma)
	put(l.Cb, m.Cb, m.CStride, chroma)
	put(l.Cr, m.Cr, m.CStride, chroma)
	return p
}

func TestEncodeKeepsThePictureOfEachFormat(t *testing.T) {
	for _, f := range rawFormats {
		for _, size := range []image.Point{{160, 120}, {16, 16}, {17, 17}, {15, 7}, {31, 33}, {1, 1}, {2, 1}, {1, 2}, {98, 50}} {
			for _, full := range []bool{true, false} {
				for _, padding := range []int{0, 5} {
					want := sceneIn(size.X, size.Y, ratioOf(f))
					data, err := NewEncoder(85).Append(nil, packAs(want, f, padding, full))
					if err != nil {
						t.Fatal(err)
					}
					name := fmt.Sprintf("%v %v full=%v padding=%d", f, size, full, padding)
					decoded, err := jpeg.Decode(bytes.NewReader(data))
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if repaired, got, err := Repair(data); err != nil || got != size || !bytes.Equal(repaired, data) {
						t.Errorf("%s: Repair says %v (%v)", name, got, err)
					}
					if grey, ok := decoded.(*image.Gray); ok != (f == hw.GREY) {
						t.Errorf("%s: a %T", name, decoded)
						continue
					} else if ok {
						if grey.Rect.Size() != size {
							t.Errorf("%s: got %v", name, grey.Rect)
						}
						if db := psnr(want, &image.YCbCr{Y: grey.Pix, YStride: grey.Stride, Rect: grey.Rect}, planes["Y"]); db < 38 {
							t.Errorf("%s: Y differs: %.1f dB", name, db)
						}
						continue
					}
					got := decoded.(*image.YCbCr)
					if got.Rect.Size() != size || got.SubsampleRatio != want.SubsampleRatio {
						t.Errorf("%s: got %v in %v", name, got.Rect.Size(), got.SubsampleRatio)
						continue
					}
					for plane, at := range planes {
						if plane == "Cr" && size.X%2 == 1 && ratioOf(f) == image.YCbCrSubsampleRatio422 {
							continue // an odd last column has none of its own
						}
						if db := psnr(want, got, at); db < 38 {
							t.Errorf("%s: %s differs: %.1f dB", name, plane, db)
						}
					}
				}
			}
		}
	}
}

// The same samples in another order are the same file.
func TestEncodeDoesNotDependOnTheOrderOfSamples(t *testing.T) {
	for _, pair := range [][2]hw.PixelFormat{{hw.YUYV, hw.UYVY}, {hw.YU12, hw.NV12}} {
		for _, size := range []image.Point{{320, 240}, {45, 37}, {3, 5}} {
			m := sceneIn(size.X, size.Y, ratioOf(pair[0]))
			a, err := NewEncoder(85).Append(nil, packAs(m, pair[0], 0, false))
			if err != nil {
				t.Fatal(err)
			}
			b, err := NewEncoder(85).Append(nil, packAs(m, pair[1], 6, false))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Errorf("%v and %v at %v differ", pair[0], pair[1], size)
			}
		}
	}
}

func TestEncodeRangeOfEachFormat(t *testing.T) {
	for _, f := range rawFormats {
		for _, c := range []struct {
			full bool
			y    byte
			want int
		}{{false, 16, 0}, {false, 235, 255}, {true, 0, 0}, {true, 255, 255}, {true, 128, 128}} {
			p := Frame{Pixel: f, Stride: f.RowBytes(32), Width: 32, Height: 16, FullRange: c.full}
			l := hw.LayoutOf(f, p.Width, p.Height, p.Stride)
			p.Pix = bytes.Repeat([]byte{128}, l.Bytes)
			for y := range 16 {
				for x := range 32 {
					p.Pix[l.Y.At(x, y)] = c.y
				}
			}
			data, err := NewEncoder(95).Append(nil, p)
			if err != nil {
				t.Fatal(err)
			}
			m, err := jpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if r, g, b, _ := m.At(5, 5).RGBA(); max(r, g, b)>>8 > uint32(c.want)+1 || int(min(r, g, b)>>8) < c.want-1 {
				t.Errorf("%v full=%v: luma %d is shown as %d %d %d, want %d", f, c.full, c.y, r>>8, g>>8, b>>8, c.want)
			}
		}
	}
}

func TestEncodeRefusesEachFormat(t *testing.T) {
	for _, f := range rawFormats {
		good := packAs(sceneIn(18, 10, ratioOf(f)), f, 2, true)
		least := hw.LayoutOf(f, 18, 10, good.Stride).Least()
		for name, change := range map[string]func(p *Frame){
			"cut short":      func(p *Frame) { p.Pix = p.Pix[:least-1] },
			"rows too short": func(p *Frame) { p.Stride = f.RowBytes(18) - 1 },
			"rows too long":  func(p *Frame) { p.Stride = 1<<20 + 1 },
			"compressed":     func(p *Frame) { p.Pixel = hw.MJPG },
			"no format":      func(p *Frame) { p.Pixel = 0 },
			"too high":       func(p *Frame) { p.Height = 65536 },
			"far too large":  func(p *Frame) { p.Width, p.Height, p.Stride = 65535, 65535, 1<<20 },
			"negative":       func(p *Frame) { p.Width = -18 },
		} {
			p := good
			change(&p)
			if out, err := NewEncoder(85).Append([]byte("x"), p); err == nil || len(out) != 1 {
				t.Errorf("%v %s: %d bytes, error %v", f, name, len(out), err)
			}
		}
		good.Pix = good.Pix[:least] // without the padding of the last row
		if _, err := NewEncoder(85).Append(nil, good); err != nil {
			t.Errorf("%v: %v", f, err)
		}
	}
}

func TestEncodeDoesNotAllocateForAnyFormat(t *testing.T) {
	for _, pixel := range rawFormats {
		f := packAs(sceneIn(322, 242, ratioOf(pixel)), pixel, 0, false)
		e := NewEncoder(85)
		buf := make([]byte, 0, 1<<20)
		if n := testing.AllocsPerRun(5, func() { buf, _ = e.Append(buf[:0], f) }); n != 0 || len(buf) < 1000 {
			t.Errorf("%v: %v allocations a frame of %d bytes", pixel, n, len(buf))
		}
	}
}

// The same scene in each format: 4:2:0 has three quarters of the blocks of 4:2:2, grey half.
func BenchmarkEncodeFormat(b *testing.B) {
	for _, pixel := range rawFormats {
		b.Run(pixel.String(), func(b *testing.B) {
			f := packAs(sceneIn(1280, 720, ratioOf(pixel)), pixel, 0, false)
			e := NewEncoder(75)
			buf := make([]byte, 0, 1<<20)
			b.ReportAllocs()
			b.SetBytes(int64(f.Width * f.Height)) // so that MB/s are megapixels
			for b.Loop() {
				buf, _ = e.Append(buf[:0], f)
			}
			b.ReportMetric(float64(len(buf)), "jpeg-bytes")
		})
	}
}
