package mjpeg

import (
	"fmt"
	"slices"

	"pithings/hw"
	"pithings/picture/jpeg"
)

// maxSide is the largest width and height that a JPEG can have (T.81 B.2.2).
const maxSide = 65535

// Frame is a raw picture. Pixel is one of hw's raw formats.
type Frame struct {
	Pixel         hw.PixelFormat
	Pix           []byte
	Stride        int // bytes from one row to the next, of Y in planar formats
	Width, Height int // pixels
	// FullRange says that samples use 0–255. Otherwise luma uses 16–235 and
	// chroma 16–240, and the encoder stretches them to what JPEG files use.
	FullRange bool
}

func (f *Frame) check() error {
	least := f.Pixel.RowBytes(f.Width)
	switch {
	case f.Width < 1 || f.Height < 1 || f.Width > maxSide || f.Height > maxSide:
		return fmt.Errorf("a picture of %d x %d pixels cannot be a JPEG", f.Width, f.Height)
	case least == 0:
		return fmt.Errorf("pixels in format %q cannot be encoded", f.Pixel)
	case f.Stride < least || f.Stride > 1<<20:
		return fmt.Errorf("rows of %d bytes do not hold %d %v pixels", f.Stride, f.Width, f.Pixel)
	// In 64 bits first: the layout of a picture that cannot be there overflows 32.
	case int64(len(f.Pix)) < int64(f.Stride)*int64(f.Height-1), len(f.Pix) < hw.LayoutOf(f.Pixel, f.Width, f.Height, f.Stride).Least():
		return fmt.Errorf("%d bytes do not hold %d x %d %v pixels in rows of %d bytes", len(f.Pix), f.Width, f.Height, f.Pixel, f.Stride)
	}
	return nil
}

// A sampling is how the components of a picture are interleaved (T.81 A.2): an
// MCU, the unit of it, has h x v blocks of luma and one of each chroma.
type sampling struct {
	h, v   int
	chroma bool
}

// The samplings are those in which the formats come, so that nothing is interpolated or lost.
var (
	sampling422 = sampling{2, 1, true}
	sampling420 = sampling{2, 2, true}
	samplingY   = sampling{1, 1, false}
)

func samplingOf(f hw.PixelFormat) sampling {
	switch f {
	case hw.YU12, hw.NV12:
		return sampling420
	case hw.GREY:
		return samplingY
	}
	return sampling422
}

// Encoder writes raw pictures as baseline JPEG: packed ones in 4:2:2, planar ones
// in 4:2:0, grey ones with one component. It is not for use by several goroutines
// at once.
type Encoder struct {
	quant  [2][64]uint8    // by kind, row by row
	scaler [2][2]quantizer // by full range (1) or not, and kind
	codes  [2]blockCodes   // by kind

	blocks blocks
	coeffs [64]int16
}

// blocks are the samples of one MCU: the luma blocks row by row, then Cb and Cr.
// Two are spare, so that an index needs no check.
type blocks [8][64]int32

// NewEncoder returns an Encoder for a quality from 1 to 100, on the scale of the
// Independent JPEG Group that most programs use. Values outside are moved inside.
func NewEncoder(quality int) *Encoder {
	quality = min(max(quality, 1), 100)
	scale := 200 - 2*quality
	if quality < 50 {
		scale = 5000 / quality
	}
	e := &Encoder{}
	for kind := range e.quant {
		for i, q := range quantTables[kind] {
			e.quant[kind][i] = uint8(min(max((int(q)*scale+50)/100, 1), 255))
		}
		e.codes[kind].set(kind)
	}
	// ITU-R BT.601: Y = 16 + 219·E'Y, C = 128 + 224·E'C. In JFIF both use 0–255.
	// Samples beyond the nominal range give values that decoders clip.
	e.scaler[0][luma].set(&e.quant[luma], 16+128*219/255., 255/219.)
	e.scaler[0][chroma].set(&e.quant[chroma], 128, 255/224.)
	e.scaler[1][luma].set(&e.quant[luma], 128, 1)
	e.scaler[1][chroma].set(&e.quant[chroma], 128, 1)
	return e
}

