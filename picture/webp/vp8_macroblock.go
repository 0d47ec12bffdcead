package webp

// The modes by which a whole macroblock is predicted (RFC 6386 §8.2), and one for
// macroblocks whose subblocks have modes of their own.
const (
	modeDC = iota
	modeV
	modeH
	modeTM
	modeSub
)

// The modes of subblocks (§8.1), in the order of the probabilities' table.
const (
	subDC = iota
	subTM
	subVE
	subHE
	subLD
	subRD
	subVR
	subVL
	subHD
	subHU
	subModeCount
)

// implied is the mode that a macroblock's subblocks count as for their neighbours.
var implied = [4]uint8{modeDC: subDC, modeV: subVE, modeH: subHE, modeTM: subTM}

// A macroblock while it is decoded.
type macroblock struct {
	segment int
	mode    int
	sub     [16]uint8 // modes of the subblocks
	uvMode  int
	coef    [25][16]int32 // 16 of luma, 4 and 4 of chroma, the second-order one
	filled  uint32        // a bit for each block that has coefficients
	work    work
}

// macroblock decodes one: its modes, its coefficients, its samples.
func (d *lossy) macroblock(tokens *boolReader, x, y int) {
	m := &d.mb
	skip := d.modes(&d.above[x])
	m.filled = 0
	if !skip {
		d.residual(tokens, &d.above[x])
	} else {
		d.empty(&d.above[x])
	}
	d.filters[y*d.w+x] = d.filterOf(m)
	d.predict(x, y)
}

// modes reads a macroblock's header (§19.3), and returns whether it has no
// coefficients.
func (d *lossy) modes(above *context8) (skip bool) {
	r, m := &d.first, &d.mb
	if d.mapped {
		if m.segment = 0; r.bit(d.segmentProbs[0]) {
			m.segment = 2
		}
		if r.bit(d.segmentProbs[1+m.segment/2]) {
			m.segment++
		}
	}
	if d.skips {
		skip = r.bit(d.skipProb)
	}
	switch { // §11.2, with the probabilities of key frames
	case !r.bit(145):
		m.mode = modeSub
	case !r.bit(156):
		m.mode = modeDC
		if r.bit(163) {
			m.mode = modeV
		}
	default:
		m.mode = modeH
		if r.bit(128) {
			m.mode = modeTM
		}
	}
	if m.mode == modeSub {
		d.subModes(above)
	} else {
		for i := range 4 {
			above.modes[i], d.left.modes[i] = implied[m.mode], implied[m.mode]
		}
	}
	switch { // §11.4
	case !r.bit(142):
		m.uvMode = modeDC
	case !r.bit(114):
		m.uvMode = modeV
	case !r.bit(183):
		m.uvMode = modeH
	default:
		m.uvMode = modeTM
	}
	return skip
}

// subModes reads the modes of 16 subblocks (§11.3, §11.5).
func (d *lossy) subModes(above *context8) {
	r := &d.first
	for y := range 4 {
		for x := range 4 {
			p := &subModes[above.modes[x]][d.left.modes[y]]
			mode := uint8(subDC)
			switch {
			case !r.bit(p[0]):
			case !r.bit(p[1]):
				mode = subTM
			case !r.bit(p[2]):
				mode = subVE
			case !r.bit(p[3]):
				switch {
				case !r.bit(p[4]):
					mode = subHE
				case !r.bit(p[5]):
					mode = subRD
				default:
					mode = subVR
				}
			case !r.bit(p[6]):
				mode = subLD
			case !r.bit(p[7]):
				mode = subVL
			case !r.bit(p[8]):
				mode = subHD
			default:
				mode = subHU
			}
			d.mb.sub[4*y+x] = mode
			above.modes[x], d.left.modes[y] = mode, mode
		}
	}
}

// empty notes that a macroblock has no coefficients. Without a second-order block
// it leaves that of its neighbours alone (§13.3).
func (d *lossy) empty(above *context8) {
	for _, c := range []*context8{above, &d.left} {
		second := c.second
		if d.mb.mode != modeSub {
			second = 0
		}
		*c = context8{modes: c.modes, second: second}
	}
}

// The kinds of blocks (§13.3).
const (
	afterSecond = iota // luma without its first coefficient
	secondOrder
	chroma
	luma
)

