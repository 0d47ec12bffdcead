package webp

// stride is that of the area in which a macroblock is predicted.
const stride = 32

// work is a macroblock's samples with those of its neighbours around it: a row
// above, a column to the left, and four samples to the right of the row above. For
// the subblocks further down at the right, those four stand in the rows above
// them, too (RFC 6386 §12.3).
type work struct {
	y    [17 * stride]uint8
	u, v [9 * stride]uint8
}

// origin is the place of the first sample.
const origin = stride + 8

// predict makes a macroblock's samples.
func (d *lossy) predict(x, y int) {
	m, img := &d.mb, d.img
	w := &m.work
	border(w.y[:], img.Y, img.YStride, 16, x, y)
	border(w.u[:], img.Cb, img.CStride, 8, x, y)
	border(w.v[:], img.Cr, img.CStride, 8, x, y)
	if m.mode == modeSub {
		d.right(x, y)
		for i, mode := range m.sub {
			at := origin + i>>2*4*stride + i&3*4
			subblock(&w.y, at, mode)
			m.add(w.y[at:], i)
		}
	} else {
		whole(w.y[:], 16, m.mode, x > 0, y > 0)
		for i := range 16 {
			m.add(w.y[origin+i>>2*4*stride+i&3*4:], i)
		}
	}
	whole(w.u[:], 8, m.uvMode, x > 0, y > 0)
	whole(w.v[:], 8, m.uvMode, x > 0, y > 0)
	for i := range 4 {
		at := origin + i>>1*4*stride + i&1*4
		m.add(w.u[at:], 16+i)
		m.add(w.v[at:], 20+i)
	}
	keep(img.Y, img.YStride, w.y[:], 16, x, y)
	keep(img.Cb, img.CStride, w.u[:], 8, x, y)
	keep(img.Cr, img.CStride, w.v[:], 8, x, y)
}

// border copies the neighbours' samples. Beyond the picture, those above are 127
// and those to the left 129 (§12.2).
func border(w, plane []uint8, planeStride, n, x, y int) {
	const none, noneLeft = 127, 129
	above := w[8-1 : 8+n]
	corner := plane[max(0, (y*n-1)*planeStride+x*n-1):]
	switch {
	case y == 0:
		for i := range above {
			above[i] = none
		}
	case x == 0:
		above[0] = noneLeft
		copy(above[1:], plane[(y*n-1)*planeStride:])
	default:
		copy(above, corner)
	}
	for i := range n {
		left := uint8(noneLeft)
		if x > 0 {
			left = plane[(y*n+i)*planeStride+x*n-1]
		}
		w[origin+i*stride-1] = left
	}
}

// keep copies finished samples to their plane.
func keep(plane []uint8, planeStride int, w []uint8, n, x, y int) {
	for i := range n {
		copy(plane[(y*n+i)*planeStride+x*n:][:n], w[origin+i*stride:])
	}
}

// right copies the four samples above and to the right. The last macroblock of a
// row has none there, and repeats the last sample of those above.
func (d *lossy) right(x, y int) {
	var four [4]uint8
	row := max(0, (16*y-1)*d.img.YStride)
	switch {
	case y == 0:
		four = [4]uint8{127, 127, 127, 127}
	case x == d.w-1:
		v := d.img.Y[row+16*x+15]
		four = [4]uint8{v, v, v, v}
	default:
		copy(four[:], d.img.Y[row+16*x+16:])
	}
	for i := range 4 {
		copy(d.mb.work.y[origin-stride+4*i*stride+16:], four[:])
	}
}

// whole predicts n x n samples by one mode (§12.2).
func whole(w []uint8, n, mode int, left, above bool) {
	top := w[origin-stride:][:n]
	switch mode {
	case modeDC:
		v := mean(w, n, left, above)
		for y := range n {
			row := w[origin+y*stride:][:n]
			for x := range row {
				row[x] = v
			}
		}
	case modeV:
		for y := range n {
			copy(w[origin+y*stride:][:n], top)
		}
	case modeH:
		for y := range n {
			row := w[origin+y*stride-1:][:n+1]
			for x := range row {
				row[x] = row[0]
			}
		}
	case modeTM:
		trueMotion(w, origin, n)
	}
}

// mean is the mean of those neighbours that there are.
func mean(w []uint8, n int, left, above bool) uint8 {
	sum, count := 0, 0
	if above {
		for _, v := range w[origin-stride:][:n] {
			sum += int(v)
		}
		count += n
	}
	if left {
		for y := range n {
			sum += int(w[origin+y*stride-1])
		}
		count += n
	}
	if count == 0 {
		return 128
	}
	return uint8((sum + count/2) / count)
}

