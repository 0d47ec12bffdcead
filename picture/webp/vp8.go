package webp

import (
	"context"
	"image"
)

// lossy decodes a key frame of VP8 (RFC 6386), which is what a lossy WebP holds.
//
// The frame is made in two passes, because the prediction of a macroblock takes
// its neighbours' samples as they are before the loop filter: first all
// macroblocks are predicted and completed by their coefficients, then all edges
// are filtered.
type lossy struct {
	ctx  context.Context
	img  *image.YCbCr // of whole macroblocks
	w, h int          // in macroblocks

	first  boolReader   // the header and the modes
	tokens []boolReader // the coefficients; rows take turns

	segmented, absolute, mapped bool
	segments                    [4]struct{ quant, filter int }
	segmentProbs                [3]uint8

	simple           bool // the simple loop filter
	level, sharpness int
	deltas           bool
	refDelta         int // of key frames
	modeDelta        int // of macroblocks of subblocks

	quant [4]quantizer // by segment

	probs    [4][8][3][11]uint8
	skips    bool // macroblocks may say that they have no coefficients
	skipProb uint8

	// What macroblocks leave for those below and to the right.
	above []context8
	left  context8

	filters []filter // of each macroblock
	mb      macroblock
}

// context8 is what the next macroblock uses of an edge: its coefficients and
// modes.
type context8 struct {
	modes  [4]uint8 // of its subblocks
	y      [4]uint8 // 1: the block has coefficients
	u, v   [2]uint8
	second uint8
}

// A quantizer has the steps of the DC and the other coefficients.
type quantizer struct{ y, second, uv [2]int32 }

// decodeLossy decodes the data of a VP8 chunk, whose first ten bytes
// [Header.size] has checked.
func decodeLossy(ctx context.Context, data []byte) (*image.YCbCr, error) {
	return (&lossy{ctx: ctx}).decode(data)
}

func (d *lossy) decode(data []byte) (*image.YCbCr, error) {
	width := int(data[6]) | int(data[7]&0x3F)<<8
	height := int(data[8]) | int(data[9]&0x3F)<<8
	d.w, d.h = (width+15)/16, (height+15)/16
	size := int(data[0])>>5 | int(data[1])<<3 | int(data[2])<<11 // of the first partition
	data = data[10:]
	if size > len(data) {
		return nil, ErrShort
	}
	d.first = newBoolReader(data[:size])
	if err := d.header(data[size:]); err != nil {
		return nil, err
	}
	d.img = image.NewYCbCr(image.Rect(0, 0, 16*d.w, 16*d.h), image.YCbCrSubsampleRatio420)
	d.above = make([]context8, d.w)
	d.filters = make([]filter, d.w*d.h)
	for y := range d.h {
		if d.ctx.Err() != nil {
			return nil, context.Cause(d.ctx)
		}
		d.left = context8{}
		tokens := &d.tokens[y%len(d.tokens)]
		for x := range d.w {
			d.macroblock(tokens, x, y)
		}
		if d.first.short() || tokens.short() {
			return nil, ErrShort
		}
	}
	if err := d.filter(); err != nil {
		return nil, err
	}
	d.img.Rect = image.Rect(0, 0, width, height)
	return d.img, nil
}

// header reads the frame header (§9.2 to §9.11, §19.2).
func (d *lossy) header(rest []byte) error {
	r := &d.first
	r.flag() // the colour space, of which there is one
	r.flag() // whether samples need no clamping; they are clamped anyway
	d.segmentation()
	d.simple = r.flag()
	d.level = r.literal(6)
	d.sharpness = r.literal(3)
	if d.deltas = r.flag(); d.deltas && r.flag() {
		for i := range 8 { // four by reference frame, four by mode
			if !r.flag() {
				continue
			}
			switch v := r.signed(6); i {
			case 0:
				d.refDelta = v
			case 4:
				d.modeDelta = v
			}
		}
	}
	if err := d.partitions(rest, 1<<r.literal(2)); err != nil {
		return err
	}
	d.quantizers()
	r.flag() // whether the probabilities are for the next frame, too
	d.probs = tokenDefaults
	for i := range d.probs {
		for j := range d.probs[i] {
			for k := range d.probs[i][j] {
				for l := range d.probs[i][j][k] {
					if r.bit(tokenUpdates[i][j][k][l]) {
						d.probs[i][j][k][l] = uint8(r.literal(8))
					}
				}
			}
		}
	}
	if d.skips = r.flag(); d.skips {
		d.skipProb = uint8(r.literal(8))
	}
	if r.short() {
		return ErrShort
	}
	return nil
}

// segmentation reads what the four kinds of macroblocks are (§9.3).
func (d *lossy) segmentation() {
	r := &d.first
	if d.segmented = r.flag(); !d.segmented {
		return
	}
	d.mapped = r.flag()
	d.absolute = true // of segments that are not described, as libwebp has it
	if r.flag() {
		d.absolute = r.flag()
		for i := range d.segments {
			d.segments[i].quant = r.optional(7)
		}
		for i := range d.segments {
			d.segments[i].filter = r.optional(6)
		}
	}
	if d.mapped {
		for i := range d.segmentProbs {
			d.segmentProbs[i] = 255
			if r.flag() {
				d.segmentProbs[i] = uint8(r.literal(8))
			}
		}
	}
}

// partitions finds the n partitions of coefficients (§9.5). The last one has no
// length.
func (d *lossy) partitions(data []byte, n int) error {
	sizes := 3 * (n - 1)
	if len(data) < sizes {
		return ErrShort
	}
	rest := data[sizes:]
	for i := range n {
		part := rest
		if i < n-1 {
			size := int(data[3*i]) | int(data[3*i+1])<<8 | int(data[3*i+2])<<16
			if size > len(rest) {
				return ErrShort
			}
			part, rest = rest[:size], rest[size:]
		}
		d.tokens = append(d.tokens, newBoolReader(part))
	}
	return nil
}

// quantizers reads the quantisers' indices and looks up their steps (§9.6, §14.1).
func (d *lossy) quantizers() {
	r := &d.first
	base := r.literal(7)
	yDC, y2DC, y2AC, uvDC, uvAC := r.optional(4), r.optional(4), r.optional(4), r.optional(4), r.optional(4)
	at := func(i int) int { return min(max(i, 0), 127) }
	for i := range d.quant {
		q := base
		if d.segmented {
			if q = d.segments[i].quant; !d.absolute {
				q += base
			}
		}
		d.quant[i] = quantizer{
			y:      [2]int32{dcSteps[at(q+yDC)], acSteps[at(q)]},
			second: [2]int32{2 * dcSteps[at(q+y2DC)], max(8, acSteps[at(q+y2AC)]*155/100)},
			uv:     [2]int32{min(132, dcSteps[at(q+uvDC)]), acSteps[at(q+uvAC)]},
		}
	}
}
