package mjpeg

import (
	"math"

	"pithings/picture/jpeg"
)

// The forward transform is that of Arai, Agui and Nakajima ("A fast DCT-SQ
// scheme for images", Trans. IEICE E-71, 1988): five multiplications for eight
// samples, because every output is left with a factor of its own. quantizer
// divides by those factors together with the quantisation.
//
// Samples enter as they come from the camera, without T.81's level shift, as
// fixed-point numbers with sampleBits fraction bits. The shift, like the offset
// of limited-range luma, touches the first coefficient only and is taken off
// there; the gain that stretches limited range to full is a factor of all
// coefficients and is part of the quantizer's too. So range costs nothing.
const (
	sampleBits = 2
	constBits  = 12

	cos4       = 2896 // cos(4π/16) in constBits, rounded
	cos6       = 1567 // cos(6π/16)
	cos2Minus6 = 2217 // cos(2π/16) - cos(6π/16)
	cos2Plus6  = 5352 // cos(2π/16) + cos(6π/16)
)

// fdctRows transforms each row of b in place.
func fdctRows(b *[64]int32) {
	for i := 0; i < 64; i += 8 {
		r := (*[8]int32)(b[i : i+8])

		s07, d07 := r[0]+r[7], r[0]-r[7]
		s16, d16 := r[1]+r[6], r[1]-r[6]
		s25, d25 := r[2]+r[5], r[2]-r[5]
		s34, d34 := r[3]+r[4], r[3]-r[4]

		e0, e3 := s07+s34, s07-s34
		e1, e2 := s16+s25, s16-s25
		r[0], r[4] = e0+e1, e0-e1
		m := (e2 + e3) * cos4 >> constBits
		r[2], r[6] = e3+m, e3-m

		o0, o1, o2 := d34+d25, d25+d16, d16+d07
		z5 := (o0 - o2) * cos6
		z2 := (o0*cos2Minus6 + z5) >> constBits
		z4 := (o2*cos2Plus6 + z5) >> constBits
		z3 := o1 * cos4 >> constBits
		p, q := d07+z3, d07-z3
		r[5], r[3] = q+z2, q-z2
		r[1], r[7] = p+z4, p-z4
	}
}

// scaleBits are the fraction bits of a quantizer's factors: a coefficient stays
// below 2^11 after quantisation, so that the product fits into 32 bits.
const scaleBits = 20

// A quantizer turns the columns of a block into quantised coefficients.
type quantizer struct {
	// factor is 2^scaleBits / (quantisation · transform's factor · fixed point)
	// · gain, column by column.
	factor [8][8]int32
	// zero is what the first coefficient of a block in the middle of the sample
	// range would be, before quantisation. The other entries are 0.
	zero [8]int32
}

// set computes the factors. table is the quantisation, row by row; middle is the
// sample value that stands for 0 after the level shift; gain stretches samples
// around it.
func (q *quantizer) set(table *[64]uint8, middle, gain float64) {
	var aan [8]float64
	for k := range aan {
		aan[k] = math.Sqrt2 * math.Cos(float64(k)*math.Pi/16)
	}
	aan[0] = 1
	for u := range 8 {
		for v := range 8 {
			divisor := float64(table[v*8+u]) * 8 * aan[u] * aan[v] * (1 << sampleBits)
			q.factor[u][v] = int32(math.Round((1 << scaleBits) * gain / divisor))
		}
	}
	q.zero[0] = int32(math.Round(64 * middle * (1 << sampleBits)))
}

// A place says where a coefficient goes in the zig-zag sequence.
type place struct {
	bit uint64
	at  uint8
}

// places is the inverse of zigzag, column by column.
var places = func() (p [8][8]place) {
	for k, at := range jpeg.Zigzag {
		p[at%8][at/8] = place{1 << k, uint8(k)}
	}
	return p
}()

// fdctColumns transforms the columns of b, quantises, and stores the
// coefficients that are not 0 into out, in zig-zag order. The result has a bit
// set for each of them; the rest of out is left as it was.
func (q *quantizer) fdctColumns(b *[64]int32, out *[64]int16) (nonZero uint64) {
	const half = 1 << (scaleBits - 1)
	for u := range 8 {
		c := (*[57]int32)(b[u : u+57])

		s07, d07 := c[0]+c[56], c[0]-c[56]
		s16, d16 := c[8]+c[48], c[8]-c[48]
		s25, d25 := c[16]+c[40], c[16]-c[40]
		s34, d34 := c[24]+c[32], c[24]-c[32]

		f := &q.factor[u]
		e0, e3 := s07+s34, s07-s34
		e1, e2 := s16+s25, s16-s25
		m := (e2 + e3) * cos4 >> constBits
		y0 := ((e0+e1-q.zero[u])*f[0] + half) >> scaleBits
		y4 := ((e0-e1)*f[4] + half) >> scaleBits
		y2 := ((e3+m)*f[2] + half) >> scaleBits
		y6 := ((e3-m)*f[6] + half) >> scaleBits

		o0, o1, o2 := d34+d25, d25+d16, d16+d07
		z5 := (o0 - o2) * cos6
		z2 := (o0*cos2Minus6 + z5) >> constBits
		z4 := (o2*cos2Plus6 + z5) >> constBits
		z3 := o1 * cos4 >> constBits
		p, n := d07+z3, d07-z3
		y5 := ((n+z2)*f[5] + half) >> scaleBits
		y3 := ((n-z2)*f[3] + half) >> scaleBits
		y1 := ((p+z4)*f[1] + half) >> scaleBits
		y7 := ((p-z4)*f[7] + half) >> scaleBits

		if y0|y1|y2|y3|y4|y5|y6|y7 == 0 {
			continue
		}
		to := &places[u]
		nonZero |= keep(out, &to[0], y0) | keep(out, &to[1], y1) | keep(out, &to[2], y2) | keep(out, &to[3], y3) |
			keep(out, &to[4], y4) | keep(out, &to[5], y5) | keep(out, &to[6], y6) | keep(out, &to[7], y7)
	}
	return nonZero
}

// keep stores a coefficient and returns its bit, or 0 when the coefficient is 0;
// without a branch, for it would be mispredicted too often.
func keep(out *[64]int16, p *place, y int32) uint64 {
	out[p.at&63] = int16(y)
	return p.bit & uint64(int64(y|-y)>>63)
}
