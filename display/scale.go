package display

import (
	"encoding/binary"
	"math"
)

// axis says how the pixels along one side of a plane become those of the
// scaled plane: output i is the sum of count[i] inputs from start[i] on, with
// weights in 1/256 that add up to 256.
type axis struct {
	start, count, first []int32 // first is the place of the first weight
	weight              []uint16
	lo, hi              int  // only the inputs lo … hi-1 are looked at
	linear              bool // every count is 2, but for single inputs at the ends
	same                bool // output i is input lo+i
	double              bool // two outputs for each input, from the first on
}

// set computes the axis for n outputs from a plane of size inputs, of which
// those from from on show, step for each output. It reuses a's memory.
//
// Steps of up to 2 are interpolated between the two nearest input centres.
// Longer ones average all the input that an output covers: two taps would skip
// pixels, and fine patterns would turn into coarse ones.
func (a *axis) set(n, size int, from, step float64) {
	a.start, a.count = resize(a.start, n), resize(a.count, n)
	a.first, a.weight = resize(a.first, n), a.weight[:0]
	a.linear, a.same = step <= 2, step == 1 && from == math.Trunc(from)
	a.double = step == 0.5 && from == 0
	a.lo, a.hi = size, 0
	for i := range n {
		a.first[i] = int32(len(a.weight))
		if a.linear {
			a.between(i, size, from+(float64(i)+0.5)*step-0.5)
		} else {
			a.over(i, size, from+float64(i)*step, step)
		}
		a.lo = min(a.lo, int(a.start[i]))
		a.hi = max(a.hi, int(a.start[i]+a.count[i]))
	}
}

// between sets output i to lie at position at between two inputs.
func (a *axis) between(i, size int, at float64) {
	k := int(math.Floor(at))
	f := uint16((at - float64(k)) * 256)
	switch {
	case k < 0:
		k, f = 0, 0
	case k >= size-1:
		k, f = size-1, 0
	}
	a.start[i], a.count[i] = int32(k), 1
	a.weight = append(a.weight, 256-f)
	if f > 0 {
		a.count[i] = 2
	}
	a.weight = append(a.weight, f)
}

// over sets output i to the mean of the inputs that [at, at+step) covers.
func (a *axis) over(i, size int, at, step float64) {
	k := min(max(int(at), 0), size-1)
	end := min(max(int(math.Ceil(at+step)), k+1), size)
	a.start[i], a.count[i] = int32(k), int32(end-k)
	low, span := max(at, float64(k)), 0.0
	span = min(at+step, float64(end)) - low
	// Rounding the running sum, not the weights, makes them add up to 256.
	given := 0
	for j := k; j < end; j++ {
		sum := 256
		if j < end-1 && span > 0 {
			sum = int((float64(j+1)-low)/span*256 + 0.5)
		}
		a.weight = append(a.weight, uint16(sum-given))
		given = sum
	}
}

// weights returns the weights of output i.
func (a *axis) weights(i int) []uint16 {
	return a.weight[a.first[i]:][:a.count[i]]
}

// across scales the row in, whose first value is input a.lo, to out. In has
// one value more than the axis covers, which is not used for anything visible.
func (a *axis) across(out, in []byte) {
	switch {
	case a.same:
		copy(out, in)
	case a.double:
		twice(out, in)
	case a.linear:
		start := a.start[:len(out)]
		weight := a.weight[:2*len(out)]
		for i := range out {
			k := int(start[i]) - a.lo
			two := in[k : k+2 : k+2]
			f := int(weight[2*i+1])
			out[i] = byte((int(two[0])<<8 + (int(two[1])-int(two[0]))*f + 128) >> 8)
		}
	default:
		for i := range out {
			k := int(a.start[i]) - a.lo
			w := a.weights(i)
			px := in[k:][:len(w)]
			sum := uint32(128)
			for j, v := range px {
				sum += uint32(v) * uint32(w[j])
			}
			out[i] = byte(sum >> 8)
		}
	}
}

// twice interpolates between the centres of in, for outputs of half their width.
func twice(out, in []byte) {
	out[0] = in[0]
	last := int(in[0])
	pairs := out[1:]
	in = in[1 : 1+(len(pairs)+1)/2]
	for _, v := range in[:len(pairs)/2] {
		two := pairs[:2:2]
		two[0] = byte((3*last + int(v) + 2) >> 2)
		two[1] = byte((last + 3*int(v) + 2) >> 2)
		last, pairs = int(v), pairs[2:]
	}
	if len(pairs) > 0 {
		pairs[0] = byte((3*last + int(in[len(in)-1]) + 2) >> 2)
	}
}

const (
	evenBytes = 0x00ff00ff00ff00ff
	halves    = 0x0080008000800080
)

// blend2 sets out to a and b, weighted wa and wb (in 1/256, together 256).
// Eight values are weighted with two multiplications: each has 16 bits of the
// word to itself, which 255·256+128 does not overflow.
func blend2(out, a, b []byte, wa, wb uint16) {
	n := len(out)
	a, b = a[:n], b[:n]
	x, z := uint64(wa), uint64(wb)
	i := 0
	for ; i+8 <= n; i += 8 {
		p := binary.LittleEndian.Uint64(a[i : i+8])
		q := binary.LittleEndian.Uint64(b[i : i+8])
		even := (p&evenBytes)*x + (q&evenBytes)*z + halves
		odd := (p>>8&evenBytes)*x + (q>>8&evenBytes)*z + halves
		binary.LittleEndian.PutUint64(out[i:i+8], even>>8&evenBytes|odd&^evenBytes)
	}
	for ; i < n; i++ {
		out[i] = byte((uint32(a[i])*uint32(wa) + uint32(b[i])*uint32(wb) + 128) >> 8)
	}
}

