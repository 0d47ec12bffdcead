package webp

import "encoding/binary"

// A bitReader reads bits from the least significant on, and zeroes
// after the end of its data.
type bitReader struct {
	data []byte
	acc  uint64
	n    uint // bits in acc
	pad  uint // bits that were made up
}

// fill makes at least 32 bits available.
func (r *bitReader) fill() {
	if len(r.data) >= 8 {
		r.acc |= binary.LittleEndian.Uint64(r.data) << (r.n & 63)
		taken := (63 - r.n) >> 3
		r.data = r.data[taken:]
		r.n += taken << 3
		return
	}
	for r.n <= 56 && len(r.data) > 0 {
		r.acc = r.acc&(1<<r.n-1) | uint64(r.data[0])<<r.n
		r.data = r.data[1:]
		r.n += 8
	}
	if r.n <= 56 {
		r.acc &= 1<<r.n - 1
		r.pad += 64 - r.n
		r.n = 64
	}
}

// read takes n bits, at most 24.
func (r *bitReader) read(n uint) uint32 {
	if r.n < 32 {
		r.fill()
	}
	v := uint32(r.acc) & (1<<n - 1)
	r.acc >>= n
	r.n -= n
	return v
}

func (r *bitReader) flag() bool { return r.read(1) != 0 }

// short reports whether more bits were taken than there are.
func (r *bitReader) short() bool { return r.pad > r.n }
