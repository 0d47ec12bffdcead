package display

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"

	"golang.org/x/image/webp"
)

// DecodeOpts bounds what a picture may cost. Zero values stand for the defaults.
type DecodeOpts struct {
	// MaxPixels is the largest width times height. Default: 40 million.
	MaxPixels int
	// MaxMemory is the largest memory, in bytes, that decoding may need by the
	// picture's own header. Default: 128 MiB. A progressive JPEG needs about 7.5
	// bytes a pixel, a baseline one 1.5 to 3, others 1 to 8.
	MaxMemory int64
}

const (
	defaultMaxPixels = 40_000_000
	defaultMaxMemory = 128 << 20
	// maxSide is the largest width or height: what a JPEG can have.
	maxSide = 65535
	// maxScans bounds a progressive JPEG's scans. Usual ones have about ten; each
	// costs a pass over the whole picture, though it may be a few bytes long.
	maxScans = 100
)

func (o DecodeOpts) withDefaults() DecodeOpts {
	if o.MaxPixels <= 0 {
		o.MaxPixels = defaultMaxPixels
	}
	if o.MaxMemory <= 0 {
		o.MaxMemory = defaultMaxMemory
	}
	return o
}

// Errors of pictures. [Screen.Show] wraps them with what was found.
var (
	// ErrPicture: what was fetched is no picture that can be shown.
	ErrPicture = errors.New("not a picture that can be shown")
	// ErrTooLarge: the picture, or what was sent instead of one, passes a limit.
	ErrTooLarge = errors.New("too large")
)

// picture is a decoded picture and the way up it wants to be seen.
type picture struct {
	image.Image
	orientation int   // EXIF, 1–8
	cost        int64 // bytes that decoding took, roughly
}

// format is a kind of picture file.
type format struct {
	name   string
	magic  string // '?' stands for any byte
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	// cost estimates the bytes that decoding allocates.
	cost func(data []byte, c image.Config) int64
}

// formats returns the kinds of files that are understood. The image package's
// own registry is not used: any package of the program can add to it.
func formats() []format {
	return []format{
		{"JPEG", "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode, jpegCost},
		{"PNG", "\x89PNG\r\n\x1a\n", pngConfig, png.Decode, pngCost},
		// gif.Decode stops after the first frame.
		{"GIF", "GIF8?a", gif.DecodeConfig, gif.Decode, func(_ []byte, c image.Config) int64 {
			return pixels(c)
		}},
		{"WebP", "RIFF????WEBPVP8", webp.DecodeConfig, webp.Decode, func(_ []byte, c image.Config) int64 {
			if c.ColorModel == color.YCbCrModel {
				return pixels(c) * 3 / 2
			}
			return pixels(c) * 5
		}},
	}
}

func pixels(c image.Config) int64 { return int64(c.Width) * int64(c.Height) }

func jpegCost(data []byte, c image.Config) int64 {
	h := parseJPEG(data)
	samples := pixels(c) * int64(h.samples) / 64
	if h.progressive {
		return samples * 5 // and an int32 coefficient for each sample
	}
	return samples
}

// pngConfig is png.DecodeConfig, but tells the size of any picture: image/png
// reports one that overflows a machine's int as a feature it does not support.
func pngConfig(r io.Reader) (image.Config, error) {
	var head [24]byte // signature, length and name of the first chunk, width, height (PNG §11.2.2)
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return image.Config{}, err
	}
	w, h := binary.BigEndian.Uint32(head[16:]), binary.BigEndian.Uint32(head[20:])
	const most = 1<<31 - 1
	if w <= most && h <= most && uint64(w)*uint64(h) > most/8 {
		return image.Config{Width: int(w), Height: int(h)}, nil
	}
	return png.DecodeConfig(io.MultiReader(bytes.NewReader(head[:]), r))
}

func pngCost(data []byte, c image.Config) int64 {
	size := int64(4)
	switch c.ColorModel {
	case color.GrayModel:
		size = 1
	case color.Gray16Model:
		size = 2
	case color.RGBA64Model, color.NRGBA64Model, nil:
		size = 8
	case color.RGBAModel, color.NRGBAModel:
	default: // a palette
		size = 1
	}
	const interlace = 28 // its place: signature, chunk head, and IHDR's last byte
	if len(data) > interlace && data[interlace] != 0 {
		size += size / 2 // the largest pass is half the picture
	}
	return pixels(c) * size
}

// decode decodes data within the bounds of o. When ctx ends, it stops at the
// decoder's next read.
func decode(ctx context.Context, data []byte, o DecodeOpts) (picture, error) {
	o = o.withDefaults()
	f, ok := sniff(data)
	if !ok {
		return picture{}, notPicture(data)
	}
	c, err := f.config(bytes.NewReader(data))
	if err != nil {
		return picture{}, f.broken(err)
	}
	p := picture{orientation: 1, cost: f.cost(data, c)}
	switch {
	case c.Width < 1 || c.Height < 1:
		return picture{}, fmt.Errorf("%w: %s of %d x %d pixels", ErrPicture, f.name, c.Width, c.Height)
	case c.Width > maxSide || c.Height > maxSide || pixels(c) > int64(o.MaxPixels):
		return picture{}, fmt.Errorf("%s of %d x %d pixels: %w: the limit is %d pixels, and %d a side",
			f.name, c.Width, c.Height, ErrTooLarge, o.MaxPixels, maxSide)
	case p.cost > o.MaxMemory:
		return picture{}, fmt.Errorf("%s of %d x %d pixels: %w: decoding needs %d MiB, the limit is %d MiB",
			f.name, c.Width, c.Height, ErrTooLarge, p.cost>>20, o.MaxMemory>>20)
	}
	if f.name == "JPEG" {
		h := parseJPEG(data)
		if h.scans > maxScans {
			return picture{}, fmt.Errorf("JPEG of %d scans: %w: the limit is %d", h.scans, ErrTooLarge, maxScans)
		}
		p.orientation = h.orientation
	}
	p.Image, err = f.decode(&ctxReader{ctx, bytes.NewReader(data)})
	if cause := context.Cause(ctx); cause != nil {
		return picture{}, cause
	}
	if err != nil {
		return picture{}, f.broken(err)
	}
	return p, nil
}

// broken says what a decoder found.
func (f format) broken(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the %s is cut short: %w", ErrPicture, f.name, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrPicture, f.name, err)
}

// sniff tells by its first bytes what data is.
func sniff(data []byte) (format, bool) {
next:
	for _, f := range formats() {
		if len(data) < len(f.magic) {
			continue
		}
		for i := range len(f.magic) {
			if m := f.magic[i]; m != '?' && m != data[i] {
				continue next
			}
		}
		return f, true
	}
	return format{}, false
}

// notPicture says what data is instead.
func notPicture(data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("%w: it is empty", ErrPicture)
	}
	kind, _, _ := strings.Cut(http.DetectContentType(data), ";")
	switch kind {
	case "text/html":
		return fmt.Errorf("%w: it is a web page, not a picture; give the address of the picture itself", ErrPicture)
	case "application/octet-stream":
		kind = "of no known kind"
	}
	return fmt.Errorf("%w: it is %s; JPEG, PNG, GIF and WebP can be shown", ErrPicture, kind)
}

// ctxReader ends a decoder's work when its context ends.
type ctxReader struct {
	ctx context.Context
	r   *bytes.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
