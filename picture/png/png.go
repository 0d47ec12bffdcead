// Package png reads PNG pictures as libpng shows them. The decoding is
// image/png's; this package gives it only those chunks that make the picture,
// because image/png refuses the whole picture for a checksum that does not fit a
// colour profile or a comment.
//
// The sections named in the comments are those of the W3C's PNG specification
// (third edition).
package png

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
)

// Signature is how every PNG begins (§5.2).
const Signature = "\x89PNG\r\n\x1a\n"

// Errors of pictures.
var (
	// ErrFormat: the data are no valid PNG.
	ErrFormat = errors.New("broken PNG")
	// ErrUnsupported: the data are of a kind of PNG that is not decoded.
	ErrUnsupported = errors.New("unsupported kind of PNG")
)

// The colour types (§11.2.1).
const (
	greyscale = 0
	truecolor = 2
	palette   = 3
	greyAlpha = 4
)

// A Header is what a picture's chunks tell about it before it is decoded.
type Header struct {
	Width, Height int
	Depth         int // bits of a sample
	Interlaced    bool
	// Exif is the TIFF structure of the eXIf chunk (§11.3.3.6), or nil.
	Exif []byte

	colors  byte
	entries int // of the palette
	trans   bool
	parts   [][]byte // the chunks that image/png is to see
}

// A chunk is a part of the file (§5.3).
type chunk struct {
	kind  string
	data  []byte
	whole []byte // with length, type and checksum
	good  bool   // the checksum fits
}

// next takes the chunk at the beginning of data apart.
func next(data []byte) (chunk, bool) {
	if len(data) < 12 {
		return chunk{}, false
	}
	n := binary.BigEndian.Uint32(data)
	if uint64(n)+12 > uint64(len(data)) {
		return chunk{}, false
	}
	end := 8 + int(n)
	sum := binary.BigEndian.Uint32(data[end:])
	return chunk{string(data[4:8]), data[8:end], data[:end+4], crc32.ChecksumIEEE(data[4:end]) == sum}, true
}

// end is an IEND chunk.
var end = []byte("\x00\x00\x00\x00IEND\xaeB`\x82")

// ParseHeader walks over a picture's chunks.
func ParseHeader(data []byte) (Header, error) {
	var h Header
	rest, ok := bytes.CutPrefix(data, []byte(Signature))
	if !ok {
		return h, fmt.Errorf("%w: no signature", ErrFormat)
	}
	if len(rest) >= 8 && string(rest[4:8]) == "CgBI" {
		// Xcode writes it into applications for phones: no zlib header, colours in
		// another order, alpha multiplied in.
		return h, fmt.Errorf("%w: Apple's CgBI; convert it with pngcrush -revert-iphone-optimizations, or export the picture anew", ErrUnsupported)
	}
	h.parts = append(h.parts, data[:len(Signature)])
	for first := true; ; first = false {
		c, ok := next(rest)
		if !ok {
			// Without an end the picture may be whole; within its data it is not.
			last := end
			if len(rest) >= 8 && string(rest[4:8]) == "IDAT" {
				last = rest
			}
			h.parts = append(h.parts, last)
			break
		}
		rest = rest[len(c.whole):]
		if first {
			if err := h.ihdr(c); err != nil {
				return h, err
			}
		}
		if h.wanted(c) {
			h.parts = append(h.parts, c.whole)
		}
		if c.kind == "eXIf" && c.good && h.Exif == nil {
			h.Exif = c.data
		}
		if c.kind == "IEND" {
			break
		}
	}
	if h.Width == 0 {
		return h, fmt.Errorf("%w: %w", ErrFormat, io.ErrUnexpectedEOF)
	}
	return h, nil
}

// ihdr reads the first chunk (§11.2.1).
func (h *Header) ihdr(c chunk) error {
	if c.kind != "IHDR" || len(c.data) != 13 {
		return fmt.Errorf("%w: begins with chunk %q of %d bytes", ErrFormat, c.kind, len(c.data))
	}
	w, ht := binary.BigEndian.Uint32(c.data), binary.BigEndian.Uint32(c.data[4:])
	if w == 0 || ht == 0 || w > 1<<31-1 || ht > 1<<31-1 {
		return fmt.Errorf("%w: size of %d x %d", ErrFormat, w, ht)
	}
	h.Width, h.Height = int(w), int(ht)
	h.Depth, h.colors, h.Interlaced = int(c.data[8]), c.data[9], c.data[12] != 0
	return nil
}

// wanted reports whether image/png is to see a chunk: the critical ones, whose
// checksums it verifies, and the transparency if it is whole and has a meaning.
// libpng passes over all others when they are broken, and so it does over a
// palette and a transparency where the colour type has none.
func (h *Header) wanted(c chunk) bool {
	switch c.kind {
	case "PLTE": // a mere suggestion, but for pictures with a palette
		h.entries = len(c.data) / 3
		return h.colors == palette
	case "tRNS":
		n := len(c.data)
		h.trans = c.good && (h.colors == greyscale && n == 2 || h.colors == truecolor && n == 6 ||
			h.colors == palette && n > 0 && n <= h.entries)
		return h.trans
	}
	return c.kind[0]&0x20 == 0 // critical (§5.4)
}

// Cost is the memory, in bytes, that decoding the picture takes at most, the
// decoded picture included.
func (h *Header) Cost() int64 {
	size := int64(4)
	switch {
	case h.colors == palette, h.colors == greyscale && h.Depth <= 8 && !h.trans:
		size = 1
	case h.colors == greyscale && !h.trans:
		size = 2
	case h.Depth > 8:
		size = 8
	}
	cost := int64(h.Width) * int64(h.Height) * size
	if h.Interlaced {
		cost += cost / 2 // the largest pass is half the picture
	}
	const zlib, rows = 64 << 10, 2 * 8
	return cost + zlib + rows*int64(h.Width)
}

// Decode decodes a picture. The caller bounds its size and memory beforehand by
// what [ParseHeader] finds. When ctx ends, Decode returns its cause after a few
// kilobytes.
func Decode(ctx context.Context, data []byte) (image.Image, error) {
	h, err := ParseHeader(data)
	if err != nil {
		return nil, err
	}
	img, err := png.Decode(&reader{ctx, h.parts})
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return img, nil
}

// reader reads the chunks one behind the other, until its context ends.
type reader struct {
	ctx   context.Context
	parts [][]byte
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	for len(r.parts) > 0 && len(r.parts[0]) == 0 {
		r.parts = r.parts[1:]
	}
	if len(r.parts) == 0 {
		return 0, io.EOF
	}
	const most = 4096 // looks at the context often enough
	n := copy(p[:min(len(p), most)], r.parts[0])
	r.parts[0] = r.parts[0][n:]
	return n, nil
}
