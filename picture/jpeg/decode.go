package jpeg

import (
	"context"
	"image"
	"image/color"
)

// A plane is a component while it is decoded.
type plane struct {
	Component
	w, h   int // size in samples
	wide   int // blocks in a row, those that only fill the last MCU included
	high   int // rows of blocks, likewise
	stride int
	pix    []byte
	coef   []int16 // of a progressive picture: 64 for each block, in the order of rows
	filled []bool  // likewise: the block has coefficients other than 0 and the first

	quant   *[64]int32 // in zig-zag order; as it was when the first scan began (B.2.4.1)
	scanned bool       // for a progressive picture: its DC coefficients
}

// decoder decodes one picture.
type decoder struct {
	ctx    context.Context
	data   []byte
	header Header
	planes []plane
	quant  [4]struct {
		defined bool
		values  [64]int32 // in zig-zag order
	}
	huffman  [2][4]*huffman
	interval int // MCUs between restart markers; 0 for none
}

// Decode decodes a picture. The caller bounds size, memory and work beforehand by
// what [ParseHeader] finds; Decode takes no more memory than [Header.Cost] says.
// When ctx ends, Decode returns its cause after a row of MCUs at most: a few
// milliseconds.
//
// The picture is an *image.Gray, an *image.YCbCr with the sampling of the file
// where image has a name for it and without subsampling otherwise, or, for
// pictures that do not come as Y'CbCr, an opaque *image.RGBA.
func Decode(ctx context.Context, data []byte) (image.Image, error) {
	h, err := ParseHeader(data)
	if err != nil {
		return nil, err
	}
	d := decoder{ctx: ctx, data: data, header: h}
	d.layOut()
	if err := d.walk(); err != nil {
		return nil, err
	}
	for i := range d.planes {
		if !d.planes[i].scanned {
			return nil, ErrShort
		}
	}
	if h.Progressive() {
		if err := d.reconstruct(); err != nil {
			return nil, err
		}
	}
	return d.picture()
}

// layOut makes the planes (A.1.1, A.2.4).
func (d *decoder) layOut() {
	h := &d.header
	d.planes = make([]plane, len(h.Components))
	for i, c := range h.Components {
		p := &d.planes[i]
		p.Component = c
		p.w, p.h = ceil(h.Width*c.H, h.MaxH), ceil(h.Height*c.V, h.MaxV)
		p.wide = ceil(h.Width, 8*h.MaxH) * c.H
		p.high = ceil(h.Height, 8*h.MaxV) * c.V
		p.stride = 8 * p.wide
		p.pix = make([]byte, p.stride*8*p.high)
		if h.Progressive() {
			p.coef = make([]int16, 64*p.wide*p.high)
			p.filled = make([]bool, p.wide*p.high)
		}
	}
}

// walk handles all segments up to the end of the image, or of the data: the
// marker at the end may be missing, the planes tell whether the picture is whole.
func (d *decoder) walk() error {
	for at := 2; ; {
		s, ok := Next(d.data, at)
		if !ok || s.Marker == EOI {
			return nil
		}
		at = s.End
		var err error
		switch s.Marker {
		case DQT, DHT, DRI, SOS:
			if s.Short {
				return ErrShort
			}
		}
		switch s.Marker {
		case DQT:
			err = d.quantTables(s)
		case DHT:
			err = d.huffmanTables(s)
		case DRI:
			if len(s.Body) != 2 {
				return broken("restart interval of %d bytes", len(s.Body))
			}
			d.interval = int(s.Body[0])<<8 | int(s.Body[1])
		case SOS:
			at, err = d.scan(s)
		}
		if err != nil {
			return err
		}
	}
}

// quantTables reads a DQT segment (B.2.4.1).
func (d *decoder) quantTables(s Segment) error {
	for b := s.Body; len(b) > 0; {
		wide := int(b[0] >> 4) // 1: values of two bytes
		n := 1 + 64<<(wide&1)
		if wide > 1 || b[0]&15 > 3 || len(b) < n {
			return broken("quantisation table %#02x in %d bytes", b[0], len(b))
		}
		t := &d.quant[b[0]&15]
		t.defined = true
		for i := range t.values {
			if wide == 0 {
				t.values[i] = int32(b[1+i])
			} else {
				t.values[i] = int32(b[1+2*i])<<8 | int32(b[2+2*i])
			}
		}
		b = b[n:]
	}
	return nil
}

// huffmanTables reads a DHT segment (B.2.4.2).
func (d *decoder) huffmanTables(s Segment) error {
	for b := s.Body; len(b) > 0; {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return broken("Huffman table %#02x in %d bytes", b[0], len(b))
		}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n > 256 || len(b) < 17+n {
			return broken("Huffman table %#02x of %d codes in %d bytes", b[0], n, len(b))
		}
		t := &d.huffman[b[0]>>4][b[0]&15]
		if *t == nil {
			*t = new(huffman)
		}
		if !(*t).set(HuffmanSpec{Counts: [16]uint8(b[1:17]), Values: b[17 : 17+n]}) {
			return broken("Huffman table %#02x has more codes than bits", b[0])
		}
		b = b[17+n:]
	}
	return nil
}

