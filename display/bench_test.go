package display

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"pithings/hw"

	xdraw "golang.org/x/image/draw"
)

// scene is a picture with as much detail as a webcam's.
func scene(w, h int) image.Image {
	r := rand.New(rand.NewPCG(1, 2))
	img := corners(w, h)
	for i := range img.Pix {
		if i%4 != 3 {
			img.Pix[i] = byte(min(max(int(img.Pix[i])+r.IntN(12)-6, 0), 255))
		}
	}
	for i := range 200 {
		c := color.RGBA{byte(i * 7), byte(i * 31), byte(i * 101), 255}
		x, y := r.IntN(w-40), r.IntN(h-40)
		xdraw.Draw(img, image.Rect(x, y, x+40, y+r.IntN(40)), image.NewUniform(c), image.Point{}, xdraw.Src)
	}
	return img
}

func lcd565(w, h int) hw.Geometry {
	g := rgb565
	g.Width, g.Height, g.Stride = w, h, 2*w
	return g
}

var benchSizes = []struct{ w, h, onW, onH int }{
	{1280, 720, 1280, 720},
	{1280, 720, 800, 450},
	{1920, 1080, 800, 450},
	{640, 480, 800, 480},
	{4000, 3000, 800, 480},
}

// BenchmarkBlit is scaling and converting alone, ours and the usual Go way, on
// planes and on RGBA.
func BenchmarkBlit(b *testing.B) {
	for _, s := range benchSizes {
		img := scene(s.w, s.h)
		planes := toYCbCr(img, image.YCbCrSubsampleRatio420)
		g := lcd565(s.onW, s.onH)
		pix := make([]byte, g.Stride*g.Height)
		name := fmt.Sprintf("%dx%d to %dx%d", s.w, s.h, s.onW, s.onH)
		for kind, src := range map[string]image.Image{"planes": planes, "RGBA": img} {
			for _, rotate := range []int{0, 90} {
				b.Run(fmt.Sprintf("%s/%s rotate %d", name, kind, rotate), func(b *testing.B) {
					blit := newBlitter(g)
					b.ReportAllocs()
					b.SetBytes(int64(s.w * s.h))
					for b.Loop() {
						blit.src.open(src)
						if err := blit.draw(pix, Contain, turnOf(1, rotate)); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
		fit := fitPicture(Contain, turnOf(1, 0), s.w, s.h, s.onW, s.onH)
		b.Run(name+"/x-image BiLinear", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(s.w * s.h))
			for b.Loop() {
				plainBlit(pix, planes, fit.outW, fit.outH)
			}
		})
	}
}

// BenchmarkJPEG is the whole way from a JPEG file to RGB565.
func BenchmarkJPEG(b *testing.B) {
	for _, s := range benchSizes {
		var file bytes.Buffer
		if err := jpeg.Encode(&file, scene(s.w, s.h), &jpeg.Options{Quality: 75}); err != nil {
			b.Fatal(err)
		}
		g := lcd565(s.onW, s.onH)
		pix := make([]byte, g.Stride*g.Height)
		name := fmt.Sprintf("%dx%d to %dx%d", s.w, s.h, s.onW, s.onH)
		b.Run(name+"/ours", func(b *testing.B) {
			blit := newBlitter(g)
			b.ReportAllocs()
			for b.Loop() {
				p, err := decode(b.Context(), file.Bytes(), DecodeOpts{})
				if err != nil {
					b.Fatal(err)
				}
				blit.src.open(p.Image)
				blit.src.smooth = p.decoded
				if err := blit.draw(pix, Contain, turnOf(1, 0)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/decode only", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jpeg.Decode(bytes.NewReader(file.Bytes())); err != nil {
					b.Fatal(err)
				}
			}
		})
		fit := fitPicture(Contain, turnOf(1, 0), s.w, s.h, s.onW, s.onH)
		b.Run(name+"/x-image BiLinear", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				img, err := jpeg.Decode(bytes.NewReader(file.Bytes()))
				if err != nil {
					b.Fatal(err)
				}
				plainBlit(pix, img, fit.outW, fit.outH)
			}
		})
	}
}

// plainBlit is how Go programs usually do it.
func plainBlit(pix []byte, img image.Image, w, h int) {
	rgba := image.NewRGBA(image.Rect(0, 0, w, h))
	xdraw.BiLinear.Scale(rgba, rgba.Bounds(), img, img.Bounds(), xdraw.Src, nil)
	for i := range w * h {
		p := rgba.Pix[4*i : 4*i+4]
		binary.LittleEndian.PutUint16(pix[2*i:], uint16(p[0]>>3)<<11|uint16(p[1]>>2)<<5|uint16(p[2]>>3))
	}
}
