package gif

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	stdgif "image/gif"
	"os"
	"runtime"
	"strings"
	"testing"
)

// frame is a picture of w x h pixels in four colours, of which the last may be
// transparent.
func frame(r image.Rectangle, transparent bool) *image.Paletted {
	p := color.Palette{color.NRGBA{200, 10, 10, 255}, color.NRGBA{10, 200, 10, 255}, color.NRGBA{10, 10, 200, 255}, color.NRGBA{90, 90, 90, 255}}
	if transparent {
		p[3] = color.NRGBA{}
	}
	img := image.NewPaletted(r, p)
	for i := range img.Pix {
		img.Pix[i] = byte(i*i/3) & 3
	}
	return img
}

// encode encodes frames on a canvas whose background is blue.
func encode(t testing.TB, canvas image.Point, frames ...*image.Paletted) []byte {
	t.Helper()
	g := stdgif.GIF{Image: frames, Delay: make([]int, len(frames)), BackgroundIndex: 2,
		Config: image.Config{ColorModel: frames[0].Palette, Width: canvas.X, Height: canvas.Y}}
	var b bytes.Buffer
	if err := stdgif.EncodeAll(&b, &g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestFirstFrameOnItsCanvas: the frame is at its place, the canvas keeps its size
// (bun#30032, GIF89a §18 and §20), and later frames do not matter.
func TestFirstFrameOnItsCanvas(t *testing.T) {
	blue := color.NRGBA{10, 10, 200, 255}
	for name, tc := range map[string]struct {
		at          image.Rectangle
		transparent bool
		around      color.NRGBA
	}{
		"whole canvas":                 {image.Rect(0, 0, 40, 30), false, color.NRGBA{}},
		"whole canvas, transparent":    {image.Rect(0, 0, 40, 30), true, color.NRGBA{}},
		"in the middle":                {image.Rect(10, 5, 30, 20), false, blue},
		"in the middle, transparent":   {image.Rect(10, 5, 30, 20), true, color.NRGBA{}},
		"in the corner":                {image.Rect(20, 20, 40, 30), false, blue},
		"one pixel":                    {image.Rect(39, 29, 40, 30), false, blue},
		"over all its width, not high": {image.Rect(0, 10, 40, 11), false, blue},
	} {
		f := frame(tc.at, tc.transparent)
		img, err := Decode(context.Background(), encode(t, image.Pt(40, 30), f, frame(image.Rect(0, 0, 40, 30), false)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if img.Bounds() != image.Rect(0, 0, 40, 30) {
			t.Errorf("%s: %v", name, img.Bounds())
			continue
		}
		for y := range 30 {
			for x := range 40 {
				want := tc.around
				if image.Pt(x, y).In(tc.at) {
					want = color.NRGBAModel.Convert(f.At(x, y)).(color.NRGBA)
				}
				if got := color.NRGBAModel.Convert(img.At(x, y)); got != want {
					t.Fatalf("%s: pixel %d,%d is %v, want %v", name, x, y, got, want)
				}
			}
		}
	}
}

func TestFromTheField(t *testing.T) {
	data, err := os.ReadFile("testdata/first-frame-offset.gif")
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseHeader(data)
	if err != nil || h.Width != 120 || h.Height != 72 || h.Frame != image.Rect(40, 20, 90, 50) {
		t.Fatalf("%+v, %v", h, err)
	}
	img, err := Decode(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	// ImageMagick's -coalesce gives these.
	for at, want := range map[image.Point]color.NRGBA{{0, 0}: {255, 255, 255, 255}, {119, 71}: {255, 255, 255, 255}, {39, 30}: {255, 255, 255, 255}} {
		if got := color.NRGBAModel.Convert(img.At(at.X, at.Y)); got != want {
			t.Errorf("%v is %v, want %v", at, got, want)
		}
	}
}

// TestFrameLargerThanItsCanvas: the canvas grows, as in browsers; image/gif refuses.
func TestFrameLargerThanItsCanvas(t *testing.T) {
	f := frame(image.Rect(0, 0, 20, 10), false)
	data := encode(t, image.Pt(20, 10), f)
	for _, claimed := range []byte{0, 3} {
		data[6], data[8] = claimed, claimed
		img, err := Decode(context.Background(), data)
		if err != nil || img.Bounds() != f.Bounds() {
			t.Errorf("canvas of %d x %d: %v", claimed, claimed, err)
		}
	}
}

func TestInterlaced(t *testing.T) {
	f := frame(image.Rect(0, 0, 7, 21), false)
	data := encode(t, image.Pt(7, 21), f)
	at := bytes.IndexByte(data[13:], 0x2C) + 13
	// The rows as they come in the four passes (appendix E).
	var order []int
	for _, p := range [][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		for y := p[0]; y < 21; y += p[1] {
			order = append(order, y)
		}
	}
	data[at+9] |= 0x40
	img, err := Decode(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	for i, y := range order {
		for x := range 7 {
			if img.At(x, y) != color.Color(f.At(x, i)) {
				t.Fatalf("row %d is not the %dth of the file", y, i)
			}
		}
	}
}

func TestBroken(t *testing.T) {
	good := encode(t, image.Pt(20, 10), frame(image.Rect(0, 0, 20, 10), false))
	codes := bytes.IndexByte(good[13:], 0x2C) + 13 + 10
	for name, tc := range map[string]struct {
		data []byte
		want error
		say  string
	}{
		"half":            {good[:len(good)-20], ErrShort, ""},
		"header only":     {good[:20], ErrShort, ""},
		"no frame":        {append(bytes.Clone(good[:13+12]), 0x3B, 0), ErrFormat, "no frame"},
		"unknown block":   {append(bytes.Clone(good[:13+12]), 0x77, 0), ErrFormat, "block of unknown kind 0x77"},
		"codes of 9 bits": {func() []byte { b := bytes.Clone(good); b[codes] = 9; return b }(), ErrFormat, "codes of 9 bits"},
		"no colours":      {append([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02"), 2, 0x44, 1, 0), ErrFormat, "no colour table"},
	} {
		if _, err := Decode(context.Background(), tc.data); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The blocks' end may be missing when all pixels are there.
	if _, err := Decode(context.Background(), good[:len(good)-2]); err != nil {
		t.Errorf("without its end: %v", err)
	}
}

func TestCostHolds(t *testing.T) {
	for name, at := range map[string]image.Rectangle{"whole": image.Rect(0, 0, 300, 200), "part": image.Rect(0, 0, 200, 200)} {
		data := encode(t, image.Pt(300, 200), frame(at, false))
		h, err := ParseHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Decode(context.Background(), data); err != nil {
			t.Fatal(name, err)
		}
		runtime.ReadMemStats(&after)
		if got := int64(after.TotalAlloc - before.TotalAlloc); got > h.Cost() {
			t.Errorf("%s: takes %d bytes, says %d", name, got, h.Cost())
		}
	}
}

func TestDecodeEndsWithItsContext(t *testing.T) {
	cause := errors.New("a newer picture")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if _, err := Decode(ctx, encode(t, image.Pt(9, 9), frame(image.Rect(0, 0, 9, 9), false))); !errors.Is(err, cause) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, image.Pt(9, 9), frame(image.Rect(0, 0, 9, 9), true)))
	f.Add(encode(f, image.Pt(9, 9), frame(image.Rect(2, 3, 8, 5), false)))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHeader(data)
		if err != nil || h.Cost() > 1<<20 {
			return
		}
		img, err := Decode(context.Background(), data)
		if err == nil && img.Bounds() != image.Rect(0, 0, h.Width, h.Height) {
			t.Fatalf("%v, want %d x %d", img.Bounds(), h.Width, h.Height)
		}
	})
}
