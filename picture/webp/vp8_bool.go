package webp

import (
	"encoding/binary"
	"math/bits"
)

// A boolReader reads bits that are coded by their probabilities (RFC 6386 §7), and
// zeroes after the end of its data.
type boolReader struct {
	data  []byte
	value uint64 // the upper n bits are there
	n     int
	span  uint32 // 128 to 255
	pad   int    // bits that were made up
}

func newBoolReader(data []byte) boolReader { return boolReader{data: data, span: 255} }

// bit takes a bit that is 0 with a probability of p/256.
func (r *boolReader) bit(p uint8) bool {
	if r.n < 8 {
		r.fill()
	}
	split := 1 + (r.span-1)*uint32(p)>>8
	big := uint64(split) << 56
	one := r.value >= big
	if one {
		r.value -= big
		r.span -= split
	} else {
		r.span = split
	}
	shift := bits.LeadingZeros8(uint8(r.span))
	r.span <<= uint(shift)
	r.value <<= uint(shift)
	r.n -= shift
	return one
}

// fill makes at least 56 bits available.
func (r *boolReader) fill() {
	if len(r.data) >= 8 {
		r.value |= binary.BigEndian.Uint64(r.data) >> uint(r.n)
		taken := (63 - r.n) >> 3
		r.data = r.data[taken:]
		r.n += taken << 3
		return
	}
	for r.n <= 56 && len(r.data) > 0 {
		r.value = r.value&^(^uint64(0)>>uint(r.n)) | uint64(r.data[0])<<uint(56-r.n)
		r.data = r.data[1:]
		r.n += 8
	}
	if r.n <= 56 {
		r.value &^= ^uint64(0) >> uint(r.n)
		r.pad += 64 - r.n
		r.n = 64
	}
}

// short reports whether more bits were taken than there are, and than the zeroes
// that an encoder may leave out at the end.
func (r *boolReader) short() bool { return r.pad-r.n > 16 }

// literal takes an unsigned number of n bits (§7.3).
func (r *boolReader) literal(n int) (v int) {
	for range n {
		v <<= 1
		if r.bit(128) {
			v |= 1
		}
	}
	return v
}

func (r *boolReader) flag() bool { return r.bit(128) }

// signed takes a number of n bits and its sign.
func (r *boolReader) signed(n int) int {
	v := r.literal(n)
	if r.flag() {
		return -v
	}
	return v
}

// optional takes a flag and, if it is set, a signed number.
func (r *boolReader) optional(n int) int {
	if r.flag() {
		return r.signed(n)
	}
	return 0
}
