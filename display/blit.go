package display

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"pithings/hw"
)

// blitter draws pictures on screens of one geometry. It keeps its row buffers
// and tables (some 30 KB for a screen of 800 pixels), so that drawing another
// picture of the same size allocates nothing.
type blitter struct {
	geo  hw.Geometry
	pack packer

	src  source
	x, y [2]axis // for the picture, and for chroma where it is subsampled
	mid  []byte  // a row after vertical scaling
	acc  [3]sum
	out  [3][]byte // finished rows, one for each plane
}

// newBlitter returns a blitter for a valid geometry.
func newBlitter(g hw.Geometry) *blitter {
	return &blitter{geo: g, pack: newPacker(g)}
}

// fits reports whether pix is as large as the geometry says.
func (b *blitter) fits(pix []byte) error {
	g := b.geo
	if need := (g.Height-1)*g.Stride + g.Width*g.BitsPerPixel/8; len(pix) < need {
		return fmt.Errorf("framebuffer of %v has only %d bytes of %d", g, len(pix), need)
	}
	return nil
}

// clear paints the screen black. Bytes between the rows are left alone: they
// may belong to a part of the screen memory that is not shown.
func (b *blitter) clear(pix []byte) error {
	if err := b.fits(pix); err != nil {
		return err
	}
	b.black(pix, 0, 0, b.geo.Width, b.geo.Height)
	return nil
}

// black paints a rectangle black.
func (b *blitter) black(pix []byte, left, top, right, bottom int) {
	if left >= right || top >= bottom {
		return
	}
	size := b.geo.BitsPerPixel / 8
	b.pack.black(right - left)
	for y := top; y < bottom; y++ {
		b.pack.put(pix, y*b.geo.Stride+left*size, size)
	}
}

// draw paints the picture in b.src on the whole screen, with black where the
// picture does not reach.
func (b *blitter) draw(pix []byte, fit Fit, t turn) error {
	if err := b.fits(pix); err != nil {
		return err
	}
	g, s := b.geo, &b.src
	if s.w < 1 || s.h < 1 {
		return fmt.Errorf("%w: it has no pixels", ErrPicture)
	}
	p := fitPicture(fit, t, s.w, s.h, g.Width, g.Height)

	b.black(pix, 0, 0, g.Width, p.top)
	b.black(pix, 0, p.top, p.left, p.top+p.onH)
	b.black(pix, p.left+p.onW, p.top, g.Width, p.top+p.onH)
	b.black(pix, 0, p.top+p.onH, g.Width, g.Height)

	size := g.BitsPerPixel / 8
	along := t.xx*size + t.xy*g.Stride // bytes to the next pixel of a picture row
	down := t.yx*size + t.yy*g.Stride  // bytes to the next picture row
	at := p.screenOrigin.y*g.Stride + p.screenOrigin.x*size

	if b.oneToOne(&p) {
		for y := range p.outH {
			row := int(p.y) + y
			b.packRow(int(p.x), p.outW, row)
			b.pack.put(pix, at+y*down, along)
		}
		return nil
	}
	b.setAxes(&p)
	for y := range p.outH {
		for plane := range s.planes {
			b.scaleRow(plane, y)
		}
		switch {
		case s.planes == 1:
			b.pack.rgb(b.out[0], b.out[0], b.out[0])
		case s.ycc:
			b.pack.ycc(b.out[0], b.out[1], b.out[2], 0)
		default:
			b.pack.rgb(b.out[0], b.out[1], b.out[2])
		}
		b.pack.put(pix, at+y*down, along)
	}
	return nil
}

// oneToOne reports whether every picture pixel becomes one screen pixel without any
// interpolation, and moves the shown part to a whole chroma value.
func (b *blitter) oneToOne(p *place) bool {
	s := &b.src
	if p.w != float64(p.outW) || p.h != float64(p.outH) {
		return false
	}
	if s.smooth && (s.subX > 1 || s.subY > 1) {
		return false
	}
	if s.ycc && (s.min.X%s.subX != 0 || s.min.Y%s.subY != 0) {
		return false
	}
	p.x = float64(int(p.x) / s.subX * s.subX)
	p.y = float64(int(p.y) / s.subY * s.subY)
	return true
}

