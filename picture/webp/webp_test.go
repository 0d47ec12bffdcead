package webp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/vp8"
	xwebp "golang.org/x/image/webp"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestLossyAsVP8 compares samples, before their range is stretched, with those of
// x/image's decoder: VP8 leaves no room for rounding.
func TestLossyAsVP8(t *testing.T) {
	names, _ := filepath.Glob("testdata/lossy*.webp")
	if len(names) < 8 {
		t.Fatalf("only %d files", len(names))
	}
	for _, name := range names {
		h, err := ParseHeader(file(t, filepath.Base(name)))
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := decodeLossy(context.Background(), h.data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := viaVP8(t, h.data); !sameSamples(got, want) {
			t.Errorf("%s: other samples", name)
		}
	}
}

// viaVP8 decodes a VP8 chunk by x/image's decoder.
func viaVP8(t testing.TB, data []byte) *image.YCbCr {
	t.Helper()
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(data), len(data))
	if _, err := d.DecodeFrameHeader(); err != nil {
		return nil
	}
	img, err := d.DecodeFrame()
	if err != nil {
		return nil
	}
	return img
}

func sameSamples(a, b *image.YCbCr) bool {
	if a == nil || b == nil || a.Rect != b.Rect {
		return false
	}
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			if a.YCbCrAt(x, y) != b.YCbCrAt(x, y) {
				return false
			}
		}
	}
	return true
}

// differing is the part of the samples that differ by more than one level.
func differing(a, b *image.YCbCr) float64 {
	if a == nil || b == nil || a.Rect != b.Rect {
		return 1
	}
	near := func(x, y uint8) bool { return max(int(x)-int(y), int(y)-int(x)) <= 1 }
	n := 0
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			p, q := a.YCbCrAt(x, y), b.YCbCrAt(x, y)
			if !near(p.Y, q.Y) || !near(p.Cb, q.Cb) || !near(p.Cr, q.Cr) {
				n++
			}
		}
	}
	return float64(n) / float64(a.Rect.Dx()*a.Rect.Dy())
}

// TestCornersOfTheFormat: what libwebp makes of files that fuzzing found. Coefficients beyond
// 16 bits wrap (white, not black), and segments that are not described have filters of
// their own strength, 0.
func TestCornersOfTheFormat(t *testing.T) {
	for name, like := range map[string]func(*image.YCbCr) bool{
		"coefficients-beyond-16-bits.vp8":     func(p *image.YCbCr) bool { return p.Y[0] == 255 && p.Y[15] == 255 },
		"segments-that-are-not-described.vp8": func(p *image.YCbCr) bool { return p.Y[p.YOffset(31, 44)] == 127 && p.Y[p.YOffset(32, 44)] == 128 },
	} {
		h, err := ParseHeader(file(t, name))
		if err != nil {
			t.Fatal(name, err)
		}
		if got, err := decodeLossy(t.Context(), h.data); err != nil || !like(got) {
			t.Errorf("%s: %v, and it looks otherwise", name, err)
		}
	}
}

func TestLosslessAndAlpha(t *testing.T) {
	names, _ := filepath.Glob("testdata/*.webp")
	compared := 0
	for _, name := range names {
		data := file(t, filepath.Base(name))
		h, err := ParseHeader(data)
		if err != nil || h.Width*h.Height > 1<<20 || !h.lossless && h.alpha == nil {
			continue
		}
		got, err := Decode(context.Background(), data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := xwebp.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(name, err)
		}
		same := false
		switch got := got.(type) {
		case *image.NRGBA:
			same = bytes.Equal(got.Pix, want.(*image.NRGBA).Pix)
		case *image.NYCbCrA:
			same = bytes.Equal(got.A, want.(*image.NYCbCrA).A)
		}
		if !same {
			t.Errorf("%s: other pixels", name)
		}
		compared++
	}
	if compared < 10 {
		t.Errorf("only %d pictures compared", compared)
	}
}

// TestFullRange: black is 0 and white 255, with alpha too (golang/go#40173).
func TestFullRange(t *testing.T) {
	for _, name := range []string{"lossy-black-white.webp", "lossy-black-white-alpha.webp"} {
		img, err := Decode(context.Background(), file(t, name))
		if err != nil {
			t.Fatal(name, err)
		}
		alpha := uint32(0xFFFF)
		if a, ok := img.(*image.NYCbCrA); ok {
			img, alpha = &a.YCbCr, uint32(a.A[0])*0x101
			if alpha == 0xFFFF {
				t.Errorf("%s: opaque", name)
			}
		}
		for y, want := range map[int]uint32{8: 0, 24: 255, 40: 128} {
			r, g, b, _ := img.At(24, y).RGBA()
			for _, v := range []uint32{r >> 8, g >> 8, b >> 8} {
				if v > want+1 || v+1 < want {
					t.Errorf("%s: row %d is %d %d %d, want %d", name, y, r>>8, g>>8, b>>8, want)
				}
			}
		}
	}
}

