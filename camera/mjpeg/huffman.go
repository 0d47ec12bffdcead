package mjpeg

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"pithings/picture/jpeg"
)

// maxBlockBytes bounds what one block can take: 64 coefficients of at most 16
// bits of code and 11 of value, each byte followed by a stuffed one.
const maxBlockBytes = 2 * (64*27/8 + 8)

// A code is a Huffman code: its bits in the lower 16, its length above.
type code uint32

func (c code) bits() uint64 { return uint64(c & 0xFFFF) }
func (c code) length() uint { return uint(c >> 16) }

// codesOf returns the code of each value of a table (T.81 annex C).
func codesOf(s jpeg.HuffmanSpec) (c [256]code) {
	next, i := uint32(0), 0
	for length, n := range s.Counts {
		for range n {
			c[s.Values[i]] = code(uint32(length+1)<<16 | next)
			next++
			i++
		}
		next <<= 1
	}
	return c
}

// blockCodes are the codes of one kind of component.
type blockCodes struct {
	dc [16]code
	ac [256]code // by run of zeroes (high half) and size of value (low half)
}

func (b *blockCodes) set(kind int) {
	all := codesOf(jpeg.StandardHuffman(jpeg.DC, kind))
	copy(b.dc[:], all[:])
	b.ac = codesOf(jpeg.StandardHuffman(jpeg.AC, kind))
}

// write writes one block (T.81 F.1.2): diff is its first coefficient less that
// of the block before; nonZero has a bit for each other one of c that is not 0.
func (b *blockCodes) write(w *bitWriter, c *[64]int16, nonZero uint64, diff int32) {
	buf, acc, n := w.buf, w.acc, w.n // in registers while it matters

	size, value := magnitude(diff)
	h := b.dc[size&15]
	acc = acc<<((h.length()+size)&63) | h.bits()<<(size&63) | value
	n += h.length() + size
	if n >= 32 {
		n -= 32
		buf = appendStuffed(buf, uint32(acc>>(n&63)))
	}

	last := 0
	for nonZero != 0 {
		at := bits.TrailingZeros64(nonZero)
		nonZero &= nonZero - 1
		run := at - last - 1
		last = at
		for run > 15 {
			h := b.ac[0xF0]
			acc = acc<<(h.length()&63) | h.bits()
			n += h.length()
			if n >= 32 {
				n -= 32
				buf = appendStuffed(buf, uint32(acc>>(n&63)))
			}
			run -= 16
		}
		size, value := magnitude(int32(c[at&63]))
		if size > 10 { // beyond what baseline can say
			size, value = magnitude(min(max(int32(c[at&63]), -1023), 1023))
		}
		h := b.ac[(uint(run)<<4|size)&255]
		acc = acc<<((h.length()+size)&63) | h.bits()<<(size&63) | value
		n += h.length() + size
		if n >= 32 {
			n -= 32
			buf = appendStuffed(buf, uint32(acc>>(n&63)))
		}
	}
	if last != 63 {
		h := b.ac[0x00]
		acc = acc<<(h.length()&63) | h.bits()
		n += h.length()
		if n >= 32 {
			n -= 32
			buf = appendStuffed(buf, uint32(acc>>(n&63)))
		}
	}
	w.buf, w.acc, w.n = buf, acc, n
}

// magnitude returns the size of v in bits and the bits that tell it from the
// other values of that size: negative ones as one less (T.81 F.1.2.1.1).
func magnitude(v int32) (size uint, value uint64) {
	sign := v >> 31
	size = uint(bits.Len32(uint32((v ^ sign) - sign)))
	return size, uint64(uint32(v+sign) & (1<<(size&31) - 1))
}

// A bitWriter collects entropy-coded bits. Between writes it holds fewer than 32.
type bitWriter struct {
	buf []byte
	acc uint64 // the last n bits are not in buf yet
	n   uint
}

// reserve makes room for n more bytes, so that writes need not look.
func (w *bitWriter) reserve(n int) {
	if cap(w.buf)-len(w.buf) < n {
		w.buf = slices.Grow(w.buf, max(n, len(w.buf)))
	}
}

// finish fills the last byte with ones (T.81 F.1.2.3) and returns the buffer.
func (w *bitWriter) finish() []byte {
	pad := -w.n & 7
	acc, n := w.acc<<pad|(1<<pad-1), w.n+pad
	for n > 0 {
		n -= 8
		b := byte(acc >> n)
		w.buf = append(w.buf, b)
		if b == 0xFF {
			w.buf = append(w.buf, 0)
		}
	}
	return w.buf
}

// appendStuffed appends four bytes, and a 0 after each that is 0xFF (T.81
// B.1.1.5).
func appendStuffed(buf []byte, v uint32) []byte {
	// A byte of v is 0xFF where subtracting one from its complement borrows.
	if (^v-0x01010101)&v&0x80808080 == 0 {
		return binary.BigEndian.AppendUint32(buf, v)
	}
	for shift := 24; shift >= 0; shift -= 8 {
		b := byte(v >> shift)
		buf = append(buf, b)
		if b == 0xFF {
			buf = append(buf, 0)
		}
	}
	return buf
}