// residual reads a macroblock's coefficients (§13).
func (d *lossy) residual(r *boolReader, above *context8) {
	m, left, q := &d.mb, &d.left, &d.quant[d.mb.segment]
	m.coef = [25][16]int32{}
	kind, from := luma, 0
	if m.mode != modeSub {
		kind, from = afterSecond, 1
		n := r.block(&d.probs[secondOrder], int(above.second+left.second), &q.second, 0, &m.coef[24])
		above.second = flagOf(n > 0)
		left.second = above.second
		if n > 0 {
			m.walsh()
		}
	}
	block := func(i, kind, from int, a, l *uint8, q *[2]int32) {
		n := r.block(&d.probs[kind], int(*a+*l), q, from, &m.coef[i])
		*a = flagOf(n > from)
		*l = *a
		if n > from || m.coef[i][0] != 0 {
			m.filled |= 1 << i
		}
	}
	for i := range 16 {
		block(i, kind, from, &above.y[i&3], &left.y[i>>2], &q.y)
	}
	for i := range 4 {
		block(16+i, chroma, 0, &above.u[i&1], &left.u[i>>1], &q.uv)
	}
	for i := range 4 {
		block(20+i, chroma, 0, &above.v[i&1], &left.v[i>>1], &q.uv)
	}
}

func flagOf(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// bands has the band of each coefficient (§13.3), and one for the place after the
// last.
var bands = [17]uint8{0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0}

var zigzag = [16]uint8{0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15}

// large has the probabilities of the bits of the four largest categories of
// tokens (§13.2).
var large = [4][]uint8{
	{173, 148, 140},
	{176, 155, 140, 135},
	{180, 157, 141, 134, 130},
	{254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129},
}

// block reads a block's coefficients from one on, times the quantiser's steps, and
// returns the place after the last token.
func (r *boolReader) block(probs *[8][3][11]uint8, ctx int, q *[2]int32, from int, out *[16]int32) int {
	n := from
	for p := &probs[bands[n]][ctx]; n < 16; {
		if !r.bit(p[0]) {
			return n
		}
		for !r.bit(p[1]) {
			if n++; n == 16 {
				return 16
			}
			p = &probs[bands[n]][0]
		}
		next := 1
		v := int32(1)
		if r.bit(p[2]) {
			v, next = r.big(p), 2
		}
		if r.bit(128) {
			v = -v
		}
		out[zigzag[n]] = short(v * q[min(n, 1)])
		n++
		p = &probs[bands[n]][next]
	}
	return 16
}

// big reads a token of more than one (§13.2).
func (r *boolReader) big(p *[11]uint8) int32 {
	if !r.bit(p[3]) {
		if !r.bit(p[4]) {
			return 2
		}
		return 3 + int32(flagOf(r.bit(p[5])))
	}
	if !r.bit(p[6]) {
		if !r.bit(p[7]) {
			return 5 + int32(flagOf(r.bit(159)))
		}
		v := 7 + 2*int32(flagOf(r.bit(165)))
		return v + int32(flagOf(r.bit(145)))
	}
	category := 2 * int(flagOf(r.bit(p[8])))
	category += int(flagOf(r.bit(p[9+category/2])))
	v := int32(0)
	for _, p := range large[category] {
		v = 2*v + int32(flagOf(r.bit(p)))
	}
	return v + 3 + 8<<category
}

// walsh spreads the second-order block over the first coefficients of the luma
// blocks (§14.3).
func (m *macroblock) walsh() {
	in, t := &m.coef[24], [16]int32{}
	for i := range 4 {
		a, b := in[i]+in[12+i], in[4+i]+in[8+i]
		c, d := in[4+i]-in[8+i], in[i]-in[12+i]
		t[i], t[4+i], t[8+i], t[12+i] = a+b, c+d, a-b, d-c
	}
	for i := range 4 {
		r := t[4*i : 4*i+4]
		a, b := r[0]+r[3]+3, r[1]+r[2]
		c, d := r[1]-r[2], r[0]-r[3]+3
		m.coef[4*i][0], m.coef[4*i+1][0] = short((a+b)>>3), short((c+d)>>3)
		m.coef[4*i+2][0], m.coef[4*i+3][0] = short((a-b)>>3), short((d-c)>>3)
	}
}

// short is a coefficient as the format's reference decoder keeps it: in 16 bits (RFC 6386,
// dixie's tokens.c and idct.c). No encoder exceeds them; a file that does looks the same
// everywhere.
func short(v int32) int32 { return int32(int16(v)) }
