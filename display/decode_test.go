package display

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"image"
	"image/gif"
	"io"
	"strings"
	"testing"
)

func crcOf(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

func readFull(r io.Reader, b []byte) (int, error) { return io.ReadFull(r, b) }

// quietTB stands for a test in places that cannot fail.
type quietTB struct{ testing.TB }

func (quietTB) Helper() {}

func encodeGIF(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A lossy and a lossless WebP of 1 x 1 pixel.
var (
	webpLossy, _    = base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	webpLossless, _ = base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
)

func TestDecodeEveryKind(t *testing.T) {
	img := corners(20, 10)
	for name, tc := range map[string]struct {
		data []byte
		size image.Point
	}{
		"JPEG":          {encodeJPEG(t, img), image.Pt(20, 10)},
		"PNG":           {encodePNG(t, img), image.Pt(20, 10)},
		"GIF":           {encodeGIF(t, img), image.Pt(20, 10)},
		"WebP":          {webpLossy, image.Pt(1, 1)},
		"WebP lossless": {webpLossless, image.Pt(1, 1)},
	} {
		p, err := decode(context.Background(), tc.data, DecodeOpts{})
		if err != nil || p.Bounds().Size() != tc.size || p.orientation != 1 || p.cost < 1 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestFirstFrameOfAnimation(t *testing.T) {
	red, blue := image.NewPaletted(image.Rect(0, 0, 4, 4), nil), image.NewPaletted(image.Rect(0, 0, 4, 4), nil)
	red.Palette = append(red.Palette, corners(2, 2).At(0, 0))
	blue.Palette = append(blue.Palette, corners(2, 2).At(0, 1))
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{red, blue}, Delay: []int{10, 10}}); err != nil {
		t.Fatal(err)
	}
	p, err := decode(context.Background(), b.Bytes(), DecodeOpts{})
	if err != nil {
		t.Fatal(err)
	}
	if r, _, bl, _ := p.At(1, 1).RGBA(); r>>8 != 230 || bl>>8 != 25 {
		t.Errorf("first frame is %v", p.At(1, 1))
	}
}

func TestLimits(t *testing.T) {
	img := corners(200, 100)
	for name, tc := range map[string]struct {
		data []byte
		o    DecodeOpts
		say  string
	}{
		"pixels":           {encodePNG(t, img), DecodeOpts{MaxPixels: 19_999}, "200 x 100 pixels: too large"},
		"memory":           {encodeJPEG(t, img), DecodeOpts{MaxMemory: 25_000}, "decoding needs"},
		"scans":            {manyScans(encodeJPEG(t, img), 200), DecodeOpts{}, "JPEG of 201 scans"},
		"default pixels":   {pngHeader(50_000, 801), DecodeOpts{}, "too large"},
		"16-bit by memory": {deep(pngHeader(5000, 5000)), DecodeOpts{}, "190 MiB"},
	} {
		_, err := decode(context.Background(), tc.data, tc.o)
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// deep makes a PNG header one of 16-bit RGBA.
func deep(png []byte) []byte {
	png[24], png[25] = 16, 6
	crc := crcOf(png[12:29])
	for j := range 4 {
		png[29+j] = byte(crc >> (24 - 8*j))
	}
	return png
}

// manyScans adds n empty scans to a JPEG.
func manyScans(data []byte, n int) []byte {
	end := len(data) - 2
	out := bytes.Clone(data[:end])
	for range n {
		out = append(out, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0)
	}
	return append(out, data[end:]...)
}

func TestDecodingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrSuperseded)
	if _, err := decode(ctx, encodeJPEG(t, corners(20, 20)), DecodeOpts{}); !errors.Is(err, ErrSuperseded) {
		t.Error(err)
	}
}

func TestOrientationOfJPEG(t *testing.T) {
	plain := encodeJPEG(t, corners(40, 20))
	for o := 0; o <= 9; o++ {
		p, err := decode(context.Background(), withOrientation(plain, o), DecodeOpts{})
		want := o
		if o < 1 || o > 8 {
			want = 1
		}
		if err != nil || p.orientation != want {
			t.Errorf("EXIF orientation %d: got %d, %v", o, p.orientation, err)
		}
	}
	// A photograph taken on its side stands upright on the screen.
	f := newFake(xrgb8888)
	s := newScreen(t, f, Opts{})
	uri := "data:;base64," + base64.StdEncoding.EncodeToString(withOrientation(plain, 6))
	if err := s.Show(context.Background(), uri); err != nil {
		t.Fatal(err)
	}
	compare(t, f, expected(corners(40, 20), Contain, 6, 0, 80, 48), 12)
}
