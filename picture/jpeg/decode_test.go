package jpeg

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, &stdjpeg.Options{Quality: 75}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// scene is a picture with slopes, edges and noise.
func scene(w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	seed := uint32(1)
	for y := range h {
		for x := range w {
			seed = seed*1664525 + 1013904223
			noise := int(seed>>28) - 8
			slope := func(v, of int) byte { return byte(min(max(v*255/of+noise, 0), 255)) }
			img.Set(x, y, color.RGBA{slope(x, w), slope(y, h), byte(x/16*16 ^ y/16*16), 255})
		}
	}
	return img
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decodeFile(t testing.TB, name string) image.Image {
	t.Helper()
	img, err := Decode(context.Background(), file(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return img
}

// difference is the mean and the largest difference of two pictures' channels.
func difference(t testing.TB, a, b image.Image) (mean float64, most int) {
	t.Helper()
	if a.Bounds() != b.Bounds() {
		t.Fatalf("%v and %v", a.Bounds(), b.Bounds())
	}
	sum := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p, q := color.RGBAModel.Convert(a.At(x, y)).(color.RGBA), color.RGBAModel.Convert(b.At(x, y)).(color.RGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
				sum, most = sum+max(d, -d), max(most, d, -d)
			}
		}
	}
	return float64(sum) / float64(3*a.Bounds().Dx()*a.Bounds().Dy()), most
}

// TestAsImageJPEG: on what both read, the two decoders differ by rounding.
func TestAsImageJPEG(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {8, 8}, {17, 16}, {133, 77}, {64, 200}} {
		for _, img := range []image.Image{scene(size.X, size.Y), grayOf(scene(size.X, size.Y))} {
			data := encode(t, img)
			got, err := Decode(context.Background(), data)
			if err != nil {
				t.Fatal(size, err)
			}
			want, err := stdjpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if mean, most := difference(t, got, want); mean > 0.1 || most > 4 {
				t.Errorf("%v: mean difference %.3f, at most %d", size, mean, most)
			}
		}
	}
}

func grayOf(img image.Image) image.Image {
	out := image.NewGray(img.Bounds())
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			out.Set(x, y, img.At(x, y))
		}
	}
	return out
}

// TestEveryOrderOfTheSameCoefficients: progressive scans, scans of one component
// each, and restart markers are other ways to write the same coefficients, so the
// samples are the same. image/jpeg refuses several of them with "missing 0xff00
// sequence" (zune-image#358, #359). jpegtran made the files, without loss.
func TestEveryOrderOfTheSameCoefficients(t *testing.T) {
	for _, sampling := range []string{"444", "422", "420", "440", "odd"} {
		want := decodeFile(t, sampling+".jpg")
		for _, order := range []string{"restart", "progressive", "progressive-restart", "scans-restart"} {
			got := decodeFile(t, sampling+"-"+order+".jpg")
			if _, most := difference(t, got, want); most != 0 {
				t.Errorf("%s %s: differs by up to %d", sampling, order, most)
			}
		}
	}
	if mean, _ := difference(t, decodeFile(t, "progressive-420-dri.jpg"), decodeFile(t, "whole.jpg")); mean > 5 {
		t.Errorf("the two files of one picture differ by %.1f", mean)
	}
}

// TestWithoutEndOfImage: some cameras never send the marker (ruffle#8820,
// libyami#801). All that counts is whether the blocks are there.
func TestWithoutEndOfImage(t *testing.T) {
	if _, most := difference(t, decodeFile(t, "no-eoi.jpg"), decodeFile(t, "whole.jpg")); most != 0 {
		t.Errorf("differs by up to %d", most)
	}
	for _, name := range []string{"whole.jpg", "420-progressive.jpg", "422-scans-restart.jpg"} {
		data := file(t, name)
		if _, err := Decode(context.Background(), data[:len(data)-2]); err != nil {
			t.Errorf("%s without its end marker: %v", name, err)
		}
		for _, n := range []int{len(data) - 12, len(data) * 3 / 4, len(data) / 2} {
			if _, err := Decode(context.Background(), data[:n]); !errors.Is(err, ErrFormat) {
				t.Errorf("%s, %d of %d bytes: %v", name, n, len(data), err)
			}
		}
	}
}

// TestStrayBytesBeforeMarkers: from one to some 1,300 of them in each frame of a
// camera (pits#24, mjpg-streamer#236).
func TestStrayBytesBeforeMarkers(t *testing.T) {
	want := decodeFile(t, "420-restart.jpg")
	data := file(t, "420-restart.jpg")
	for _, stray := range [][]byte{{0}, {7}, bytes.Repeat([]byte{0x55, 0xFF, 0}, 450)} {
		var out []byte
		markers := 0
		last := 0
		for at := 2; ; markers++ {
			s, ok := Next(data, at)
			if !ok {
				break
			}
			out = append(append(out, data[last:s.At]...), stray...)
			last, at = s.At, s.End
		}
		out = append(out, data[last:]...)
		got, err := Decode(context.Background(), out)
		if err != nil {
			t.Errorf("%d bytes before each of %d markers: %v", len(stray), markers, err)
			continue
		}
		if _, most := difference(t, got, want); most != 0 {
			t.Errorf("%d bytes before each of %d markers: differs by up to %d", len(stray), markers, most)
		}
	}
}

// TestWithoutHuffmanTables: as Motion JPEG comes from cameras.
func TestWithoutHuffmanTables(t *testing.T) {
	data := encode(t, scene(50, 40)) // image/jpeg writes the typical tables
	out := slicesWithout(data, DHT)
	if len(out) > len(data)-400 {
		t.Fatal("the tables are still there")
	}
	want, _ := Decode(context.Background(), data)
	got, err := Decode(context.Background(), out)
	if err != nil {
		t.Fatal(err)
	}
	if _, most := difference(t, got, want); most != 0 {
		t.Errorf("differs by up to %d", most)
	}
}