// Append appends f as a JPEG to dst, which may be nil, and returns the extended
// slice. It allocates only when dst has no room.
func (e *Encoder) Append(dst []byte, f Frame) ([]byte, error) {
	if err := f.check(); err != nil {
		return dst, err
	}
	var (
		s      = samplingOf(f.Pixel)
		l      = hw.LayoutOf(f.Pixel, f.Width, f.Height, f.Stride)
		w      = bitWriter{buf: e.appendHeader(dst, s, f.Width, f.Height)}
		luma8  = s.h * s.v // blocks
		scale  = &e.scaler[0]
		lastY  int32
		lastCb int32
		lastCr int32
	)
	if f.FullRange {
		scale = &e.scaler[1]
	}
	for y := 0; y < f.Height; y += 8 * s.v {
		for x := 0; x < f.Width; x += 8 * s.h {
			w.reserve((luma8 + 2) * maxBlockBytes)
			if x+8*s.h <= f.Width && y+8*s.v <= f.Height {
				e.blocks.unpack(&f, &l, x, y)
			} else {
				e.blocks.overhang(f.Pix, &l, s, x, y)
			}
			for i := range luma8 {
				lastY = e.block(&w, i, &scale[luma], &e.codes[luma], lastY)
			}
			if s.chroma {
				lastCb = e.block(&w, luma8, &scale[chroma], &e.codes[chroma], lastCb)
				lastCr = e.block(&w, luma8+1, &scale[chroma], &e.codes[chroma], lastCr)
			}
		}
	}
	w.reserve(maxBlockBytes)
	return append(w.finish(), 0xFF, jpeg.EOI), nil
}

// block transforms and writes one block, and returns its first coefficient.
func (e *Encoder) block(w *bitWriter, i int, q *quantizer, codes *blockCodes, last int32) int32 {
	b := &e.blocks[i&7]
	fdctRows(b)
	nonZero := q.fdctColumns(b, &e.coeffs)
	// Baseline has no codes for more (T.81 F.1.2.1); only samples outside the
	// nominal range at the highest qualities get here.
	dc := int32(0)
	if nonZero&1 != 0 {
		dc = min(max(int32(e.coeffs[0]), -1024), 1023)
	}
	codes.write(w, &e.coeffs, nonZero&^1, dc-last)
	return dc
}

// appendHeader appends everything before the entropy-coded data.
func (e *Encoder) appendHeader(dst []byte, s sampling, width, height int) []byte {
	kinds, components := 2, 3
	if !s.chroma {
		kinds, components = 1, 1
	}
	dst = slices.Grow(dst, 1024)
	dst = append(dst, 0xFF, jpeg.SOI,
		// JFIF 1.01, square pixels, no thumbnail
		0xFF, jpeg.APP0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0,
		0xFF, jpeg.DQT, 0, byte(2+65*kinds))
	for kind := range kinds {
		dst = append(dst, byte(kind))
		for _, at := range jpeg.Zigzag {
			dst = append(dst, e.quant[kind][at])
		}
	}
	dst = append(dst, 0xFF, jpeg.SOF0, 0, byte(8+3*components), 8, byte(height>>8), byte(height), byte(width>>8), byte(width), byte(components),
		1, byte(s.h<<4|s.v), luma)
	if s.chroma {
		dst = append(dst, 2, 0x11, chroma, 3, 0x11, chroma)
	}
	dst = appendDHT(dst, [2][2]bool{{true, s.chroma}, {true, s.chroma}})
	dst = append(dst, 0xFF, jpeg.SOS, 0, byte(6+2*components), byte(components), 1, 0x00)
	if s.chroma {
		dst = append(dst, 2, 0x11, 3, 0x11)
	}
	return append(dst, 0, 63, 0)
}
