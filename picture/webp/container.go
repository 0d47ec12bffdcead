package webp

import (
	"context"
	"encoding/binary"
	"fmt"
	"image"
)

// A Header is what a file's chunks tell about the picture before it is decoded.
type Header struct {
	// Width and Height are those of the chunk that holds the picture. The
	// container's may be others (golang/go#80063).
	Width, Height int
	// Exif is the TIFF structure of the EXIF chunk (RFC 9649 §2.7.1.5), or nil.
	Exif []byte

	lossless bool
	data     []byte // of the VP8 or VP8L chunk
	alpha    []byte // of the ALPH chunk, if the picture has one
}

// ParseHeader walks over a file's chunks (RFC 9649 §2.3 to §2.7).
func ParseHeader(data []byte) (Header, error) {
	var h Header
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WEBP" {
		return h, broken("no RIFF header")
	}
	rest := data[12:]
	if n := uint64(binary.LittleEndian.Uint32(data[4:])); n >= 4 && n-4 < uint64(len(rest)) {
		rest = rest[:n-4]
	}
	for len(rest) >= 8 {
		kind, n := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		body := rest[:min(n, uint64(len(rest)))]
		rest = rest[min(n+n&1, uint64(len(rest))):]
		switch kind {
		case "ANIM", "ANMF":
			return h, fmt.Errorf("%w: an animated one; send one of its frames as a picture of its own", ErrUnsupported)
		case "VP8 ", "VP8L":
			if h.data == nil {
				h.data, h.lossless = body, kind == "VP8L"
			}
		case "ALPH":
			if h.alpha == nil && h.data == nil {
				h.alpha = body
			}
		case "EXIF":
			if h.Exif == nil {
				h.Exif = body
			}
		}
	}
	if h.data == nil {
		return h, ErrShort
	}
	return h, h.size()
}

// size reads the size from the picture's own header.
func (h *Header) size() error {
	b := h.data
	if h.lossless { // RFC 9649 §3.4
		h.alpha = nil
		if len(b) < 5 {
			return ErrShort
		}
		v := binary.LittleEndian.Uint32(b[1:])
		if b[0] != 0x2F || v>>29 != 0 {
			return broken("lossless data begin with % x", b[:5])
		}
		h.Width, h.Height = int(v&0x3FFF)+1, int(v>>14&0x3FFF)+1
		return nil
	}
	if len(b) < 10 { // RFC 6386 §9.1
		return ErrShort
	}
	if b[0]&1 != 0 || b[3] != 0x9D || b[4] != 0x01 || b[5] != 0x2A {
		return broken("lossy data begin with % x", b[:6])
	}
	h.Width, h.Height = int(binary.LittleEndian.Uint16(b[6:])&0x3FFF), int(binary.LittleEndian.Uint16(b[8:])&0x3FFF)
	if h.Width == 0 || h.Height == 0 {
		return broken("size of %d x %d", h.Width, h.Height)
	}
	return nil
}

// Cost is the memory, in bytes, that decoding the picture takes at most, the
// decoded picture included, but for the tables of lossless data: see [ErrTables].
func (h *Header) Cost() int64 {
	pixels := int64(h.Width) * int64(h.Height)
	if h.lossless {
		return losslessCost(h.Width, h.Height)
	}
	w, ht := int64(h.Width+15)&^15, int64(h.Height+15)&^15
	cost := w*ht*3/2 + 64*w + 64<<10
	if len(h.alpha) > 0 {
		cost += pixels
		if h.alpha[0]&3 == alphaLossless {
			cost += losslessCost(h.Width, h.Height)
		}
	}
	return cost
}

// Decode decodes a picture. The caller bounds its size and memory beforehand by
// what [ParseHeader] finds. When ctx ends, Decode returns its cause within some
// milliseconds.
//
// The picture is an *image.YCbCr, or with alpha an *image.NYCbCrA, in the full
// range that the image package takes for granted; or, of lossless data, an
// *image.NRGBA.
func Decode(ctx context.Context, data []byte) (image.Image, error) {
	h, err := ParseHeader(data)
	if err != nil {
		return nil, err
	}
	if h.lossless {
		pix, err := decodeLossless(ctx, h.data[5:], h.Width, h.Height)
		if err != nil {
			return nil, err
		}
		if h.data[4]&0x10 == 0 { // the hint that there is no alpha: dwebp follows it
			for i := 3; i < len(pix); i += 4 {
				pix[i] = 255
			}
		}
		return &image.NRGBA{Pix: pix, Stride: 4 * h.Width, Rect: image.Rect(0, 0, h.Width, h.Height)}, nil
	}
	img, err := decodeLossy(ctx, h.data)
	if err != nil {
		return nil, err
	}
	fullRange(img)
	if len(h.alpha) == 0 {
		return img, nil
	}
	a, err := decodeAlpha(ctx, h.alpha, h.Width, h.Height)
	if err != nil {
		return nil, err
	}
	return &image.NYCbCrA{YCbCr: *img, A: a, AStride: h.Width}, nil
}

// fullRange stretches samples from BT.601's limited range, in which WebP has them
// (RFC 9649 §2.5: black is 16, white 235; colours reach from 16 to 240), to the
// full range of JPEG.
func fullRange(img *image.YCbCr) {
	var luma, chroma [256]byte
	for i := range 256 {
		luma[i] = byte(min(max(((i-16)*255+109)/219, 0), 255))
		chroma[i] = byte(min(max(((i-128)*255+128*224+112)/224, 0), 255))
	}
	for i, v := range img.Y {
		img.Y[i] = luma[v]
	}
	for _, plane := range [][]byte{img.Cb, img.Cr} {
		for i, v := range plane {
			plane[i] = chroma[v]
		}
	}
}