// slicesWithout cuts the segments of a marker out of a picture.
func slicesWithout(data []byte, marker byte) []byte {
	out := append([]byte(nil), data[:2]...)
	last := 2
	for at := 2; ; {
		s, ok := Next(data, at)
		if !ok {
			return append(out, data[last:]...)
		}
		if s.Marker == marker {
			out = append(out, data[last:s.At]...)
			last = s.End
		}
		at = s.End
	}
}

func TestColorSpaces(t *testing.T) {
	header := func(ids string, app string) []byte {
		b := []byte{0xFF, SOI}
		b = append(b, app...)
		b = append(b, 0xFF, SOF0, 0, byte(8+3*len(ids)), 8, 0, 9, 0, 9, byte(len(ids)))
		for i := range len(ids) {
			b = append(b, ids[i], 0x11, 0)
		}
		return b
	}
	adobe := func(transform string) string {
		return "\xFF\xEE\x00\x0EAdobe\x00\x64\x00\x00\x00\x00" + transform
	}
	const jfif = "\xFF\xE0\x00\x07JFIF\x00"
	for _, tc := range []struct {
		name, ids, app string
		want           colorSpace
	}{
		{"one component", "\x01", "", grey},
		{"by the usual numbers", "\x01\x02\x03", "", ycc},
		{"by letters", "RGB", "", rgb},
		{"JFIF is always YCbCr", "RGB", jfif, ycc},
		{"JFIF before Adobe", "\x01\x02\x03", jfif + adobe("\x00"), ycc},
		{"Adobe's RGB", "\x01\x02\x03", adobe("\x00"), rgb},
		{"Adobe's YCbCr", "RGB", adobe("\x01"), ycc},
		{"CMYK", "CMYK", "", cmyk},
		{"Adobe's CMYK", "\x01\x02\x03\x04", adobe("\x00"), cmyk},
		{"Adobe's YCCK", "\x01\x02\x03\x04", adobe("\x02"), ycck},
	} {
		if h, err := ParseHeader(header(tc.ids, tc.app)); err != nil || h.colors != tc.want {
			t.Errorf("%s: %d, %v; want %d", tc.name, h.colors, err, tc.want)
		}
	}
}

func TestWhatIsNotDecodedIsNamed(t *testing.T) {
	base := encode(t, grayOf(scene(20, 20)))
	frame := bytes.Index(base, []byte{0xFF, SOF0})
	with := func(at int, v ...byte) []byte {
		b := bytes.Clone(base)
		copy(b[at:], v)
		return b
	}
	for _, tc := range []struct {
		name string
		data []byte
		want error
		say  string
	}{
		{"lossless", with(frame+1, 0xC3), ErrUnsupported, "lossless"},
		{"arithmetic", with(frame+1, 0xC9), ErrUnsupported, "arithmetic-coded"},
		{"hierarchical", with(frame+1, 0xC5), ErrUnsupported, "hierarchical"},
		{"12 bits", with(frame+4, 12), ErrUnsupported, "samples of 12 bits"},
		{"no height", with(frame+5, 0, 0), ErrFormat, "size of 20 x 0"},
		{"sampling 0", with(frame+11, 0), ErrFormat, "sampling 0x0"},
		{"fraction", []byte("\xFF\xD8\xFF\xC0\x00\x11\x08\x00\x09\x00\x09\x03\x01\x31\x00\x02\x21\x00\x03\x11\x00"), ErrSampling, "fractional"},
		{"nothing", nil, ErrFormat, "no start of image"},
		{"no frame", []byte{0xFF, SOI, 0xFF, EOI}, ErrShort, "cut short"},
	} {
		_, err := Decode(context.Background(), tc.data)
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestDecodeEndsWithItsContext: a context that ends while a large picture is
// decoded ends the work within a row of MCUs.
func TestDecodeEndsWithItsContext(t *testing.T) {
	for _, name := range []string{"420.jpg", "420-progressive.jpg"} {
		ctx := &countingContext{Context: context.Background(), left: 1}
		if _, err := Decode(ctx, file(t, name)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cause := errors.New("a newer picture")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if _, err := Decode(ctx, file(t, "rgb.jpg")); !errors.Is(err, cause) {
		t.Errorf("the cause: %v", err)
	}
}

// countingContext ends when it was asked for its error some times.
type countingContext struct {
	context.Context
	left int
}

func (c *countingContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func (c *countingContext) Value(any) any               { return nil }
func (c *countingContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// TestCostHolds: no picture takes more memory than its header says.
func TestCostHolds(t *testing.T) {
	for _, name := range []string{"whole.jpg", "420-progressive.jpg", "odd.jpg", "rgb.jpg", "cmyk.jpg", "cmyk-progressive.jpg"} {
		data := file(t, name)
		h, err := ParseHeader(data)
		if err != nil {
			t.Fatal(name, err)
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

func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob("testdata/*.jpg")
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range names {
		f.Add(file(f, filepath.Base(n)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHeader(data)
		if err != nil || h.Cost() > 4<<20 || h.Scans > 20 {
			return
		}
		img, err := Decode(context.Background(), data)
		if err == nil && (img.Bounds().Dx() != h.Width || img.Bounds().Dy() != h.Height) {
			t.Fatalf("%v, want %d x %d", img.Bounds(), h.Width, h.Height)
		}
		if err == nil {
			img.At(h.Width-1, h.Height-1)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, s := range []image.Point{{640, 480}, {1280, 720}} {
		data := encode(b, scene(s.X, s.Y))
		b.Run(s.String()+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(b.Context(), data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.String()+"/image-jpeg", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stdjpeg.Decode(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
