package png

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	stdpng "image/png"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
)

func encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdpng.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func colors(w, h int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 7)
	}
	return img
}

// with puts a chunk before the first one of a kind.
func with(data []byte, before, kind, content string, badSum bool) []byte {
	at := bytes.Index(data, []byte(before)) - 4
	c := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	c = append(c, kind+content...)
	sum := crc32.ChecksumIEEE(c[4:])
	if badSum {
		sum++
	}
	c = binary.BigEndian.AppendUint32(c, sum)
	return append(append(append([]byte(nil), data[:at]...), c...), data[at:]...)
}

func same(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if color.NRGBAModel.Convert(a.At(x, y)) != color.NRGBAModel.Convert(b.At(x, y)) {
				return false
			}
		}
	}
	return true
}

// TestBrokenAncillaryChunks: libpng passes over them, and image/png refuses the
// picture (golang/go#43382).
func TestBrokenAncillaryChunks(t *testing.T) {
	img := colors(9, 7)
	good := encode(t, img)
	gray := encode(t, image.NewGray(image.Rect(0, 0, 4, 4)))
	field, err := os.ReadFile("testdata/bad-iccp-crc.png")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(context.Background(), field); err != nil || got.Bounds().Dx() != 120 {
		t.Errorf("the file from the field: %v", err)
	}
	for name, data := range map[string][]byte{
		"profile with a bad sum":               with(good, "IDAT", "iCCP", "x\x00\x00y", true),
		"text with a bad sum, after the data":  with(good, "IEND", "tEXt", "x\x00y", true),
		"gamma of a wrong length":              with(good, "IDAT", "gAMA", "x", false),
		"transparency of a wrong length":       with(good, "IDAT", "tRNS", "x", false),
		"transparency with a bad sum":          with(good, "IDAT", "tRNS", "xyzxyz", true),
		"suggested palette with a bad sum":     with(good, "IDAT", "PLTE", "xyz", true),
		"unknown chunk with a bad sum":         with(good, "IDAT", "abCd", "hello", true),
		"without its end":                      good[:len(good)-12],
		"with half of its end":                 good[:len(good)-7],
		"followed by something else":           append(bytes.Clone(good), "hello"...),
		"palette and transparency of a grey":   with(with(gray, "IDAT", "PLTE", "xyz", false), "IDAT", "tRNS", "xyz", false),
		"transparency longer than the palette": with(encode(t, image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.White})), "IDAT", "tRNS", "xyz", false),
	} {
		got, err := Decode(context.Background(), data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Bounds().Dx() == 9 && !same(got, img) {
			t.Errorf("%s: another picture", name)
		}
	}
}

// TestCriticalChunksCount: what makes the picture has to be right.
func TestCriticalChunksCount(t *testing.T) {
	good := encode(t, colors(9, 7))
	at := func(kind string, v byte) []byte {
		b := bytes.Clone(good)
		b[bytes.Index(b, []byte(kind))+5] ^= v
		return b
	}
	for name, tc := range map[string]struct {
		data []byte
		want error
		say  string
	}{
		"IHDR":           {at("IHDR", 0), nil, ""},
		"IHDR's sum":     {at("IHDR", 1), ErrFormat, "checksum"},
		"IDAT's sum":     {at("IDAT", 1), ErrFormat, ""},
		"half":           {good[:len(good)/2], io.ErrUnexpectedEOF, ""},
		"no IHDR":        {append([]byte(Signature), good[33:]...), ErrFormat, "begins with chunk"},
		"signature only": {[]byte(Signature), io.ErrUnexpectedEOF, ""},
		"no PNG":         {[]byte("GIF89a"), ErrFormat, "no signature"},
		"CgBI":           {with(good, "IHDR", "CgBI", "\x50\x00\x20\x02", false), ErrUnsupported, "CgBI"},
		"interlaced, size 0": {func() []byte {
			b := bytes.Clone(good)
			copy(b[16:], "\x00\x00\x00\x00")
			return b
		}(), ErrFormat, "size of 0 x 7"},
	} {
		if _, err := Decode(context.Background(), tc.data); !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExif: the orientation's chunk may stand before the data and after them
// (zulip#8177). A broken one counts for nothing.
func TestExif(t *testing.T) {
	good := encode(t, colors(9, 7))
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"before the data": {with(good, "IDAT", "eXIf", "MM", false), "MM"},
		"after the data":  {with(good, "IEND", "eXIf", "MM", false), "MM"},
		"bad sum":         {with(good, "IEND", "eXIf", "MM", true), ""},
		"none":            {good, ""},
	} {
		if h, err := ParseHeader(tc.data); err != nil || string(h.Exif) != tc.want {
			t.Errorf("%s: %q, %v", name, h.Exif, err)
		}
	}
}

func TestCostHolds(t *testing.T) {
	for name, img := range map[string]image.Image{
		"grey": image.NewGray(image.Rect(0, 0, 300, 200)), "16-bit grey": image.NewGray16(image.Rect(0, 0, 300, 200)),
		"RGBA": colors(300, 200), "16 bits": image.NewNRGBA64(image.Rect(0, 0, 300, 200)),
		"palette": image.NewPaletted(image.Rect(0, 0, 300, 200), color.Palette{color.White, color.Black}),
	} {
		data := encode(t, img)
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
	if _, err := Decode(ctx, encode(t, colors(9, 7))); !errors.Is(err, cause) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, colors(9, 7)))
	f.Add(encode(f, image.NewGray16(image.Rect(0, 0, 5, 5))))
	f.Add(with(encode(f, image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.White, color.Black})), "IDAT", "tRNS", "x", false))
	f.Add(with(encode(f, colors(3, 3)), "IDAT", "iCCP", "x\x00\x00y", true))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHeader(data)
		if err != nil || h.Cost() > 1<<20 {
			return
		}
		img, err := Decode(context.Background(), data)
		if err == nil && (img.Bounds().Dx() != h.Width || img.Bounds().Dy() != h.Height) {
			t.Fatalf("%v, want %d x %d", img.Bounds(), h.Width, h.Height)
		}
	})
}
