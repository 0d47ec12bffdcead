package mjpeg

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// maxSide is the largest width and height that a JPEG can have (T.81 B.2.2).
const maxSide = 65535

// YUYV is a picture in the packed 4:2:2 layout of V4L2_PIX_FMT_YUYV: Y, Cb, Y,
// Cr for each pair of pixels.
type YUYV struct {
	Pix           []byte
	Stride        int // bytes from one row to the next, at least 2*Width
	Width, Height int // pixels
	// FullRange says that samples use 0–255. Otherwise luma uses 16–235 and
	// chroma 16–240, and the encoder stretches them to what JPEG files use.
	FullRange bool
}

func (f *YUYV) check() error {
	switch {
	case f.Width < 1 || f.Height < 1 || f.Width > maxSide || f.Height > maxSide:
		return fmt.Errorf("a picture of %d x %d pixels cannot be a JPEG", f.Width, f.Height)
	case f.Stride < 2*f.Width || f.Stride > 1<<20:
		return fmt.Errorf("rows of %d bytes do not hold %d YUYV pixels", f.Stride, f.Width)
	case int64(len(f.Pix)) < int64(f.Stride)*int64(f.Height-1)+2*int64(f.Width):
		return fmt.Errorf("%d bytes do not hold %d x %d YUYV pixels in rows of %d bytes", len(f.Pix), f.Width, f.Height, f.Stride)
	}
	return nil
}

// Encoder writes YUYV pictures as baseline JPEG in 4:2:2. It is not for use by
// several goroutines at once.
type Encoder struct {
	quant  [2][64]uint8    // by kind, row by row
	scaler [2][2]quantizer // by full range (1) or not, and kind
	codes  [2]blockCodes   // by kind

	blocks [4][64]int32 // Y left, Y right, Cb, Cr of one MCU
	coeffs [64]int16
	edge   [8 * mcuBytes]byte // an MCU that hangs over the right or lower edge
}

// An MCU (the unit in which components are interleaved) is 16 x 8 pixels in 4:2:2.
const (
	mcuWidth  = 16
	mcuHeight = 8
	mcuBytes  = 2 * mcuWidth // of one row in YUYV
)

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
		e.codes[kind].set(&huffmanTables[dcTable][kind], &huffmanTables[acTable][kind])
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
func (e *Encoder) Append(dst []byte, f YUYV) ([]byte, error) {
	if err := f.check(); err != nil {
		return dst, err
	}
	w := bitWriter{buf: e.appendHeader(dst, f.Width, f.Height)}
	full := 0
	if f.FullRange {
		full = 1
	}
	scaleY, scaleC := &e.scaler[full][luma], &e.scaler[full][chroma]
	var lastY, lastCb, lastCr int32
	for y := 0; y < f.Height; y += mcuHeight {
		for x := 0; x < f.Width; x += mcuWidth {
			w.reserve(4 * maxBlockBytes)
			if x+mcuWidth <= f.Width && y+mcuHeight <= f.Height {
				unpack(&e.blocks, f.Pix[y*f.Stride+2*x:], f.Stride)
			} else {
				e.overhang(&f, x, y)
				unpack(&e.blocks, e.edge[:], mcuBytes)
			}
			lastY = e.block(&w, 0, scaleY, &e.codes[luma], lastY)
			lastY = e.block(&w, 1, scaleY, &e.codes[luma], lastY)
			lastCb = e.block(&w, 2, scaleC, &e.codes[chroma], lastCb)
			lastCr = e.block(&w, 3, scaleC, &e.codes[chroma], lastCr)
		}
	}
	w.reserve(maxBlockBytes)
	return append(w.finish(), 0xFF, eoi), nil
}

// block transforms and writes one block, and returns its first coefficient.
func (e *Encoder) block(w *bitWriter, i int, q *quantizer, codes *blockCodes, last int32) int32 {
	b := &e.blocks[i&3]
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

// unpack spreads one MCU of YUYV rows over its four blocks.
func unpack(b *[4][64]int32, pix []byte, stride int) {
	const (
		mask = 0xFF << sampleBits
		s    = 8 - sampleBits
	)
	cb, cr := &b[2], &b[3]
	for row := range 8 {
		p := (*[mcuBytes]byte)(pix[row*stride:])
		for half := range 2 {
			for quarter := range 2 {
				// Eight bytes are two pairs of pixels: Y U Y V Y U Y V.
				at := half*16 + quarter*8
				lo := binary.LittleEndian.Uint32(p[at&31:])
				hi := binary.LittleEndian.Uint32(p[(at+4)&31:])
				y := b[half&1][(row*8+quarter*4)&63:]
				_ = y[3]
				y[0] = int32(lo << sampleBits & mask)
				y[1] = int32(lo >> (8 + s) & mask)
				y[2] = int32(hi << sampleBits & mask)
				y[3] = int32(hi >> (8 + s) & mask)
				c := row*8 + half*4 + quarter*2
				cb[c&63] = int32(lo >> s & mask)
				cb[(c+1)&63] = int32(hi >> s & mask)
				cr[c&63] = int32(lo >> (16 + s) & mask)
				cr[(c+1)&63] = int32(hi >> (16 + s) & mask)
			}
		}
	}
}

// overhang copies the MCU at x, y into e.edge and repeats the last column and
// row of the picture beyond its edges, which costs the fewest bits and leaves no
// seam.
func (e *Encoder) overhang(f *YUYV, x, y int) {
	width := min(mcuWidth, f.Width-x)
	pairs := (width + 1) / 2
	for row := range mcuHeight {
		src := f.Pix[min(y+row, f.Height-1)*f.Stride:]
		src = src[:min(len(src), f.Stride)]
		dst := e.edge[row*mcuBytes : (row+1)*mcuBytes]
		n := copy(dst[:pairs*4], src[2*x:])
		if width%2 == 1 {
			// The second pixel of the last pair is not part of the picture, and
			// its Cr may not be in the row at all.
			last := dst[pairs*4-4 : pairs*4]
			last[2] = last[0]
			if n < pairs*4 {
				last[3] = 128
				if x+width > 1 {
					last[3] = src[2*(x+width-1)-1]
				}
			}
		}
		last := [4]byte(dst[pairs*4-4 : pairs*4])
		last[0] = last[2]
		for i := pairs * 4; i < len(dst); i += 4 {
			copy(dst[i:], last[:])
		}
	}
}

// appendHeader appends everything before the entropy-coded data.
func (e *Encoder) appendHeader(dst []byte, width, height int) []byte {
	dst = slices.Grow(dst, 1024)
	dst = append(dst, 0xFF, soi,
		// JFIF 1.01, square pixels, no thumbnail
		0xFF, app0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0,
		0xFF, dqt, 0, 2+2*65)
	for kind := range e.quant {
		dst = append(dst, byte(kind))
		for _, at := range zigzag {
			dst = append(dst, e.quant[kind][at])
		}
	}
	dst = append(dst, 0xFF, sof0, 0, 17, 8, byte(height>>8), byte(height), byte(width>>8), byte(width), 3,
		1, 0x21, luma, 2, 0x11, chroma, 3, 0x11, chroma)
	dst = appendDHT(dst, [2][2]bool{{true, true}, {true, true}})
	return append(dst, 0xFF, sos, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0)
}
