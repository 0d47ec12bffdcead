package jpeg

import (
	"context"
	"encoding/binary"
)

// scanPlane is what a scan header says about one of the components.
type scanPlane struct {
	*plane
	dc, ac     *huffman
	across, up int // blocks in an MCU
	pred       int32
}

// scan is one pass over one or more planes.
type scan struct {
	bitReader
	d       *decoder
	planes  []scanPlane
	storage [maxComponents]scanPlane
	// Of a progressive picture (G.1.1.1): the band of coefficients, the bit that
	// was sent before, or 0 for none, and the one sent now.
	from, to    int
	high, low   uint
	endOfBand   uint // blocks left without further coefficients (G.1.2.2)
	block64     [64]int32
	mcuW, mcuH  int
	restartNext byte
}

// scan reads a scan header (B.2.3) and the entropy-coded data after it. It returns
// the offset where the next marker is to be looked for.
func (d *decoder) scan(seg Segment) (int, error) {
	s := scan{d: d, bitReader: bitReader{data: d.data, at: seg.End}}
	if err := s.header(seg); err != nil {
		return 0, err
	}
	h := &d.header
	if len(s.planes) == 1 {
		// A component alone has no padding to whole MCUs (A.2.2).
		p := &s.planes[0]
		p.across, p.up = 1, 1
		s.mcuW, s.mcuH = ceil(p.w, 8), ceil(p.h, 8)
	} else {
		blocks := 0
		for i := range s.planes {
			p := &s.planes[i]
			p.across, p.up = p.H, p.V
			blocks += p.H * p.V
		}
		if blocks > 10 { // B.2.3
			return 0, broken("%d blocks in an MCU", blocks)
		}
		s.mcuW, s.mcuH = ceil(h.Width, 8*h.MaxH), ceil(h.Height, 8*h.MaxV)
	}
	if err := s.run(); err != nil {
		return 0, err
	}
	return s.at, nil
}

func (s *scan) header(seg Segment) error {
	b, d := seg.Body, s.d
	n := 0
	switch {
	case len(d.planes) == 0:
		return broken("picture data before the frame header")
	case len(b) > 0:
		n = int(b[0])
	}
	if n < 1 || n > len(d.planes) || len(b) != 4+2*n {
		return broken("scan header of %d bytes", len(b))
	}
	s.from, s.to = int(b[1+2*n]), int(b[2+2*n])
	s.high, s.low = uint(b[3+2*n]>>4), uint(b[3+2*n]&15)
	progressive := d.header.Progressive()
	switch {
	case !progressive:
		// Other values mean nothing here, and some cameras write them.
		s.from, s.to, s.high, s.low = 0, 63, 0, 0
	case s.from > s.to, s.to > 63, s.low > 13,
		s.from == 0 && s.to != 0, // G.1.1.1.1
		s.from > 0 && n > 1,
		s.high != 0 && s.high != s.low+1:
		return broken("scan of coefficients %d to %d, bits %d and %d", s.from, s.to, s.high, s.low)
	}
	s.planes = s.storage[:n]
	for i := range s.planes {
		if err := s.plane(i, b[1+2*i], b[2+2*i]); err != nil {
			return err
		}
	}
	return nil
}

// plane finds the i-th plane of the scan by its identifier, and its tables.
func (s *scan) plane(i int, id, tables byte) error {
	d, c := s.d, &s.planes[i]
	for j := range d.planes {
		if d.planes[j].ID == id {
			c.plane = &d.planes[j]
		}
	}
	if c.plane == nil {
		return broken("scan of component %d, which the frame header does not have", id)
	}
	for _, other := range s.planes[:i] {
		if other.plane == c.plane {
			return broken("component %d twice in a scan", id)
		}
	}
	progressive := d.header.Progressive()
	switch {
	case c.scanned && !progressive:
		return broken("component %d coded twice", id)
	case !c.scanned && s.from > 0:
		return broken("component %d begins with its AC coefficients", id)
	}
	c.scanned = true
	if c.quant == nil {
		if !d.quant[c.Tq].defined {
			return broken("no quantisation table %d", c.Tq)
		}
		values := d.quant[c.Tq].values
		c.quant = &values
	}
	if s.from == 0 && s.high == 0 {
		if c.dc = d.table(DC, tables>>4); c.dc == nil {
			return broken("no Huffman table %d", tables>>4)
		}
	}
	if s.to > 0 {
		if c.ac = d.table(AC, tables&15); c.ac == nil {
			return broken("no Huffman table %d", tables&15)
		}
	}
	return nil
}

