package mjpeg

import (
	"encoding/binary"

	"pithings/hw"
)

// unpack spreads the MCU at x, y of a picture over the blocks. All of the MCU is
// inside.
func (b *blocks) unpack(f *Frame, l *hw.Layout, x, y int) {
	switch f.Pixel {
	case hw.YUYV:
		b.unpackYUYV(f.Pix[y*f.Stride+2*x:], f.Stride)
	case hw.UYVY:
		b.unpackUYVY(f.Pix[y*f.Stride+2*x:], f.Stride)
	case hw.GREY:
		unpackPlane(&b[0], f.Pix[y*f.Stride+x:], f.Stride)
	default: // 4:2:0
		for i := range 4 {
			unpackPlane(&b[i], f.Pix[(y+i>>1*8)*f.Stride+x+i&1*8:], f.Stride)
		}
		if l.Cb.Step == 1 {
			unpackPlane(&b[4], f.Pix[l.Cb.At(x/2, y/2):], l.Cb.Stride)
			unpackPlane(&b[5], f.Pix[l.Cr.At(x/2, y/2):], l.Cr.Stride)
		} else {
			unpackPairs(&b[4], &b[5], f.Pix[l.Cb.At(x/2, y/2):], l.Cb.Stride)
		}
	}
}

// unpackYUYV takes 16 x 8 pixels.
func (b *blocks) unpackYUYV(pix []byte, stride int) {
	const (
		mask = 0xFF << sampleBits
		s    = 8 - sampleBits
	)
	cb, cr := &b[2], &b[3]
	for row := range 8 {
		p := (*[32]byte)(pix[row*stride:])
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

// unpackUYVY takes 16 x 8 pixels.
func (b *blocks) unpackUYVY(pix []byte, stride int) {
	const (
		mask = 0xFF << sampleBits
		s    = 8 - sampleBits
	)
	cb, cr := &b[2], &b[3]
	for row := range 8 {
		p := (*[32]byte)(pix[row*stride:])
		for half := range 2 {
			for quarter := range 2 {
				// U Y V Y U Y V Y
				at := half*16 + quarter*8
				lo := binary.LittleEndian.Uint32(p[at&31:])
				hi := binary.LittleEndian.Uint32(p[(at+4)&31:])
				y := b[half&1][(row*8+quarter*4)&63:]
				_ = y[3]
				y[0] = int32(lo >> s & mask)
				y[1] = int32(lo >> (16 + s) & mask)
				y[2] = int32(hi >> s & mask)
				y[3] = int32(hi >> (16 + s) & mask)
				c := row*8 + half*4 + quarter*2
				cb[c&63] = int32(lo << sampleBits & mask)
				cb[(c+1)&63] = int32(hi << sampleBits & mask)
				cr[c&63] = int32(lo >> (8 + s) & mask)
				cr[(c+1)&63] = int32(hi >> (8 + s) & mask)
			}
		}
	}
}

// unpackPlane takes 8 x 8 samples that lie side by side.
func unpackPlane(b *[64]int32, pix []byte, stride int) {
	for row := range 8 {
		p := (*[8]byte)(pix[row*stride:])
		to := (*[8]int32)(b[row*8:])
		for i, v := range p {
			to[i] = int32(v) << sampleBits
		}
	}
}

// unpackPairs takes 8 x 8 samples of each of two components that come in turn.
func unpackPairs(first, second *[64]int32, pix []byte, stride int) {
	for row := range 8 {
		p := (*[16]byte)(pix[row*stride:])
		a, b := (*[8]int32)(first[row*8:]), (*[8]int32)(second[row*8:])
		for i := range 8 {
			a[i] = int32(p[2*i]) << sampleBits
			b[i] = int32(p[2*i+1]) << sampleBits
		}
	}
}

// overhang fills the blocks with the MCU at x, y that hangs over an edge of the
// picture. It repeats the last column and row beyond them, which costs the fewest bits
// and leaves no seam.
func (b *blocks) overhang(pix []byte, l *hw.Layout, s sampling, x, y int) {
	for i := range s.h * s.v {
		fill(&b[i&7], pix, &l.Y, x+i%s.h*8, y+i/s.h*8)
	}
	if s.chroma {
		n := s.h * s.v
		fill(&b[n&7], pix, &l.Cb, x/s.h, y/s.v)
		fill(&b[(n+1)&7], pix, &l.Cr, x/s.h, y/s.v)
	}
}

// fill takes 8 x 8 samples from x, y on, those beyond the plane's edges from its last column and row.
func fill(b *[64]int32, pix []byte, p *hw.Plane, x, y int) {
	for i := range b {
		v := byte(128) // the one column of a picture may have no Cr
		if p.Width > 0 {
			v = pix[p.At(min(x+i%8, p.Width-1), min(y+i/8, p.Height-1))]
		}
		b[i] = int32(v) << sampleBits
	}
}
