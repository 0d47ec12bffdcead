package jpeg

import "encoding/binary"

// lookBits is how many bits are looked up at once. Most codes of a picture are
// shorter, and with the few bits of value that follow them, too.
const lookBits = 10

// A huffman finds the values of codes (T.81 annex F.2.2.3).
type huffman struct {
	// look has an entry for each lookBits bits: how many of them to take (bits 0
	// to 6) and the code's value (bits 8 to 15), or 0 for longer codes. With the
	// flag whole, the bits hold the coefficient that follows the code, too: it
	// stands in bits 16 to 31 (signed), and all its bits are to be taken.
	look [1 << lookBits]uint32
	// For longer codes, by their length less one: the code after the last of that
	// length, left-aligned in 16 bits, and what to add to a code for its value's
	// index.
	limit  [16]uint32
	offset [16]int32
	values [256]uint8
	n      int32
}

const whole = 1 << 7

// set builds the table. It reports false for lengths that no prefix code has.
func (t *huffman) set(s HuffmanSpec) bool {
	*t = huffman{n: int32(len(s.Values))}
	copy(t.values[:], s.Values)
	next, i := uint32(0), 0
	for l, count := range s.Counts {
		t.offset[l] = int32(i) - int32(next)
		length := uint32(l + 1)
		if next+uint32(count) > 1<<length {
			return false
		}
		for range count {
			if length <= lookBits {
				t.enter(next, length, s.Values[i])
			}
			i++
			next++
		}
		t.limit[l] = next << (15 - l)
		next <<= 1
	}
	return true
}

// enter writes the look-up entries that begin with a code.
func (t *huffman) enter(code, length uint32, value byte) {
	free := lookBits - length
	size := uint32(value & 15)
	for rest := range uint32(1) << free {
		e := length | uint32(value)<<8
		if size > 0 && size <= free {
			bits := rest >> (free - size)
			v := int32(bits)
			if bits>>(size-1) == 0 {
				v -= 1<<size - 1
			}
			e = (length + size) | whole | uint32(value)<<8 | uint32(v)<<16
		}
		t.look[code<<free|rest] = e
	}
}

// long finds a code of more than lookBits bits at the top of acc. It returns a
// length of 0 for bits that are no code.
func (t *huffman) long(acc uint64) (value uint8, length uint) {
	top := uint32(acc >> 48)
	for l := lookBits; l < 16; l++ {
		if top < t.limit[l] {
			i := int32(top>>(15-l)) + t.offset[l]
			if i < 0 || i >= t.n {
				return 0, 0
			}
			return t.values[i], uint(l + 1)
		}
	}
	return 0, 0
}

// A bitReader reads entropy-coded bits up to the next marker, and zeroes after
// it.
type bitReader struct {
	data []byte
	at   int    // offset of the next byte; stays before a marker
	acc  uint64 // the upper n bits come next
	n    uint   // at least 56 after a fill
	pad  uint   // how many of the bits ever filled in were made up
}

// short reports whether more bits were taken than there are.
func (r *bitReader) short() bool { return r.pad > r.n }

// fill makes at least 56 bits available.
func (r *bitReader) fill() {
	if r.at+8 <= len(r.data) {
		const ones, highs = 0x0101010101010101, 0x8080808080808080
		v := binary.BigEndian.Uint64(r.data[r.at:])
		if (^v-ones)&v&highs == 0 { // none of the bytes is 0xFF
			// What is more than whole bytes fit is the same when it comes again.
			r.acc |= v >> (r.n & 63)
			taken := (63 - r.n) >> 3
			r.at += int(taken)
			r.n += taken << 3
			return
		}
	}
	r.fillSlowly()
}

func (r *bitReader) fillSlowly() {
	for r.n <= 56 {
		if r.at >= len(r.data) {
			break
		}
		b := r.data[r.at]
		if b == 0xFF {
			if r.at+1 >= len(r.data) || r.data[r.at+1] != 0 {
				break
			}
			r.at++
		}
		r.at++
		// Bits that an earlier fill looked at are there already, and are the same.
		r.acc |= uint64(b) << (56 - r.n)
		r.n += 8
	}
	if r.n <= 56 {
		r.acc &= ^uint64(0) << (64 - r.n)
		r.pad += 64 - r.n
		r.n = 64
	}
}

// bit takes one bit.
func (r *bitReader) bit() uint64 {
	if r.n < 1 {
		r.fill()
	}
	v := r.acc >> 63
	r.acc <<= 1
	r.n--
	return v
}

// bits takes n bits, at most 16.
func (r *bitReader) bits(n uint) uint32 {
	if r.n < 16 {
		r.fill()
	}
	v := uint32(r.acc >> 1 >> (63 - n&63))
	r.acc <<= n
	r.n -= n
	return v
}

// symbol takes a code and returns its value.
func (r *bitReader) symbol(t *huffman) (value uint8, ok bool) {
	if r.n < 16 {
		r.fill()
	}
	e := t.look[r.acc>>(64-lookBits)]
	value, length := uint8(e>>8), uint(e&(whole-1))
	if e&whole != 0 {
		length -= uint(value & 15)
	}
	if e == 0 {
		if value, length = t.long(r.acc); length == 0 {
			return 0, false
		}
	}
	r.acc <<= length
	r.n -= length
	return value, true
}

// extend takes a coefficient of size bits (F.2.2.1, figure F.12).
func (r *bitReader) extend(size uint) int32 {
	if size == 0 {
		return 0
	}
	v := int32(r.bits(size))
	if v < 1<<(size-1) {
		v -= 1<<size - 1
	}
	return v
}

// block takes the coefficients of a block (F.2.2) and writes them, times q, which
// is in zig-zag order, to b in the order of rows. It returns the first one's
// difference from that of the block before, and a bit for each other place that
// it wrote to.
func (r *bitReader) block(b *[64]int32, q *[64]int32, dc, ac *huffman) (diff int32, written uint64, ok bool) {
	size, ok := r.symbol(dc)
	if !ok || size > 15 {
		return 0, 0, false
	}
	diff = r.extend(uint(size))
	acc, n := r.acc, r.n // in registers while it matters
	for k := uint(1); k < 64; k++ {
		if n < 32 {
			r.acc, r.n = acc, n
			r.fill()
			acc, n = r.acc, r.n
		}
		e := ac.look[acc>>(64-lookBits)]
		if e&whole != 0 {
			k += uint(e>>12) & 15
			length := uint(e & (whole - 1))
			acc <<= length & 63
			n -= length
			if k > 63 {
				return 0, 0, false
			}
			at := Zigzag[k] & 63
			b[at] = (int32(e) >> 16) * q[k]
			written |= 1 << at
			continue
		}
		value, length := uint8(e>>8), uint(e&(whole-1))
		if e == 0 {
			if value, length = ac.long(acc); length == 0 {
				return 0, 0, false
			}
		}
		acc <<= length & 63
		n -= length
		size := uint(value & 15)
		if size == 0 {
			if value != 0xF0 { // the end of the block
				break
			}
			k += 15 // sixteen zeroes
			continue
		}
		k += uint(value >> 4)
		if k > 63 {
			return 0, 0, false
		}
		v := int32(acc >> (64 - size))
		if acc>>63 == 0 {
			v -= 1<<size - 1
		}
		acc <<= size
		n -= size
		at := Zigzag[k] & 63
		b[at] = v * q[k]
		written |= 1 << at
	}
	r.acc, r.n = acc, n
	return diff, written, true
}