// packRow packs n pixels of row y, from x on, as they are.
func (b *blitter) packRow(x, n, y int) {
	s := &b.src
	switch {
	case s.ycc:
		shift := uint(s.subX) >> 1 // 1, 2, 4 become 0, 1, 2
		cx, cy := x/s.subX, y/s.subY
		b.pack.ycc(s.row(0, y)[x:x+n], s.row(1, cy)[cx:], s.row(2, cy)[cx:], shift)
	case s.planes == 1:
		grey := s.row(0, y)[x : x+n]
		b.pack.rgb(grey, grey, grey)
	default:
		b.pack.rgb(s.row(0, y)[x:x+n], s.row(1, y)[x:x+n], s.row(2, y)[x:x+n])
	}
}

// setAxes computes the scaling tables and makes room for the rows.
func (b *blitter) setAxes(p *place) {
	s := &b.src
	stepX, stepY := p.w/float64(p.outW), p.h/float64(p.outH)
	b.x[0].set(p.outW, s.w, p.x, stepX)
	b.y[0].set(p.outH, s.h, p.y, stepY)
	if s.ycc {
		// Chroma values lie in the middle of the pixels they serve (JFIF 1.02),
		// so one scale and one offset hold for their planes.
		w, h := s.size(1)
		fx, fy := float64(s.subX), float64(s.subY)
		b.x[1].set(p.outW, w, (p.x+float64(s.min.X%s.subX))/fx, stepX/fx)
		b.y[1].set(p.outH, h, (p.y+float64(s.min.Y%s.subY))/fy, stepY/fy)
	}
	for i := range b.out {
		b.out[i] = resize(b.out[i], p.outW)
	}
}

// scaleRow computes row y of a scaled plane: first down the columns, where
// eight of them are weighted at once, then across.
func (b *blitter) scaleRow(plane, y int) {
	s := &b.src
	which := 0
	if s.ycc && plane > 0 {
		which = 1
	}
	ax, ay := &b.x[which], &b.y[which]
	n := ax.hi - ax.lo
	b.mid = resize(b.mid, n+1)
	mid := b.mid[:n]
	from, weights := int(ay.start[y]), ay.weights(y)
	switch len(weights) {
	case 1:
		copy(mid, s.row(plane, from)[ax.lo:ax.hi])
	case 2:
		blend2(mid, s.row(plane, from)[ax.lo:ax.hi], s.row(plane, from+1)[ax.lo:ax.hi], weights[0], weights[1])
	default:
		b.sumRows(plane, from, weights, ax)
		b.acc[plane].mean(mid)
	}
	b.mid[n] = b.mid[n-1] // the neighbour of the last value, at weight 0
	ax.across(b.out[plane], b.mid)
}

// sumRows adds rows up in b.acc. The planes of a converted picture are added up
// together, at the first of them, so that no row is converted twice.
func (b *blitter) sumRows(plane, from int, weights []uint16, ax *axis) {
	s := &b.src
	last := plane
	if !s.ycc {
		if plane > 0 {
			return
		}
		last = s.planes - 1
	}
	for i := plane; i <= last; i++ {
		b.acc[i].reset(ax.hi - ax.lo)
	}
	for j, w := range weights {
		for i := plane; i <= last; i++ {
			b.acc[i].add(s.row(i, from+j)[ax.lo:ax.hi], w)
		}
	}
}

// keepWidth is the widest picture whose row buffers are kept for the next.
const keepWidth = 4096

// release lets the picture go, and buffers that only a huge one needed.
func (b *blitter) release() {
	wide := b.src.w > keepWidth || b.src.h > keepWidth
	b.src.close()
	if wide {
		*b = blitter{geo: b.geo, pack: b.pack}
	}
}

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
