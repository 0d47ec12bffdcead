package display

import (
	"bytes"
	"context"
	"image"
	"strings"
	"testing"

	"pithings/hw"
)

func FuzzURI(f *testing.F) {
	for _, s := range []string{"http://host/a.jpg", "https://u:p@[::1]:8/?q#f", "data:image/png;base64,iVBORw0KGgo=", "data:,%41%zz",
		"file:///etc/passwd", "file://h/%2e%2e/x", "javascript:1", "//x@y", "", ":", "data:", "http://%zz/", "DATA:;BASE64,__-="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		const most = 1 << 16
		u, err := parseURI(uri, most)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		} else {
			switch u.Scheme {
			case "http", "https":
				if u.Hostname() == "" || len(uri) > maxURI {
					t.Errorf("%q passed", uri)
				}
			case "file":
				if !strings.HasPrefix(u.Path, "/") {
					t.Errorf("%q passed", uri)
				}
			case "data":
				if data, err := parseData(u.Opaque, most); err == nil && len(data) > most {
					t.Errorf("%d bytes passed", len(data))
				}
			default:
				t.Errorf("scheme %q passed", u.Scheme)
			}
		}
		if r := redact(uri); strings.ContainsAny(r, "\n\r\x00\x1b") || len(r) > 1000 {
			t.Errorf("%q is shown as %s", uri, r)
		}
	})
}

// FuzzGeometryBlit draws pictures of any size on screens of any layout, and
// finds out whether a byte was written that is no visible pixel.
func FuzzGeometryBlit(f *testing.F) {
	f.Add(uint16(80), uint16(48), uint16(34), uint8(16), uint32(0x0b050506), uint32(0x00050000), uint16(64), uint16(48), uint8(0), uint8(1), uint8(0))
	f.Add(uint16(1), uint16(1), uint16(0), uint8(24), uint32(0x00080808), uint32(0x10080000), uint16(300), uint16(1), uint8(5), uint8(6), uint8(3))
	f.Add(uint16(33), uint16(7), uint16(1), uint8(32), uint32(0x10080808), uint32(0x00081808), uint16(7), uint16(333), uint8(11), uint8(8), uint8(2))
	f.Fuzz(func(t *testing.T, w, h, pad uint16, depth uint8, fields, more uint32, pw, ph uint16, how, orientation, kind uint8) {
		bits := int(depth) / 8 * 8
		g := hw.Geometry{Width: int(w % 200), Height: int(h % 200), BitsPerPixel: bits}
		g.Stride = g.Width*bits/8 + int(pad%300)
		field := func(v uint32) hw.Bitfield { return hw.Bitfield{Offset: int(v>>8) & 31, Length: int(v) & 15} }
		g.Red, g.Green, g.Blue, g.Alpha = field(fields>>16), field(fields), field(more>>16), field(more)
		size := image.Rect(0, 0, int(pw%400), int(ph%400))
		if g.Validate() != nil || size.Empty() {
			t.Skip()
		}
		var img image.Image
		switch kind % 6 {
		case 5:
			img = image.NewGray(size)
		case 4:
			img = image.NewRGBA(size)
		default:
			img = image.NewYCbCr(size, image.YCbCrSubsampleRatio(kind%6))
		}
		const canary = 0xa5
		margin := 64
		memory := bytes.Repeat([]byte{canary}, g.Stride*g.Height+2*margin)
		pix := memory[margin : len(memory)-margin : len(memory)-margin]
		b := newBlitter(g)
		b.src.open(img)
		fit := Fit(how >> 2 & 1)
		if err := b.draw(pix, fit, turnOf(int(orientation), int(how&3)*90)); err != nil {
			t.Fatal(err)
		}
		used := g.Width * bits / 8
		for i, v := range memory {
			at := i - margin
			visible := at >= 0 && at < g.Stride*g.Height && at%g.Stride < used
			if !visible && v != canary {
				t.Fatalf("%v: byte %d was written", g, at)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	img := corners(9, 7)
	for _, data := range [][]byte{encodeJPEG(f, img), encodePNG(f, img), encodeGIF(f, img), webpLossy, webpLossless,
		pngHeader(60000, 60000), gifHeader(65535, 65535), []byte("<html>"), nil} {
		f.Add(data)
	}
	b := newBlitter(padded565)
	pix := make([]byte, padded565.Stride*padded565.Height)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decode(context.Background(), data, DecodeOpts{MaxPixels: 100_000, MaxMemory: 1 << 20})
		if err != nil {
			return
		}
		if size := p.Bounds().Size(); size.X*size.Y > 100_000 {
			t.Fatalf("%v passed", size)
		}
		b.src.open(p.Image)
		if err := b.draw(pix, Contain, turnOf(p.orientation, 0)); err != nil && p.Bounds().Empty() == false {
			t.Fatal(err)
		}
		b.release()
	})
}
