package display

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"net/http"
	"strings"
	"time"

	"pithings/picture/exif"
	"pithings/picture/gif"
	"pithings/picture/jpeg"
	"pithings/picture/png"
	"pithings/picture/webp"
)

// DecodeOpts bounds what a picture may cost. Zero values stand for the defaults.
type DecodeOpts struct {
	// MaxPixels is the largest width times height. Default: 40 million.
	MaxPixels int
	// MaxMemory is the largest memory, in bytes, that decoding may need by the
	// picture's own header. Default: 128 MiB. Whatever it is, no picture gets more
	// than 60 MiB beyond four bytes a pixel. A progressive JPEG needs 4.5 to 9
	// bytes a pixel, a baseline one 1.5 to 3, others 1 to 8.
	MaxMemory int64
	// Timeout bounds the time of decoding. Default: 30 s, which an old Raspberry Pi
	// needs for the largest pictures.
	Timeout time.Duration
}

const (
	defaultMaxPixels     = 40_000_000
	defaultMaxMemory     = 128 << 20
	defaultDecodeTimeout = 30 * time.Second
	// maxBeyond is the memory that decoding may need beyond four bytes a pixel.
	maxBeyond = 60 << 20
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
	if o.Timeout <= 0 {
		o.Timeout = defaultDecodeTimeout
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
	decoded     bool  // it comes from a file
}

// header is what is known of a picture's file before it is decoded.
type header struct {
	w, h  int
	cost  int64 // bytes that decoding takes at most
	exif  []byte
	scans int // of a JPEG
}

// format is a kind of picture file.
type format struct {
	name   string
	magic  string // '?' stands for any byte
	header func(data []byte) (header, error)
	decode func(ctx context.Context, data []byte) (image.Image, error)
}

// formats returns the kinds of files that are understood. The image package's
// own registry is not used: any package of the program can add to it.
func formats() []format {
	return []format{
		{"JPEG", "\xff\xd8", func(data []byte) (header, error) {
			h, err := jpeg.ParseHeader(data)
			if err != nil {
				return header{}, err
			}
			return header{h.Width, h.Height, h.Cost(), h.Exif, h.Scans}, nil
		}, jpeg.Decode},
		{"PNG", png.Signature, func(data []byte) (header, error) {
			h, err := png.ParseHeader(data)
			return header{h.Width, h.Height, h.Cost(), h.Exif, 0}, err
		}, png.Decode},
		{"GIF", "GIF8?a", func(data []byte) (header, error) {
			h, err := gif.ParseHeader(data)
			return header{h.Width, h.Height, h.Cost(), nil, 0}, err
		}, gif.Decode},
		{"WebP", "RIFF????WEBP", func(data []byte) (header, error) {
			h, err := webp.ParseHeader(data)
			return header{h.Width, h.Height, h.Cost(), h.Exif, 0}, err
		}, webp.Decode},
	}
}

// check refuses a picture that costs more than o allows.
func (f format) check(h header, o DecodeOpts) error {
	pixels := int64(h.w) * int64(h.h)
	most := min(o.MaxMemory, 4*pixels+maxBeyond)
	switch {
	case h.w < 1 || h.h < 1:
		return fmt.Errorf("%w: %s of %d x %d pixels", ErrPicture, f.name, h.w, h.h)
	case h.w > maxSide || h.h > maxSide || pixels > int64(o.MaxPixels):
		return fmt.Errorf("%s of %d x %d pixels: %w: the limit is %d pixels, and %d a side",
			f.name, h.w, h.h, ErrTooLarge, o.MaxPixels, maxSide)
	case h.cost > most:
		return fmt.Errorf("%s of %d x %d pixels: %w: decoding needs %d MiB, the limit is %d MiB",
			f.name, h.w, h.h, ErrTooLarge, h.cost>>20, most>>20)
	case h.scans > maxScans:
		return fmt.Errorf("%s of %d scans: %w: the limit is %d", f.name, h.scans, ErrTooLarge, maxScans)
	}
	return nil
}

// decode decodes data within the bounds of o. When ctx ends, it stops within some
// milliseconds.
func decode(ctx context.Context, data []byte, o DecodeOpts) (picture, error) {
	o = o.withDefaults()
	f, ok := sniff(data)
	if !ok {
		return picture{}, notPicture(data)
	}
	h, err := f.header(data)
	if err != nil {
		return picture{}, f.broken(err)
	}
	if err := f.check(h, o); err != nil {
		return picture{}, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, o.Timeout,
		fmt.Errorf("%s of %d x %d pixels: %w: decoding it takes longer than %v", f.name, h.w, h.h, ErrTooLarge, o.Timeout))
	defer cancel()
	p := picture{orientation: exif.Orientation(h.exif), cost: h.cost, decoded: true}
	p.Image, err = f.decode(limited, data)
	if cause := context.Cause(limited); cause != nil {
		return picture{}, cause
	}
	if err != nil {
		return picture{}, f.broken(err)
	}
	return p, nil
}

// broken says what a decoder found.
func (f format) broken(err error) error {
	for _, short := range []error{io.ErrUnexpectedEOF, io.EOF, jpeg.ErrShort, webp.ErrShort} {
		if errors.Is(err, short) {
			return fmt.Errorf("%w: the %s is cut short: %w", ErrPicture, f.name, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrPicture, err)
}

// sniff returns the kind of data by its first bytes.
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
	case "text/plain", "text/xml":
		if bytes.Contains(data[:min(len(data), 1024)], []byte("<svg")) {
			kind = "an SVG drawing"
		}
	case "application/octet-stream":
		kind = "of no known kind"
		if named := kindOf(data); named != "" {
			kind = named
		}
	}
	return fmt.Errorf("%w: it is %s; JPEG, PNG, GIF and WebP can be shown", ErrPicture, kind)
}

// kindOf names kinds of pictures that people have and that net/http does not know.
func kindOf(data []byte) string {
	begins := func(s string) bool { return strings.HasPrefix(string(data[:min(len(data), 16)]), s) }
	switch {
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		switch string(data[8:12]) {
		case "heic", "heix", "hevc", "mif1", "msf1":
			return "a HEIC picture (set the phone to \"most compatible\")"
		case "avif", "avis":
			return "an AVIF picture"
		}
		return "a video"
	case begins("II*\x00"), begins("MM\x00*"):
		return "a TIFF picture"
	case begins("\xff\x0a"), begins("\x00\x00\x00\x0cJXL "):
		return "a JPEG XL picture"
	case begins("\x00\x00\x00\x0cjP  "), begins("\xff\x4f\xff\x51"):
		return "a JPEG 2000 picture"
	case begins("\x8aMNG"):
		return "an MNG animation"
	case begins("\x00\x00\x00\x01\x67"), begins("\x00\x00\x00\x01\x27"), begins("\x00\x00\x01\x67"):
		return "an H.264 video"
	}
	return ""
}
