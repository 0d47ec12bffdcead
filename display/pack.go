package display

import (
	"encoding/binary"
	"unsafe"

	"pithings/hw"
)

// The pack tables are indexed by a channel value plus tableZero, so that the
// conversion from Y'CbCr may leave 0–255 on both sides (it reaches from -179 to
// 481) and is clamped by the look-up itself.
const (
	tableZero = 256
	tableSize = 768
)

// packer turns rows of channel values into pixels of one screen. A row is
// packed once with ycc or rgb, then put where it belongs.
type packer interface {
	// ycc packs n = len(y) full-range Y'CbCr pixels (JFIF 1.02). One chroma
	// value serves 1<<shift pixels.
	ycc(y, cb, cr []byte, shift uint)
	// rgb packs len(r) pixels.
	rgb(r, g, b []byte)
	// black packs n black pixels.
	black(n int)
	// put writes the packed row to pix, the first pixel at byte off and each
	// following one step bytes further. Step may be negative.
	put(pix []byte, off, step int)
}

// newPacker returns the packer for a geometry that [hw.Geometry.Validate] has
// passed.
func newPacker(g hw.Geometry) packer {
	if g.BitsPerPixel == 16 {
		return newRowPacker[uint16](g)
	}
	return newRowPacker[uint32](g)
}

// rowPacker is the packer for pixels that fit in T. 24-bit pixels are held in
// uint32 and written with three bytes.
type rowPacker[T uint16 | uint32] struct {
	size    int // bytes per pixel in the screen's memory
	r, g, b [tableSize]T
	opaque  T // the alpha bits, all set
	chroma  *chromaTable
	line    []T
}

func newRowPacker[T uint16 | uint32](g hw.Geometry) *rowPacker[T] {
	p := &rowPacker[T]{size: g.BitsPerPixel / 8, chroma: newChromaTable()}
	if g.Alpha.Length > 0 {
		p.opaque = T(1<<g.Alpha.Length-1) << g.Alpha.Offset
	}
	fill := func(t *[tableSize]T, f hw.Bitfield, base T) {
		top := 1<<f.Length - 1
		for i := range t {
			v := min(max(i-tableZero, 0), 255)
			// Rounded, so that white and every shade that the screen has come
			// out as themselves.
			t[i] = T((v*top+127)/255)<<f.Offset | base
		}
	}
	fill(&p.r, g.Red, p.opaque)
	fill(&p.g, g.Green, 0)
	fill(&p.b, g.Blue, 0)
	return p
}

// chromaTable holds what Cb and Cr add to the channels (JFIF 1.02, ITU-T T.871
// §7), with tableZero already added for red and blue, and to Cb's share of
// green for green.
type chromaTable struct {
	crR, cbB [256]int16
	cbG, crG [256]int32 // in 1/65536
}

func newChromaTable() *chromaTable {
	t := new(chromaTable)
	for i := range 256 {
		c := int32(i) - 128
		t.crR[i] = int16((91881*c+1<<15)>>16) + tableZero
		t.cbB[i] = int16((116130*c+1<<15)>>16) + tableZero
		t.cbG[i] = -22554*c + tableZero<<16 + 1<<15
		t.crG[i] = -46802 * c
	}
	return t
}

// room returns the line buffer with place for n pixels.
func (p *rowPacker[T]) room(n int) []T {
	if cap(p.line) < n {
		p.line = make([]T, n)
	}
	p.line = p.line[:n]
	return p.line
}

func (p *rowPacker[T]) ycc(y, cb, cr []byte, shift uint) {
	n := len(y)
	line := p.room(n)
	t := p.chroma
	switch {
	case n == 0:
	case shift == 0:
		cb, cr, line = cb[:n], cr[:n], line[:n]
		for i, v := range y {
			r := int(v) + int(t.crR[cr[i]])
			g := int(v) + int((t.cbG[cb[i]]+t.crG[cr[i]])>>16)
			b := int(v) + int(t.cbB[cb[i]])
			line[i] = p.r[r] | p.g[g] | p.b[b]
		}
	case shift == 1:
		// Two pixels share the sums of one chroma pair.
		half := n / 2
		cbh, crh := cb[:half], cr[:half]
		for i, u := range cbh {
			w := crh[i]
			r := int(t.crR[w])
			g := int((t.cbG[u] + t.crG[w]) >> 16)
			b := int(t.cbB[u])
			two, out := y[2*i:2*i+2:2*i+2], line[2*i:2*i+2:2*i+2]
			v := int(two[0])
			out[0] = p.r[v+r] | p.g[v+g] | p.b[v+b]
			v = int(two[1])
			out[1] = p.r[v+r] | p.g[v+g] | p.b[v+b]
		}
		if n%2 == 1 {
			p.yccOne(line, y, cb, cr, n-1, shift)
		}
	default:
		for i := range y {
			p.yccOne(line, y, cb, cr, i, shift)
		}
	}
}

func (p *rowPacker[T]) yccOne(line []T, y, cb, cr []byte, i int, shift uint) {
	t, v, u, w := p.chroma, int(y[i]), cb[i>>shift], cr[i>>shift]
	line[i] = p.r[v+int(t.crR[w])] | p.g[v+int((t.cbG[u]+t.crG[w])>>16)] | p.b[v+int(t.cbB[u])]
}

func (p *rowPacker[T]) rgb(r, g, b []byte) {
	n := len(r)
	line := p.room(n)
	g, b, line = g[:n], b[:n], line[:n]
	for i, v := range r {
		line[i] = p.r[tableZero+int(v)] | p.g[tableZero+int(g[i])] | p.b[tableZero+int(b[i])]
	}
}

func (p *rowPacker[T]) black(n int) {
	line := p.room(n)
	for i := range line {
		line[i] = p.opaque
	}
}

func (p *rowPacker[T]) put(pix []byte, off, step int) {
	if len(p.line) == 0 {
		return
	}
	if step == p.size && int(unsafe.Sizeof(p.line[0])) == p.size {
		// The usual way: one copy of the whole row, in the widest stores that
		// the machine has. Framebuffers are often uncached memory, where byte
		// stores cost most, and ARMv6 code has no wide unaligned stores of its
		// own. All supported machines are little-endian, like struct fb_bitfield.
		line := unsafe.Slice((*byte)(unsafe.Pointer(&p.line[0])), len(p.line)*p.size)
		copy(pix[off:off+len(line)], line)
		return
	}
	switch p.size {
	case 2:
		for _, v := range p.line {
			binary.LittleEndian.PutUint16(pix[off:off+2], uint16(v))
			off += step
		}
	case 3:
		for _, v := range p.line {
			d := pix[off : off+3 : off+3]
			d[0], d[1], d[2] = byte(v), byte(uint32(v)>>8), byte(uint32(v)>>16)
			off += step
		}
	default:
		for _, v := range p.line {
			binary.LittleEndian.PutUint32(pix[off:off+4], uint32(v))
			off += step
		}
	}
}
