package display

import (
	"image"
	"image/color"
)

// source gives a picture's rows as planes of bytes: Y', Cb and Cr, which may
// have fewer chroma values than pixels, or red, green and blue, or grey alone.
// Rows are views into the picture where its memory is laid out like that, and
// are converted one at a time otherwise. A source is reused for many pictures.
type source struct {
	w, h   int
	planes int  // 1 or 3
	ycc    bool // the planes are Y'CbCr
	subX   int  // luma values for one chroma value, horizontally
	subY   int  // and vertically
	// smooth: chroma is interpolated also where nothing is scaled, as the codecs' own
	// libraries do it for what they decode. An image that comes as one shows as its At
	// says.
	smooth bool

	img  image.Image
	min  image.Point
	yuv  *image.YCbCr // the planes, when ycc
	grey *image.Gray  // the plane, when planes is 1

	// The last two rows converted: interpolation asks for each row up to twice.
	rows  [2][3][]byte
	have  [2]int // which rows they are
	table [3][256]byte
}

// open makes img the picture. Its smooth is false.
func (s *source) open(img image.Image) {
	s.smooth = false
	b := img.Bounds()
	s.w, s.h, s.min, s.img = b.Dx(), b.Dy(), b.Min, img
	s.planes, s.ycc, s.subX, s.subY = 3, false, 1, 1
	s.have = [2]int{-1, -1}
	switch m := img.(type) {
	case *image.YCbCr:
		s.ycc, s.yuv = true, m
		s.subX, s.subY = subsampling(m.SubsampleRatio)
	case *image.Gray:
		s.planes, s.grey = 1, m
	case *image.Paletted:
		s.setPalette(m.Palette)
	}
}

// close lets the picture go.
func (s *source) close() { s.img, s.yuv, s.grey = nil, nil, nil }

// setPalette fills the table with the palette's colours over black. Pixels
// beyond the palette's end, which broken files have, are black.
func (s *source) setPalette(palette color.Palette) {
	s.table = [3][256]byte{}
	for i, c := range palette[:min(len(palette), 256)] {
		r, g, b, _ := c.RGBA()
		s.table[0][i], s.table[1][i], s.table[2][i] = byte(r>>8), byte(g>>8), byte(b>>8)
	}
}

// subsampling returns how many luma values one chroma value serves.
func subsampling(r image.YCbCrSubsampleRatio) (x, y int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// size returns the width and height of plane p.
func (s *source) size(p int) (w, h int) {
	if p == 0 || !s.ycc {
		return s.w, s.h
	}
	last := s.min.Add(image.Pt(s.w-1, s.h-1))
	return last.X/s.subX - s.min.X/s.subX + 1, last.Y/s.subY - s.min.Y/s.subY + 1
}

// row returns row y of plane p, valid until the next but one row.
func (s *source) row(p, y int) []byte {
	switch {
	case s.ycc && p == 0:
		return s.yuv.Y[y*s.yuv.YStride:][:s.w]
	case s.ycc:
		c := s.yuv.Cb
		if p == 2 {
			c = s.yuv.Cr
		}
		w, _ := s.size(p)
		return c[y*s.yuv.CStride:][:w]
	case s.planes == 1:
		return s.grey.Pix[y*s.grey.Stride:][:s.w]
	}
	slot := y & 1
	if s.have[slot] != y {
		for i := range s.rows[slot] {
			s.rows[slot][i] = resize(s.rows[slot][i], s.w)
		}
		s.convert(s.rows[slot], y)
		s.have[slot] = y
	}
	return s.rows[slot][p]
}

// convert writes row y to out: red, green and blue over a black ground.
func (s *source) convert(out [3][]byte, y int) {
	r, g, b := out[0], out[1], out[2]
	g, b = g[:len(r)], b[:len(r)]
	n := len(r)
	switch m := s.img.(type) {
	case *image.RGBA: // alpha is already multiplied in
		px := m.Pix[y*m.Stride:][:4*n]
		for i := range r {
			p := px[4*i : 4*i+4 : 4*i+4]
			r[i], g[i], b[i] = p[0], p[1], p[2]
		}
	case *image.NRGBA:
		px := m.Pix[y*m.Stride:][:4*n]
		for i := range r {
			p := px[4*i : 4*i+4 : 4*i+4]
			a := uint32(p[3])
			r[i], g[i], b[i] = over255(p[0], a), over255(p[1], a), over255(p[2], a)
		}
	case *image.Paletted:
		for i, v := range m.Pix[y*m.Stride:][:n] {
			r[i], g[i], b[i] = s.table[0][v], s.table[1][v], s.table[2][v]
		}
	case *image.NYCbCrA:
		s.convertNYCbCrA(m, out, y)
	case *image.CMYK:
		px := m.Pix[y*m.Stride:][:4*n]
		for i := range r {
			p := px[4*i : 4*i+4 : 4*i+4]
			r[i], g[i], b[i] = color.CMYKToRGB(p[0], p[1], p[2], p[3])
		}
	case image.RGBA64Image: // 16-bit pictures
		for i := range r {
			c := m.RGBA64At(s.min.X+i, s.min.Y+y)
			r[i], g[i], b[i] = byte(c.R>>8), byte(c.G>>8), byte(c.B>>8)
		}
	default:
		for i := range r {
			rr, gg, bb, _ := m.At(s.min.X+i, s.min.Y+y).RGBA()
			r[i], g[i], b[i] = byte(rr>>8), byte(gg>>8), byte(bb>>8)
		}
	}
}

// convertNYCbCrA is convert for a picture of planes with transparency. Chroma is
// interpolated between its rows and columns, as it is for pictures without.
func (s *source) convertNYCbCrA(m *image.NYCbCrA, out [3][]byte, y int) {
	subX, subY := subsampling(m.SubsampleRatio)
	across := nearest{subX, (s.w + s.min.X%subX + subX - 1) / subX}
	down := nearest{subY, (s.h + s.min.Y%subY + subY - 1) / subY}
	ya, yb, wy := down.of(y + s.min.Y%subY)
	first := m.COffset(s.min.X, s.min.Y)
	above, below := first+ya*m.CStride, first+yb*m.CStride
	luma := m.Y[m.YOffset(s.min.X, s.min.Y+y):]
	alpha := m.A[m.AOffset(s.min.X, s.min.Y+y):]
	for i := range out[0] {
		xa, xb, wx := across.of(i + s.min.X%subX)
		at := func(plane []byte) byte {
			one := int(plane[above+xa])*(4-wx) + int(plane[above+xb])*wx
			two := int(plane[below+xa])*(4-wx) + int(plane[below+xb])*wx
			return byte((one*(4-wy) + two*wy + 8) >> 4)
		}
		r, g, b := color.YCbCrToRGB(luma[i], at(m.Cb), at(m.Cr))
		a := uint32(alpha[i])
		out[0][i], out[1][i], out[2][i] = over255(r, a), over255(g, a), over255(b, a)
	}
}

// nearest finds, for a sample of a plane that others are by times as large as, the
// two values of those n that lie around it, and the weight of the second in
// quarters. It is exact for factors of 1 and 2.
type nearest struct{ by, n int }

func (n nearest) of(i int) (a, b, weight int) {
	a = i / n.by
	b = a
	switch in := i % n.by; {
	case n.by == 1:
		return a, b, 0
	case 2*in < n.by:
		b = max(a-1, 0)
	default:
		b = min(a+1, n.n-1)
	}
	return a, b, 1
}

// over255 returns v·a/255, rounded.
func over255(v byte, a uint32) byte {
	return byte((uint32(v)*a + 127) / 255)
}