// trueMotion predicts by the slopes along the edges.
func trueMotion(w []uint8, at, n int) {
	corner := int32(w[at-stride-1])
	top := w[at-stride:][:n]
	for y := range n {
		row := w[at+y*stride:][:n]
		d := int32(w[at+y*stride-1]) - corner
		for x := range row {
			row[x] = clamp(int32(top[x]) + d)
		}
	}
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

// subblock predicts 4 x 4 samples (§12.3).
func subblock(w *[17 * stride]uint8, at int, mode uint8) {
	// The edge from the lower left over the corner (4) to the upper right.
	var e [13]int32
	for i := range 4 {
		e[i] = int32(w[at+(3-i)*stride-1])
	}
	for i := range 9 {
		e[4+i] = int32(w[at-stride-1+i])
	}
	two := func(i int) uint8 { return uint8((e[i] + e[i+1] + 1) >> 1) }
	three := func(i int) uint8 { return uint8((e[i-1] + 2*e[i] + e[i+1] + 2) >> 2) }
	put := func(x, y int, v uint8) { w[at+y*stride+x] = v }
	each := func(f func(x, y int) uint8) {
		for y := range 4 {
			for x := range 4 {
				put(x, y, f(x, y))
			}
		}
	}
	switch mode {
	case subDC:
		v := uint8((e[0] + e[1] + e[2] + e[3] + e[5] + e[6] + e[7] + e[8] + 4) >> 3)
		each(func(int, int) uint8 { return v })
	case subTM:
		trueMotion(w[:], at, 4)
	case subVE:
		each(func(x, _ int) uint8 { return three(5 + x) })
	case subHE:
		last := uint8((e[1] + 3*e[0] + 2) >> 2)
		each(func(_, y int) uint8 {
			if y == 3 {
				return last
			}
			return three(3 - y)
		})
	case subLD:
		last := uint8((e[11] + 3*e[12] + 2) >> 2)
		each(func(x, y int) uint8 {
			if x+y == 6 {
				return last
			}
			return three(6 + x + y)
		})
	case subRD:
		each(func(x, y int) uint8 { return three(4 + x - y) })
	case subVR:
		each(func(x, y int) uint8 {
			switch i := 2*x - y; {
			case i < -1: // below the second row, at the left
				return three(5 - y)
			case i == -1:
				return three(4)
			case i&1 == 0:
				return two(4 + i/2)
			default:
				return three(4 + i/2 + 1)
			}
		})
	case subVL:
		each(func(x, y int) uint8 {
			switch {
			case x == 3 && y == 2:
				return three(10)
			case x == 3 && y == 3:
				return three(11)
			case y&1 == 0:
				return two(5 + x + y/2)
			default:
				return three(6 + x + y/2)
			}
		})
	case subHD:
		each(func(x, y int) uint8 {
			switch i := 2*y - x; {
			case i < -1:
				return three(3 + x)
			case i == -1:
				return three(4)
			case i&1 == 0:
				return two(3 - i/2)
			default:
				return three(4 - i/2 - 1)
			}
		})
	case subHU:
		each(func(x, y int) uint8 {
			switch i := x + 2*y; {
			case i > 5:
				return uint8(e[0])
			case i == 5:
				return uint8((e[1] + 3*e[0] + 2) >> 2)
			case i&1 == 0:
				return two(2 - i/2)
			default:
				return three(2 - i/2)
			}
		})
	}
}

// add adds a block's coefficients, transformed (§14.4), to the 4 x 4 samples at
// the beginning of w.
func (m *macroblock) add(w []uint8, i int) {
	if m.filled>>i&1 == 0 {
		return
	}
	c := &m.coef[i]
	const c1, c2 = 20091, 35468 // sqrt(2)·cos(π/8) - 1 and sqrt(2)·sin(π/8), in 1/65536
	var t [16]int32
	for i := range 4 {
		a, b := c[i]+c[8+i], c[i]-c[8+i]
		x := c[4+i]*c2>>16 - (c[12+i] + c[12+i]*c1>>16)
		y := c[4+i] + c[4+i]*c1>>16 + c[12+i]*c2>>16
		t[i], t[12+i], t[4+i], t[8+i] = a+y, a-y, b+x, b-x
	}
	for i := range 4 {
		r := t[4*i : 4*i+4]
		a, b := r[0]+r[2]+4, r[0]-r[2]+4
		x := r[1]*c2>>16 - (r[3] + r[3]*c1>>16)
		y := r[1] + r[1]*c1>>16 + r[3]*c2>>16
		p := w[i*stride : i*stride+4]
		p[0], p[3] = clamp(int32(p[0])+(a+y)>>3), clamp(int32(p[3])+(a-y)>>3)
		p[1], p[2] = clamp(int32(p[1])+(b+x)>>3), clamp(int32(p[2])+(b-x)>>3)
	}
}