// run decodes all MCUs of the scan.
func (s *scan) run() error {
	decode := s.sequential
	if s.d.header.Progressive() {
		decode = s.progressive()
	}
	left := s.d.interval
	for my := range s.mcuH {
		if s.d.ctx.Err() != nil {
			return context.Cause(s.d.ctx)
		}
		for mx := range s.mcuW {
			if s.d.interval > 0 {
				if left == 0 {
					if err := s.restart(); err != nil {
						return err
					}
					left = s.d.interval
				}
				left--
			}
			for i := range s.planes {
				p := &s.planes[i]
				for v := range p.up {
					for h := range p.across {
						if !decode(p, mx*p.across+h, my*p.up+v) {
							return s.failed(mx, my)
						}
					}
				}
			}
			if s.short() {
				return s.failed(mx, my)
			}
		}
	}
	return nil
}

// failed says why the data of an MCU make no sense.
func (s *scan) failed(mx, my int) error {
	if s.short() {
		if _, ok := Next(s.data, s.at); !ok {
			return ErrShort
		}
		return broken("data end early, in MCU %d of %d", my*s.mcuW+mx, s.mcuW*s.mcuH)
	}
	return broken("data stop making sense in MCU %d of %d", my*s.mcuW+mx, s.mcuW*s.mcuH)
}

// restart looks for the restart marker that has to come now (F.2.1.3.1), and
// begins anew after it.
func (s *scan) restart() error {
	seg, ok := Next(s.data, s.at)
	switch {
	case !ok:
		return ErrShort
	case seg.Marker != RST0+s.restartNext:
		return broken("marker %#02x where restart %d has to be", seg.Marker, s.restartNext)
	}
	s.restartNext = (s.restartNext + 1) & 7
	s.bitReader = bitReader{data: s.data, at: seg.End}
	s.endOfBand = 0
	for i := range s.planes {
		s.planes[i].pred = 0
	}
	return nil
}

// sequential decodes a block of a baseline or extended picture.
func (s *scan) sequential(p *scanPlane, bx, by int) bool {
	b := &s.block64
	diff, written, ok := s.block(b, p.quant, p.dc, p.ac)
	if !ok {
		return false
	}
	p.pred += diff
	b[0] = p.pred * p.quant[0]
	idct(b, written, p.pix[by*8*p.stride+bx*8:], p.stride)
	if written != 0 {
		*b = [64]int32{}
	}
	return true
}

// The inverse cosine transform is that of Loeffler, Ligtenberg and Moschytz
// (ICASSP 1989) with 12 multiplications for 8 values, in 32-bit fixed point: 13
// bits for the constants and 2 more for what is kept between the two passes.
// Columns and rows that have nothing but zeroes are left out: most blocks have
// few coefficients.
const (
	c0298 = 2446  // 0.298631336
	c0390 = 3196  // 0.390180644
	c0541 = 4433  // 0.541196100
	c0765 = 6270  // 0.765366865
	c0899 = 7373  // 0.899976223
	c1175 = 9633  // 1.175875602
	c1501 = 12299 // 1.501321110
	c1847 = 15137 // 1.847759065
	c1961 = 16069 // 1.961570560
	c2053 = 16819 // 2.053119869
	c2562 = 20995 // 2.562915447
	c3072 = 25172 // 3.072711026
)

const spread = 0x0101010101010101 // one byte eight times

