package display

import (
	"fmt"

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

// fits tells whether pix is as large as the geometry says.
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

// oneToOne tells whether every picture pixel becomes one screen pixel, and
// moves the shown part to a whole chroma value, so that rows need no
// interpolation at all.
func (b *blitter) oneToOne(p *place) bool {
	s := &b.src
	if p.w != float64(p.outW) || p.h != float64(p.outH) {
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
