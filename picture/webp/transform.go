package webp

import (
	"context"
	"encoding/binary"
)

// The transforms (RFC 9649 §3.5).
const (
	predictor = iota
	crossColor
	subtractGreen
	indexed
)

// A transform is what an encoder did to the pixels.
type transform struct {
	kind int
	bits uint   // of a tile's side; of indexed: 8>>bits bits are an index
	data []byte // pixels: one for each tile, or the colours
}

// transforms reads the transforms and the width of what was coded.
func (l *lossless) transforms(w, h int) (list []transform, narrow int, err error) {
	var seen [4]bool
	for narrow = w; l.flag(); {
		t := transform{kind: int(l.read(2))}
		if seen[t.kind] {
			return nil, 0, broken("a transform twice")
		}
		seen[t.kind] = true
		switch t.kind {
		case predictor, crossColor:
			t.bits = uint(l.read(3)) + 2
			t.data, err = l.image(tiles(narrow, t.bits), tiles(h, t.bits))
		case indexed:
			n := int(l.read(8)) + 1
			switch {
			case n <= 2:
				t.bits = 3
			case n <= 4:
				t.bits = 2
			case n <= 16:
				t.bits = 1
			}
			t.data, err = l.image(n, 1)
			for i := 4; i < len(t.data); i++ { // differences
				t.data[i] += t.data[i-4]
			}
			narrow = tiles(w, t.bits)
		}
		if err != nil {
			return nil, 0, err
		}
		if l.short() {
			return nil, 0, ErrShort
		}
		list = append(list, t)
	}
	return list, narrow, nil
}

// undo undoes a transform. A picture of narrow x h pixels lies at the end of pix,
// which has room for w x h.
func (t *transform) undo(ctx context.Context, pix []byte, narrow, w, h int) error {
	coded := pix[4*(w-narrow)*h:]
	for y := range h {
		if y&15 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch t.kind {
		case predictor:
			t.predict(coded, narrow, y)
		case crossColor:
			t.colors(coded[4*y*narrow:], narrow, y)
		case subtractGreen:
			row := coded[4*y*narrow:][:4*narrow]
			for i := 0; i+3 < len(row); i += 4 {
				row[i] += row[i+1]
				row[i+2] += row[i+1]
			}
		case indexed:
			t.spread(pix[4*y*w:][:4*w], coded[4*y*narrow:], w)
		}
	}
	return nil
}

// spread replaces indices, several in the green of each pixel, by colours (RFC
// 9649 §3.5.4). The indices may lie where the colours will, but never before them.
func (t *transform) spread(out, in []byte, w int) {
	width := uint(8) >> t.bits
	per := 1<<t.bits - 1
	packed := uint32(0)
	for x := range w {
		if x&per == 0 {
			packed = uint32(in[4*(x>>t.bits)+1])
		}
		i := int(packed & (1<<width - 1))
		packed >>= width
		v := uint32(0) // beyond the colours: transparent black
		if 4*i < len(t.data) {
			v = binary.LittleEndian.Uint32(t.data[4*i:])
		}
		binary.LittleEndian.PutUint32(out[4*x:], v)
	}
}

// colors adds to red and blue what the encoder took away by their likeness to
// green and red (RFC 9649 §3.5.2).
func (t *transform) colors(row []byte, w, y int) {
	across := tiles(w, t.bits)
	data := t.data[4*(y>>t.bits)*across:]
	delta := func(a, b byte) byte { return byte(int32(int8(a)) * int32(int8(b)) >> 5) }
	for x := range w {
		m := data[4*(x>>t.bits):][:4]
		p := row[4*x:][:4]
		p[0] += delta(m[2], p[1])
		p[2] += delta(m[1], p[1]) + delta(m[0], p[0])
	}
}

// predict adds a row's predictions (RFC 9649 §3.5.1).
func (t *transform) predict(pix []byte, w, y int) {
	row := pix[4*y*w:]
	get := func(at int) uint32 { return binary.LittleEndian.Uint32(row[at:]) }
	put := func(at int, prediction uint32) {
		binary.LittleEndian.PutUint32(row[at:], add(get(at), prediction))
	}
	if y == 0 {
		put(0, 0xFF000000)
		for x := 1; x < w; x++ {
			put(4*x, get(4*x-4))
		}
		return
	}
	above := pix[4*(y-1)*w:] // continues into this row: the right neighbour of its end
	up := func(x int) uint32 { return binary.LittleEndian.Uint32(above[4*x:]) }
	put(0, up(0))
	across := tiles(w, t.bits)
	data := t.data[4*(y>>t.bits)*across:]
	left := get(0)
	for x := 1; x < w; {
		mode := data[4*(x>>t.bits)+1] & 15
		end := min((x>>t.bits+1)<<t.bits, w)
		for ; x < end; x++ {
			left = add(get(4*x), predicted(mode, left, up(x), up(x-1), up(x+1)))
			binary.LittleEndian.PutUint32(row[4*x:], left)
		}
	}
}

// predicted returns the prediction of a mode (RFC 9649 §3.5.1, table of the 14
// prediction modes).
func predicted(mode byte, l, t, tl, tr uint32) uint32 {
	switch mode {
	case 1:
		return l
	case 2:
		return t
	case 3:
		return tr
	case 4:
		return tl
	case 5:
		return average(average(l, tr), t)
	case 6:
		return average(l, tl)
	case 7:
		return average(l, t)
	case 8:
		return average(tl, t)
	case 9:
		return average(t, tr)
	case 10:
		return average(average(l, tl), average(t, tr))
	case 11:
		return choose(l, t, tl)
	case 12:
		return gradient(l, t, tl)
	case 13:
		return halfGradient(average(l, t), tl)
	}
	return 0xFF000000
}

// add adds two pixels, each byte for itself.
func add(a, b uint32) uint32 {
	const odd = 0xFF00FF00
	return (a&odd+b&odd)&odd | (a&^odd+b&^odd)&^odd
}

// average is the mean of two pixels, each byte for itself, rounded down.
func average(a, b uint32) uint32 { return (a^b)&0xFEFEFEFE>>1 + a&b }

// choose returns the one of l and t that is farther from tl: what differs from it
// is on the other side.
func choose(l, t, tl uint32) uint32 {
	d := int32(0)
	for s := 0; s < 32; s += 8 {
		a, b, c := int32(l>>s&0xFF), int32(t>>s&0xFF), int32(tl>>s&0xFF)
		// |p-a| is |b-c|, |p-b| is |a-c|, for the gradient p.
		d += max(b-c, c-b) - max(a-c, c-a)
	}
	if d < 0 {
		return l
	}
	return t
}

// gradient returns l + t - tl, each byte for itself and bounded.
func gradient(l, t, tl uint32) (v uint32) {
	for s := 0; s < 32; s += 8 {
		v |= bounded(int32(l>>s&0xFF)+int32(t>>s&0xFF)-int32(tl>>s&0xFF)) << s
	}
	return v
}

// halfGradient returns a + (a - tl)/2, each byte for itself and bounded.
func halfGradient(a, tl uint32) (v uint32) {
	for s := 0; s < 32; s += 8 {
		x := int32(a >> s & 0xFF)
		v |= bounded(x+(x-int32(tl>>s&0xFF))/2) << s
	}
	return v
}

func bounded(v int32) uint32 { return uint32(min(max(v, 0), 255)) }
