// Package gif decodes the first frame of GIF pictures as ImageMagick shows it: at
// its place on the canvas, which has the background colour where the frame does not
// reach, or is transparent if the frame has transparent pixels. image/gif returns
// the frame alone, and refuses frames that are larger than the canvas.
//
// The sections named in the comments are those of CompuServe's specification,
// version 89a.
package gif

import (
	"compress/lzw"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
)

// Errors of pictures.
var (
	// ErrFormat: the data are no valid GIF.
	ErrFormat = errors.New("broken GIF")
	// ErrShort: the data end before the first frame does.
	ErrShort = fmt.Errorf("%w: %w", ErrFormat, io.ErrUnexpectedEOF)
)

// A Header is what comes before the pixels of the first frame.
type Header struct {
	// Width and Height are the canvas's: the logical screen (§18), or what the
	// first frame needs if that is more.
	Width, Height int
	// Frame is the place of the first frame on it (§20).
	Frame image.Rectangle

	interlaced  bool
	background  color.NRGBA // of the canvas
	colors      []byte      // red, green, blue …
	transparent int         // an index, or -1
	width       int         // bits of the first codes (§22)
	data        []byte      // what follows: blocks of codes
}

// ParseHeader reads everything up to the first frame's pixels.
func ParseHeader(data []byte) (Header, error) {
	h := Header{transparent: -1}
	if len(data) < 13 || string(data[:3]) != "GIF" {
		return h, ErrShort
	}
	h.Width, h.Height = number(data[6:]), number(data[8:])
	flags, background := data[10], 3*int(data[11])
	data = data[13:]
	var err error
	if h.colors, data, err = table(data, flags); err != nil {
		return h, err
	}
	if c := h.colors; background < len(c) {
		h.background = color.NRGBA{c[background], c[background+1], c[background+2], 255}
	}
	for {
		if len(data) < 2 {
			return h, ErrShort
		}
		switch kind := data[0]; kind {
		case 0x21: // an extension (§23 to §26)
			if data, err = h.extension(data); err != nil {
				return h, err
			}
		case 0x2C:
			return h, h.descriptor(data[1:])
		case 0x3B:
			return h, fmt.Errorf("%w: no frame", ErrFormat)
		default:
			return h, fmt.Errorf("%w: block of unknown kind %#02x", ErrFormat, kind)
		}
	}
}

func number(b []byte) int { return int(b[0]) | int(b[1])<<8 }

// table takes a colour table off data, if the flags say that there is one (§19, §21).
func table(data []byte, flags byte) (colors, rest []byte, err error) {
	if flags&0x80 == 0 {
		return nil, data, nil
	}
	n := 3 << (flags&7 + 1)
	if len(data) < n {
		return nil, nil, ErrShort
	}
	return data[:n], data[n:], nil
}

// extension passes over an extension. Of the graphic control it keeps the
// transparent colour.
func (h *Header) extension(data []byte) ([]byte, error) {
	const control = 0xF9
	if data[1] == control && len(data) >= 8 && data[2] == 4 {
		h.transparent = -1
		if data[3]&1 != 0 {
			h.transparent = int(data[6])
		}
	}
	for data = data[2:]; len(data) > 0; {
		n := int(data[0])
		if n == 0 {
			return data[1:], nil
		}
		if len(data) < 1+n {
			break
		}
		data = data[1+n:]
	}
	return nil, ErrShort
}

// descriptor reads an image descriptor (§20), without its first byte.
func (h *Header) descriptor(data []byte) error {
	if len(data) < 9 {
		return ErrShort
	}
	at := image.Pt(number(data), number(data[2:]))
	h.Frame = image.Rectangle{at, at.Add(image.Pt(number(data[4:]), number(data[6:])))}
	if h.Frame.Empty() {
		return fmt.Errorf("%w: frame of %d x %d", ErrFormat, h.Frame.Dx(), h.Frame.Dy())
	}
	h.Width, h.Height = max(h.Width, h.Frame.Max.X), max(h.Height, h.Frame.Max.Y)
	flags := data[8]
	h.interlaced = flags&0x40 != 0
	own, rest, err := table(data[9:], flags)
	switch {
	case err != nil:
		return err
	case own != nil:
		h.colors = own
	}
	if len(rest) < 1 {
		return ErrShort
	}
	h.width, h.data = int(rest[0]), rest[1:]
	return nil
}