// idct transforms a block and writes its 8 x 8 samples to dst. Bit i of written
// reports that b[i], in the order of rows, may be other than 0; b[0] always may.
func idct(b *[64]int32, written uint64, dst []byte, stride int) {
	if written&^1 == 0 {
		v := uint64(clamp((b[0]+4)>>3+128)) * spread
		for y := range 8 {
			binary.LittleEndian.PutUint64(dst[y*stride:], v)
		}
		return
	}
	// A bit for each column that has something in the rows from the second on.
	below := written >> 8
	below |= below >> 32
	below |= below >> 16
	below |= below >> 8
	columns := (below | written | 1) & 0xFF

	var ws [64]int32
	for x := range 8 {
		switch bit := uint64(1) << x; {
		case columns&bit == 0:
		case below&bit == 0:
			v := b[x] << 2
			for y := 0; y < 64; y += 8 {
				ws[y+x] = v
			}
		default:
			column(b, &ws, x)
		}
	}
	if columns == 1 {
		for y := range 8 {
			v := uint64(clamp((ws[8*y]+16)>>5+128)) * spread
			binary.LittleEndian.PutUint64(dst[y*stride:], v)
		}
		return
	}
	for y := range 8 {
		row((*[8]int32)(ws[8*y:8*y+8]), (*[8]byte)(dst[y*stride:]))
	}
}

func column(b, ws *[64]int32, x int) {
	x &= 7
	z1 := (b[x+16] + b[x+48]) * c0541
	t2, t3 := z1-b[x+48]*c1847, z1+b[x+16]*c0765
	t0, t1 := (b[x]+b[x+32])<<13+1<<10, (b[x]-b[x+32])<<13+1<<10
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

	o0, o1, o2, o3 := b[x+56], b[x+40], b[x+24], b[x+8]
	y1, y2, y3, y4 := o0+o3, o1+o2, o0+o2, o1+o3
	y5 := (y3 + y4) * c1175
	y1, y2 = -y1*c0899, -y2*c2562
	y3, y4 = y5-y3*c1961, y5-y4*c0390
	o0 = o0*c0298 + y1 + y3
	o1 = o1*c2053 + y2 + y4
	o2 = o2*c3072 + y2 + y3
	o3 = o3*c1501 + y1 + y4

	ws[x], ws[x+56] = (e0+o3)>>11, (e0-o3)>>11
	ws[x+8], ws[x+48] = (e1+o2)>>11, (e1-o2)>>11
	ws[x+16], ws[x+40] = (e2+o1)>>11, (e2-o1)>>11
	ws[x+24], ws[x+32] = (e3+o0)>>11, (e3-o0)>>11
}

func row(b *[8]int32, dst *[8]byte) {
	z1 := (b[2] + b[6]) * c0541
	t2, t3 := z1-b[6]*c1847, z1+b[2]*c0765
	const round = 1<<17 + 128<<18 // and samples are 128 above the transform's values
	t0, t1 := (b[0]+b[4])<<13+round, (b[0]-b[4])<<13+round
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

	o0, o1, o2, o3 := b[7], b[5], b[3], b[1]
	y1, y2, y3, y4 := o0+o3, o1+o2, o0+o2, o1+o3
	y5 := (y3 + y4) * c1175
	y1, y2 = -y1*c0899, -y2*c2562
	y3, y4 = y5-y3*c1961, y5-y4*c0390
	o0 = o0*c0298 + y1 + y3
	o1 = o1*c2053 + y2 + y4
	o2 = o2*c3072 + y2 + y3
	o3 = o3*c1501 + y1 + y4

	dst[0], dst[7] = clamp((e0+o3)>>18), clamp((e0-o3)>>18)
	dst[1], dst[6] = clamp((e1+o2)>>18), clamp((e1-o2)>>18)
	dst[2], dst[5] = clamp((e2+o1)>>18), clamp((e2-o1)>>18)
	dst[3], dst[4] = clamp((e3+o0)>>18), clamp((e3-o0)>>18)
}

func clamp(v int32) byte {
	if uint32(v) > 255 {
		return byte(^v >> 31)
	}
	return byte(v)
}
