package webp

import "context"

// A filter is how strongly a macroblock's edges are smoothed (RFC 6386 §15.1,
// §9.6). A level of 0 leaves them alone.
type filter struct {
	level, interior, sharp uint8
	inner                  bool // the edges between subblocks, too
}

// filterOf returns the filter of a macroblock.
func (d *lossy) filterOf(m *macroblock) filter {
	level := d.level
	if d.segmented {
		if level = d.segments[m.segment].filter; !d.absolute {
			level += d.level
		}
	}
	if d.deltas {
		level += d.refDelta
		if m.mode == modeSub {
			level += d.modeDelta
		}
	}
	level = min(max(level, 0), 63)
	interior := level
	if d.sharpness > 0 {
		interior >>= 1
		if d.sharpness > 4 {
			interior >>= 1
		}
		interior = min(interior, 9-d.sharpness)
	}
	f := filter{level: uint8(level), interior: uint8(max(interior, 1)), inner: m.mode == modeSub || m.filled != 0}
	switch { // §15.5, of key frames
	case level >= 40:
		f.sharp = 2
	case level >= 15:
		f.sharp = 1
	}
	return f
}

// filter smooths all edges, macroblock for macroblock (§15).
func (d *lossy) filter() error {
	if d.level == 0 { // even if segments have levels of their own
		return nil
	}
	for y := range d.h {
		if d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		for x := range d.w {
			f := d.filters[y*d.w+x]
			if f.level == 0 {
				continue
			}
			d.edges(d.img.Y, 16*(y*d.img.YStride+x), d.img.YStride, 16, f, x > 0, y > 0)
			if d.simple {
				continue
			}
			d.edges(d.img.Cb, 8*(y*d.img.CStride+x), d.img.CStride, 8, f, x > 0, y > 0)
			d.edges(d.img.Cr, 8*(y*d.img.CStride+x), d.img.CStride, 8, f, x > 0, y > 0)
		}
	}
	return nil
}

// edges smooths a macroblock's edges in one plane, where its first sample is at.
func (d *lossy) edges(plane []uint8, at, planeStride, n int, f filter, left, above bool) {
	across := plane[:at+(n-1)*planeStride+n]
	sub := 2*int32(f.level) + int32(f.interior)
	mb := sub + 4
	if left {
		d.edge(across, at, 1, planeStride, n, mb, f, true)
	}
	if f.inner {
		for x := 4; x < n; x += 4 {
			d.edge(across, at+x, 1, planeStride, n, sub, f, false)
		}
	}
	if above {
		d.edge(across, at, planeStride, 1, n, mb, f, true)
	}
	if f.inner {
		for y := 4; y < n; y += 4 {
			d.edge(across, at+y*planeStride, planeStride, 1, n, sub, f, false)
		}
	}
}

// edge smooths n samples along an edge. Step is from one side of it to the other,
// along from one sample to the next.
func (d *lossy) edge(pix []uint8, at, step, along, n int, limit int32, f filter, outer bool) {
	interior, sharp := int32(f.interior), int32(f.sharp)
	for range n {
		p1, p0 := int32(pix[at-2*step]), int32(pix[at-step])
		q0, q1 := int32(pix[at]), int32(pix[at+step])
		switch {
		case 2*apart(p0, q0)+apart(p1, q1)>>1 > limit:
		case d.simple: // §15.2
			w := signed(signed(p1-q1) + 3*(q0-p0))
			pix[at-step], pix[at] = clamp(p0+signed(w+3)>>3), clamp(q0-signed(w+4)>>3)
		default: // §15.3
			p3, p2 := int32(pix[at-4*step]), int32(pix[at-3*step])
			q2, q3 := int32(pix[at+2*step]), int32(pix[at+3*step])
			if max(apart(p3, p2), apart(p2, p1), apart(p1, p0), apart(q1, q0), apart(q2, q1), apart(q3, q2)) > interior {
				break
			}
			rough := apart(p1, p0) > sharp || apart(q1, q0) > sharp
			w := 3 * (q0 - p0)
			if rough || outer {
				w += signed(p1 - q1)
			}
			w = signed(w)
			switch {
			case rough:
				pix[at-step], pix[at] = clamp(p0+signed(w+3)>>3), clamp(q0-signed(w+4)>>3)
			case outer:
				a := signed((27*w + 63) >> 7)
				pix[at-step], pix[at] = clamp(p0+a), clamp(q0-a)
				a = signed((18*w + 63) >> 7)
				pix[at-2*step], pix[at+step] = clamp(p1+a), clamp(q1-a)
				a = signed((9*w + 63) >> 7)
				pix[at-3*step], pix[at+2*step] = clamp(p2+a), clamp(q2-a)
			default:
				a := signed(w+4) >> 3
				pix[at-step], pix[at] = clamp(p0+signed(w+3)>>3), clamp(q0-a)
				a = (a + 1) >> 1
				pix[at-2*step], pix[at+step] = clamp(p1+a), clamp(q1-a)
			}
		}
		at += along
	}
}

func apart(a, b int32) int32 { return max(a-b, b-a) }

// signed bounds v to eight bits with a sign.
func signed(v int32) int32 { return min(max(v, -128), 127) }