// sum is a row of 16-bit sums, eight values in each pair of words.
type sum []uint64

// reset makes room for n values and sets them to zero.
func (s *sum) reset(n int) {
	*s = resize(*s, (n+7)/8*2)
	clear(*s)
}

// add adds in, weighted w.
func (s sum) add(in []byte, w uint16) {
	x := uint64(w)
	for len(in) >= 8 && len(s) >= 2 {
		p := binary.LittleEndian.Uint64(in[:8])
		s[0] += (p & evenBytes) * x
		s[1] += (p >> 8 & evenBytes) * x
		in, s = in[8:], s[2:]
	}
	for i, v := range in {
		s[i&1] += uint64(v) * x << (i &^ 1 * 8)
	}
}

// mean writes the sums' means to out.
func (s sum) mean(out []byte) {
	for len(out) >= 8 && len(s) >= 2 {
		binary.LittleEndian.PutUint64(out[:8], (s[0]+halves)>>8&evenBytes|(s[1]+halves)&^evenBytes)
		out, s = out[8:], s[2:]
	}
	for i := range out {
		out[i] = byte((s[i&1]>>(i&^1*8) + 128) >> 8)
	}
}

// resize returns s with length n; its values are undefined.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// turn is one of the eight ways to lay a rectangle on another with parallel
// sides: where the picture's own x and y axes point on the screen.
type turn struct {
	xx, xy int // screen direction of the picture's x axis
	yx, yy int // screen direction of the picture's y axis
}

// turnOf joins an EXIF orientation (1–8; anything else counts as 1: JEITA
// CP-3451 §4.6.4, tag 274) with a clockwise turn by 0, 90, 180 or 270 degrees.
func turnOf(orientation, degrees int) turn {
	t := turn{1, 0, 0, 1}
	switch orientation {
	case 2: // mirrored left to right
		t = turn{-1, 0, 0, 1}
	case 3: // upside down
		t = turn{-1, 0, 0, -1}
	case 4: // mirrored top to bottom
		t = turn{1, 0, 0, -1}
	case 5: // mirrored along the main diagonal
		t = turn{0, 1, 1, 0}
	case 6: // to be turned 90° clockwise
		t = turn{0, 1, -1, 0}
	case 7: // mirrored along the other diagonal
		t = turn{0, -1, -1, 0}
	case 8: // to be turned 90° anticlockwise
		t = turn{0, -1, 1, 0}
	}
	for ; degrees > 0; degrees -= 90 {
		// Clockwise, with y pointing down: (x, y) becomes (-y, x).
		t.xx, t.xy = -t.xy, t.xx
		t.yx, t.yy = -t.yy, t.yx
	}
	return t
}

// sideways reports whether the picture's rows become the screen's columns.
func (t turn) sideways() bool { return t.xx == 0 }

// place is how a picture lies on a screen, seen in the picture's own
// orientation: the part of it that shows, in picture pixels, and the size of
// that part on the screen, before turning.
type place struct {
	x, y, w, h   float64 // the part of the picture that is shown
	outW, outH   int     // its size when scaled
	left, top    int     // where it lies on the screen, after turning
	onW, onH     int     // its size on the screen, after turning
	screenOrigin struct{ x, y int }
}

// fitPicture places a picture of w x h pixels on a screen of sw x sh.
func fitPicture(fit Fit, t turn, w, h, sw, sh int) place {
	var p place
	// The screen as the picture sees it.
	vw, vh := sw, sh
	if t.sideways() {
		vw, vh = sh, sw
	}
	wide := int64(w)*int64(vh) > int64(h)*int64(vw) // wider than the screen
	switch {
	case fit == Cover && wide:
		p.h = float64(h)
		p.w = float64(h) * float64(vw) / float64(vh)
		p.outW, p.outH = vw, vh
	case fit == Cover:
		p.w = float64(w)
		p.h = float64(w) * float64(vh) / float64(vw)
		p.outW, p.outH = vw, vh
	case wide:
		p.w, p.h = float64(w), float64(h)
		p.outW = vw
		p.outH = max(1, int((2*int64(h)*int64(vw)+int64(w))/(2*int64(w))))
	default:
		p.w, p.h = float64(w), float64(h)
		p.outH = vh
		p.outW = max(1, int((2*int64(w)*int64(vh)+int64(h))/(2*int64(h))))
	}
	p.outW, p.outH = min(p.outW, vw), min(p.outH, vh)
	p.x, p.y = (float64(w)-p.w)/2, (float64(h)-p.h)/2

	p.onW, p.onH = p.outW, p.outH
	if t.sideways() {
		p.onW, p.onH = p.outH, p.outW
	}
	p.left, p.top = (sw-p.onW)/2, (sh-p.onH)/2
	// The picture's first pixel lies in the corner that both its axes lead
	// away from.
	p.screenOrigin.x, p.screenOrigin.y = p.left, p.top
	if t.xx < 0 || t.yx < 0 {
		p.screenOrigin.x += p.onW - 1
	}
	if t.xy < 0 || t.yy < 0 {
		p.screenOrigin.y += p.onH - 1
	}
	return p
}
