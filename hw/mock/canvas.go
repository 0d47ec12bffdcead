package mock

import (
	"image"

	"pithings/hw"
)

// tone is a colour in full-range Y'CbCr (JFIF).
type tone struct{ y, cb, cr uint8 }

var (
	black = tone{0, 128, 128}
	white = tone{255, 128, 128}

	// The bars of a test card: white, yellow, cyan, green, magenta, red, blue,
	// and grey; the colours at three quarters of their strength.
	bars = [8]tone{
		{191, 128, 128}, {169, 32, 143}, {134, 160, 32}, {112, 64, 48},
		{79, 192, 208}, {57, 96, 223}, {22, 223, 113}, {96, 128, 128},
	}
)

// limited turns a tone into the narrow range of ITU-R BT.601: 16–235 for luma,
// 16–240 for chroma.
func (t tone) limited() tone {
	chroma := func(c uint8) uint8 { return uint8(128 + (int(c)-128)*224/255) }
	return tone{uint8(16 + int(t.y)*219/255), chroma(t.cb), chroma(t.cr)}
}

// canvas is a picture that rectangles can be drawn on. Their corners are
// rounded down to even pixels, so that no two tones share a chroma sample, and
// what lies outside the picture is left out.
type canvas interface {
	size() (width, height int)
	fill(x0, y0, x1, y1 int, t tone)
}

// raw is a picture in one of hw's raw formats.
type raw struct {
	pix       []byte
	layout    hw.Layout
	fullRange bool
}

func (c *raw) size() (int, int) { return c.layout.Y.Width, c.layout.Y.Height }

func (c *raw) fill(x0, y0, x1, y1 int, t tone) {
	x0, y0, x1, y1 = inside(c, x0, y0, x1, y1)
	if x0 >= x1 || y0 >= y1 {
		return
	}
	if !c.fullRange {
		t = t.limited()
	}
	l := c.layout
	// The first row of each plane sample by sample, then the others as copies of it.
	c.row(l.Y, x0, x1, y0, t.y)
	rows := 1
	if l.Cb.Height > 0 {
		rows = l.Y.Height / l.Cb.Height // of luma for one of chroma
		c.row(l.Cb, x0/2, x1/2, y0/rows, t.cb)
		c.row(l.Cr, x0/2, x1/2, y0/rows, t.cr)
	}
	c.copyDown(l.Y, x0, x1, y0, y1)
	if l.Y.Step == 1 && l.Cb.Height > 0 {
		c.copyDown(l.Cb, x0/2, x1/2, y0/rows, y1/rows)
		if l.Cr.Step == 1 {
			c.copyDown(l.Cr, x0/2, x1/2, y0/rows, y1/rows)
		}
	}
}

func (c *raw) row(p hw.Plane, x0, x1, y int, v byte) {
	for x := x0; x < x1; x++ {
		c.pix[p.At(x, y)] = v
	}
}

// copyDown copies a part of row y0, with all that is between its samples, into the rows below.
func (c *raw) copyDown(p hw.Plane, x0, x1, y0, y1 int) {
	p.Offset -= p.Offset % p.Step // the first sample of whatever component
	row := c.pix[p.At(x0, y0):][:(x1-x0)*p.Step]
	for y := y0 + 1; y < y1; y++ {
		copy(c.pix[p.At(x0, y):], row)
	}
}

// planar is a 4:2:0 picture as the JPEG encoder takes it.
type planar struct{ *image.YCbCr }

func (c planar) size() (int, int) { return c.Rect.Dx(), c.Rect.Dy() }

func (c planar) fill(x0, y0, x1, y1 int, t tone) {
	x0, y0, x1, y1 = inside(c, x0, y0, x1, y1)
	if x0 >= x1 || y0 >= y1 {
		return
	}
	fillPlane(c.Y, c.YStride, x0, y0, x1, y1, t.y)
	fillPlane(c.Cb, c.CStride, x0/2, y0/2, x1/2, y1/2, t.cb)
	fillPlane(c.Cr, c.CStride, x0/2, y0/2, x1/2, y1/2, t.cr)
}

func fillPlane(plane []byte, stride, x0, y0, x1, y1 int, v byte) {
	row := plane[y0*stride:][x0:x1]
	for i := range row {
		row[i] = v
	}
	for y := y0 + 1; y < y1; y++ {
		copy(plane[y*stride:][x0:], row)
	}
}

func inside(c canvas, x0, y0, x1, y1 int) (int, int, int, int) {
	w, h := c.size()
	return max(x0, 0) &^ 1, max(y0, 0) &^ 1, min(x1, w) &^ 1, min(y1, h) &^ 1
}