// table returns a Huffman table. The first two that a picture does not bring are
// the typical ones: Motion JPEG leaves them out.
func (d *decoder) table(class int, number byte) *huffman {
	t := &d.huffman[class][number&3]
	if *t == nil && number < 2 {
		*t = new(huffman)
		(*t).set(StandardHuffman(class, int(number)))
	}
	return *t
}

// ratio returns image's name for the picture's sampling, if it has one.
func (h *Header) ratio() (image.YCbCrSubsampleRatio, bool) {
	if len(h.Components) < 3 {
		return 0, false
	}
	y, cb, cr := h.Components[0], h.Components[1], h.Components[2]
	if y.H != h.MaxH || y.V != h.MaxV || cb.H != cr.H || cb.V != cr.V {
		return 0, false
	}
	switch [2]int{h.MaxH / cb.H, h.MaxV / cb.V} {
	case [2]int{1, 1}:
		return image.YCbCrSubsampleRatio444, true
	case [2]int{2, 1}:
		return image.YCbCrSubsampleRatio422, true
	case [2]int{2, 2}:
		return image.YCbCrSubsampleRatio420, true
	case [2]int{1, 2}:
		return image.YCbCrSubsampleRatio440, true
	}
	// 4:1:1 and 4:1:0 have names, too, but libjpeg repeats their samples, and who
	// draws an image interpolates them.
	return 0, false
}

// picture makes an image of the planes.
func (d *decoder) picture() (image.Image, error) {
	h := &d.header
	size := image.Rect(0, 0, h.Width, h.Height)
	ratio, direct := h.ratio()
	if h.colors != ycc || !direct {
		ratio = image.YCbCrSubsampleRatio444
		for i := range d.planes {
			if err := d.expand(&d.planes[i]); err != nil {
				return nil, err
			}
		}
	}
	switch p := d.planes; h.colors {
	case grey:
		return &image.Gray{Pix: p[0].pix, Stride: p[0].stride, Rect: size}, nil
	case ycc:
		return &image.YCbCr{Y: p[0].pix, Cb: p[1].pix, Cr: p[2].pix, YStride: p[0].stride, CStride: p[1].stride,
			SubsampleRatio: ratio, Rect: size}, nil
	}
	return d.rgba(size)
}

// stride is that of a plane that is not subsampled: whole MCUs.
func (h *Header) stride() int { return ceil(h.Width, 8*h.MaxH) * 8 * h.MaxH }

// expand makes a plane as large as the picture, as libjpeg does: where it has to be
// doubled, by interpolation between the samples' centres, otherwise by repeating
// samples.
func (d *decoder) expand(p *plane) error {
	h := &d.header
	fx, fy := h.MaxH/p.H, h.MaxV/p.V
	if fx == 1 && fy == 1 {
		return nil
	}
	smooth := fx <= 2 && fy <= 2
	stride := h.stride()
	out := make([]byte, stride*h.Height)
	sums := make([]uint16, p.w+2) // of two rows, and the first and the last value once more
	for y := range h.Height {
		if y&63 == 0 && d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		row, in := out[y*stride:][:h.Width], p.pix[y/fy*p.stride:][:p.w]
		if !smooth {
			for x := range row {
				row[x] = in[x/fx]
			}
			continue
		}
		other := in
		if fy == 2 {
			other = p.pix[min(max(y/2+y&1*2-1, 0), p.h-1)*p.stride:][:p.w]
		}
		for x, v := range in {
			sums[1+x] = 3*uint16(v) + uint16(other[x])
		}
		sums[0], sums[1+p.w] = sums[1], sums[p.w]
		for x := range row {
			if fx == 1 {
				row[x] = byte((sums[1+x] + 2) >> 2)
			} else {
				row[x] = byte((3*sums[1+x/2] + sums[x/2+x&1*2] + 8) >> 4)
			}
		}
	}
	p.pix, p.stride, p.w, p.h, p.H, p.V = out, stride, h.Width, h.Height, h.MaxH, h.MaxV
	return nil
}

// rgba converts planes that are not Y'CbCr. CMYK becomes what djpeg makes of it:
// each colour times black, all taken as inverted.
func (d *decoder) rgba(size image.Rectangle) (image.Image, error) {
	h := &d.header
	out := image.NewRGBA(size)
	for y := range h.Height {
		if y&15 == 0 && d.ctx.Err() != nil {
			return nil, context.Cause(d.ctx)
		}
		row := func(i int) []byte { return d.planes[i].pix[y*d.planes[i].stride:][:h.Width] }
		c1, c2, black := row(1), row(2), row(len(d.planes)-1)
		px := out.Pix[y*out.Stride:]
		for x, r := range row(0) {
			g, b := c1[x], c2[x]
			if h.colors == ycck {
				r, g, b = color.YCbCrToRGB(r, g, b)
				r, g, b = ^r, ^g, ^b
			}
			if h.colors != rgb {
				k := uint32(black[x])
				r, g, b = times(r, k), times(g, k), times(b, k)
			}
			p := px[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[2], p[3] = r, g, b, 255
		}
	}
	return out, nil
}

func times(v byte, k uint32) byte { return byte((uint32(v)*k + 127) / 255) }