func (h *Header) whole() bool { return h.Frame == image.Rect(0, 0, h.Width, h.Height) }

// Cost is the memory, in bytes, that decoding the picture takes at most, the
// decoded picture included.
func (h *Header) Cost() int64 {
	const codes = 48 << 10 // and the palette
	cost := int64(h.Width) * int64(h.Height)
	if !h.whole() {
		cost *= 4
	}
	return cost + int64(h.Width) + codes
}

// Decode decodes the first frame. The caller bounds size and memory beforehand by
// what [ParseHeader] finds. When ctx ends, Decode returns its cause after 64 rows
// at most.
//
// The picture is an *image.Paletted with 256 colours, or, where the frame does
// not fill the canvas, an *image.NRGBA.
func Decode(ctx context.Context, data []byte) (image.Image, error) {
	h, err := ParseHeader(data)
	if err != nil {
		return nil, err
	}
	switch {
	case h.colors == nil:
		return nil, fmt.Errorf("%w: no colour table", ErrFormat)
	case h.width < 2 || h.width > 8:
		return nil, fmt.Errorf("%w: codes of %d bits", ErrFormat, h.width)
	}
	codes := lzw.NewReader(&blocks{data: h.data}, lzw.LSB, h.width)
	defer codes.Close()
	palette := h.palette()
	canvas := image.Rect(0, 0, h.Width, h.Height)
	if h.whole() {
		img := image.NewPaletted(canvas, palette)
		return img, h.rows(ctx, codes, func(y int) []byte { return img.Pix[y*img.Stride:][:h.Width] }, func(int) {})
	}
	img := image.NewNRGBA(canvas)
	if h.transparent < 0 { // a canvas that nothing shows through has its colour (§18)
		fill(img, h.background)
	}
	row := make([]byte, h.Frame.Dx())
	return img, h.rows(ctx, codes, func(int) []byte { return row }, func(y int) {
		px := img.Pix[img.PixOffset(h.Frame.Min.X, h.Frame.Min.Y+y):]
		for x, v := range row {
			c := palette[v].(color.NRGBA)
			p := px[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[2], p[3] = c.R, c.G, c.B, c.A
		}
	})
}

// fill paints the whole picture.
func fill(img *image.NRGBA, c color.NRGBA) {
	copy(img.Pix, []byte{c.R, c.G, c.B, c.A})
	for n := 4; n < len(img.Pix); n *= 2 {
		copy(img.Pix[n:], img.Pix[:n])
	}
}

// palette has a colour for each of the 256 values that codes can give. Those that
// the file has no colour for are black.
func (h *Header) palette() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		c := color.NRGBA{A: 255}
		if 3*i < len(h.colors) {
			c.R, c.G, c.B = h.colors[3*i], h.colors[3*i+1], h.colors[3*i+2]
		}
		if i == h.transparent {
			c = color.NRGBA{}
		}
		p[i] = c
	}
	return p
}

// rows reads the frame's rows in the order of the file into what row returns, and
// calls done after each.
func (h *Header) rows(ctx context.Context, codes io.Reader, row func(y int) []byte, done func(y int)) error {
	passes := []struct{ first, step int }{{0, 1}}
	if h.interlaced { // appendix E
		passes = []struct{ first, step int }{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
	}
	n := 0
	for _, p := range passes {
		for y := p.first; y < h.Frame.Dy(); y += p.step {
			if n++; n&63 == 1 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			switch _, err := io.ReadFull(codes, row(y)); {
			case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
				return ErrShort
			case err != nil:
				return fmt.Errorf("%w: %w", ErrFormat, err)
			}
			done(y)
		}
	}
	return nil
}

// blocks reads the bytes of data sub-blocks (§15), up to the empty one.
type blocks struct {
	data []byte
	left int // bytes of the block that data begins in
}

func (b *blocks) ReadByte() (byte, error) {
	if b.left == 0 {
		if len(b.data) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
		b.left = int(b.data[0])
		b.data = b.data[1:]
		if b.left == 0 {
			return 0, io.EOF
		}
	}
	if len(b.data) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	v := b.data[0]
	b.data, b.left = b.data[1:], b.left-1
	return v, nil
}

// Read is for lzw.NewReader, which calls ReadByte.
func (b *blocks) Read(p []byte) (int, error) {
	for i := range p {
		v, err := b.ReadByte()
		if err != nil {
			return i, err
		}
		p[i] = v
	}
	return len(p), nil
}