// TestChunkCounts: the size is that of the chunk that holds the picture, not what
// VP8X claims (golang/go#80063, #80254).
func TestChunkCounts(t *testing.T) {
	h, err := ParseHeader(file(t, "vp8x-vp8l-6300.webp"))
	if err != nil || h.Width != 6300 || h.Height != 6300 || h.Cost() < 4*6300*6300 {
		t.Errorf("%d x %d, cost %d, %v", h.Width, h.Height, h.Cost(), err)
	}
	// The same in 28 bytes without VP8X, the largest size there is.
	largest := chunks("VP8L", "\x2f\xff\xff\xff\x0f\x88\x88\x08")
	if h, err := ParseHeader(largest); err != nil || h.Cost() < 1<<30 {
		t.Errorf("%d x %d, cost %d, %v", h.Width, h.Height, h.Cost(), err)
	}
}

// chunks makes a file of chunks: names and data in turn.
func chunks(parts ...string) []byte {
	body := []byte("WEBP")
	for i := 0; i < len(parts); i += 2 {
		body = append(body, parts[i]...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(parts[i+1])))
		body = append(body, parts[i+1]...)
		if len(parts[i+1])%2 == 1 {
			body = append(body, 0)
		}
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)))
	return append(out, body...)
}

func TestWhatIsNotDecodedIsNamed(t *testing.T) {
	lossy := file(t, "lossy.webp")
	for name, tc := range map[string]struct {
		data []byte
		want error
		say  string
	}{
		"animated":          {file(t, "animated.webp"), ErrUnsupported, "animated"},
		"animated, no VP8X": {chunks("ANMF", "x"), ErrUnsupported, "animated"},
		"no picture":        {chunks("ICCP", "x"), ErrShort, "cut short"},
		"no RIFF":           {[]byte("WEBP"), ErrFormat, "no RIFF header"},
		"no key frame":      {chunks("VP8 ", "\x01\x00\x00\x9d\x01\x2a\x01\x00\x01\x00"), ErrFormat, "begin with"},
		"no size":           {chunks("VP8 ", "\x10\x00\x00\x9d\x01\x2a\x00\x00\x01\x00"), ErrFormat, "size of 0 x 1"},
		"no alpha":          {chunks("ALPH", "", "VP8 ", string(lossy[20:])), nil, ""},
		"half of it":        {lossy[:len(lossy)/2], ErrShort, "cut short"},
	} {
		_, err := Decode(context.Background(), tc.data)
		if !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bitWriter writes bits from the least significant on.
type bitWriter struct {
	out []byte
	n   uint
}

func (w *bitWriter) put(v uint32, n uint) {
	for i := range n {
		if w.n%8 == 0 {
			w.out = append(w.out, 0)
		}
		w.out[w.n/8] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

// manyGroups is a lossless picture of w x h pixels, in tiles of 4 x 4, that brings
// n groups of codes. The tile at place at uses group use.
func manyGroups(w, h, n int, use func(at int) int, groups func(b *bitWriter)) []byte {
	var b bitWriter
	b.put(uint32(w-1), 14)
	b.put(uint32(h-1), 14)
	b.put(0, 4)
	b.put(0, 1) // no transform
	b.put(0, 1) // no cache
	b.put(1, 1) // groups
	b.put(0, 3) // tiles of 4 x 4
	// The choice: no cache; green and red with eight bits, others 0.
	b.put(0, 1)
	eight(&b, 280)
	eight(&b, 256)
	simple(&b)
	simple(&b)
	simple(&b)
	for at := range tiles(w, 2) * tiles(h, 2) {
		g := use(at)
		reverse(&b, g&255)
		reverse(&b, g>>8)
	}
	for range n {
		groups(&b)
	}
	return append([]byte{0x2F}, b.out...)
}

// simple writes a code of the one value 0.
func simple(b *bitWriter) { b.put(0b0001, 4) }

// eight writes a code of n values, of which the first 256 have eight bits each.
func eight(b *bitWriter, n int) {
	b.put(0, 1)
	// Codes for 8 (repeated by 16) and 0 (17 and 18).
	b.put(12-4, 4)
	for _, v := range lengthOrder[:12] {
		switch v {
		case 8, 18:
			b.put(1, 3)
		default:
			b.put(0, 3)
		}
	}
	b.put(0, 1) // all values follow
	for range 256 {
		b.put(0, 1)
	}
	if rest := n - 256; rest > 0 {
		b.put(1, 1)
		b.put(uint32(rest-11), 7)
	}
}

func reverse(b *bitWriter, v int) {
	for i := 7; i >= 0; i-- {
		b.put(uint32(v>>i&1), 1)
	}
}

// TestUnusedCodesCostNothing: 65,536 groups of codes, of which one is used
// (golang/go#80069).
func TestUnusedCodesCostNothing(t *testing.T) {
	data := chunks("VP8L", string(manyGroups(8, 8, 65536, func(at int) int { return []int{65535, 0}[at&1] }, func(b *bitWriter) {
		for range 5 {
			simple(b)
		}
	})))
	grew := growth(func() {
		if _, err := Decode(context.Background(), data); err != nil {
			t.Error(err)
		}
	})
	if grew > 8<<20 {
		t.Errorf("%d bytes of input take %d MiB", len(data), grew>>20)
	}
}

// TestUsedCodesAreBounded: groups that are all used, with large codes.
func TestUsedCodesAreBounded(t *testing.T) {
	const side = 4 * 180
	data := chunks("VP8L", string(manyGroups(side, side, 180*180, func(at int) int { return at }, func(b *bitWriter) {
		eight(b, 280)
		for range 4 {
			simple(b)
		}
	})))
	if len(data) > 2<<20 {
		t.Fatalf("%d bytes", len(data))
	}
	var err error
	grew := growth(func() { _, err = Decode(context.Background(), data) })
	if grew > 4*side*side+64<<20 {
		t.Errorf("%d bytes of input take %d MiB", len(data), grew>>20)
	}
	if err != nil && !errors.Is(err, ErrTables) && !errors.Is(err, ErrShort) {
		t.Error(err)
	}
}

// growth is what f allocates, in bytes.
func growth(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func TestCostHolds(t *testing.T) {
	names, _ := filepath.Glob("testdata/lo*.webp")
	for _, name := range names {
		data := file(t, filepath.Base(name))
		h, err := ParseHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		grew := growth(func() {
			if _, err := Decode(context.Background(), data); err != nil {
				t.Error(name, err)
			}
		})
		if grew > h.Cost()+1<<20 {
			t.Errorf("%s: takes %d bytes, says %d", name, grew, h.Cost())
		}
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

// TestDecodeEndsWithItsContext: also where no bytes are read any more, as in the
// 40 million pixels of a 46-byte file.
func TestDecodeEndsWithItsContext(t *testing.T) {
	for _, name := range []string{"lossy.webp", "lossless.webp", "lossy-alpha.webp", "lossless-4-colours.webp"} {
		data := file(t, name)
		whole := &countingContext{Context: context.Background(), left: 1 << 30}
		if _, err := Decode(whole, data); err != nil {
			t.Fatal(name, err)
		}
		asked := 1<<30 - whole.left
		if asked < 3 {
			t.Errorf("%s: the context is looked at %d times", name, asked)
		}
		for left := range asked {
			ctx := &countingContext{Context: context.Background(), left: left}
			if _, err := Decode(ctx, data); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, ended after %d: %v", name, left, err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Decode(ctx, file(t, "vp8x-vp8l-6300.webp"))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 900*time.Millisecond {
		t.Errorf("40 million pixels: %v after %v", err, time.Since(began))
	}
}

func FuzzDecode(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.webp")
	for _, n := range names {
		f.Add(file(f, filepath.Base(n)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHeader(data)
		if err != nil || h.Cost() > 1<<20 {
			return
		}
		img, err := Decode(context.Background(), data)
		if err == nil && (img.Bounds().Dx() != h.Width || img.Bounds().Dy() != h.Height) {
			t.Fatalf("%v, want %d x %d", img.Bounds(), h.Width, h.Height)
		}
		if err == nil {
			img.At(h.Width-1, h.Height-1)
		}
		if err != nil || h.lossless {
			return
		}
		d := &lossy{ctx: context.Background()}
		got, err := d.decode(h.data)
		// At the end of its data each decoder continues in its own way, if it does at all:
		// libwebp refuses such a file.
		if err != nil || d.first.pad > 0 || slices.ContainsFunc(d.tokens, func(r boolReader) bool { return r.pad > 0 }) {
			return
		}
		// What no encoder writes overflows in x/image here and there, where libwebp bounds it:
		// only a picture that is another one counts.
		if want := viaVP8(t, h.data); want != nil && differing(got, want) > 0.25 {
			t.Fatal("another picture than x/image's decoder")
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"lossy.webp", "lossless.webp"} {
		data := file(b, name)
		b.Run(name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(b.Context(), data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/x-image", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := xwebp.Decode(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
