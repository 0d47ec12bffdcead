package webp

import "math/bits"

const (
	lookBits  = 8  // codes of up to this length are looked up at once
	maxLength = 15 // of a code
	// maxTables bounds the memory of all codes of a picture, in bytes. cwebp's
	// pictures take some megabytes at most; a file of 164 KB can ask for 1.4 GB
	// (golang/go#80069).
	maxTables = 24 << 20
)

// A prefix finds the values of prefix codes (RFC 9649 §3.7.2).
type prefix struct {
	// look has an entry for each few bits: the code's length (bits 12 to 15) and
	// its value, or 0 for longer codes.
	look []uint16
	mask uint32 // of the bits that are looked up
	long *longCodes
}

// longCodes finds codes that are longer than what is looked up, bit by bit.
type longCodes struct {
	count  [maxLength + 1]uint16 // codes of each length
	values []uint16              // in the order of their codes
}

// newPrefix makes a prefix of the lengths of the values' codes. It reports false
// if they are no complete code. A code of one value takes no bits.
func newPrefix(lengths []uint8) (p prefix, ok bool) {
	var count [maxLength + 1]uint16
	var last int
	used := 0
	for v, l := range lengths {
		if l > 0 {
			count[l]++
			used++
			last = v
		}
	}
	if used == 1 {
		return single(uint16(last)), true
	}
	longest, left := uint(0), 1
	for l := 1; l <= maxLength; l++ {
		left = left<<1 - int(count[l])
		if left < 0 {
			return p, false
		}
		if count[l] > 0 {
			longest = uint(l)
		}
	}
	if left != 0 || used == 0 {
		return p, false
	}
	width := min(longest, lookBits)
	p.look = make([]uint16, 1<<width)
	p.mask = 1<<width - 1
	var next [maxLength + 2]uint32
	var first [maxLength + 2]int
	for l := 1; l <= maxLength; l++ {
		next[l+1] = (next[l] + uint32(count[l])) << 1
		first[l+1] = first[l] + int(count[l])
	}
	if longest > lookBits {
		p.long = &longCodes{count: count, values: make([]uint16, used)}
	}
	for v, l := range lengths {
		if l == 0 {
			continue
		}
		code := next[l]
		next[l]++
		if p.long != nil {
			p.long.values[first[l]] = uint16(v)
			first[l]++
		}
		if uint(l) > width {
			continue
		}
		// Codes come with their first bit lowest.
		for at := bits.Reverse32(code) >> (32 - uint(l)); at < 1<<width; at += 1 << l {
			p.look[at] = uint16(l)<<12 | uint16(v)
		}
	}
	return p, true
}

// single is the code of one value.
func single(v uint16) prefix { return prefix{look: []uint16{v}} }

// size is the memory that the prefix takes, roughly.
func (p *prefix) size() int {
	const self, block = 40, 16
	n := self + 2*len(p.look) + block
	if p.long != nil {
		n += 2*maxLength + 24 + 2*len(p.long.values) + 2*block
	}
	return n
}

// value takes a code and returns its value.
func (r *bitReader) value(p *prefix) uint32 {
	if r.n < 32 {
		r.fill()
	}
	e := p.look[uint32(r.acc)&p.mask]
	if p.long != nil && e>>12 == 0 {
		return r.longValue(p.long)
	}
	r.acc >>= e >> 12
	r.n -= uint(e >> 12)
	return uint32(e & 0xFFF)
}

func (r *bitReader) longValue(l *longCodes) uint32 {
	code, first, index := 0, 0, 0
	for length := 1; length <= maxLength; length++ {
		code |= int(r.acc) & 1
		r.acc >>= 1
		r.n--
		count := int(l.count[length])
		if code-count < first {
			return uint32(l.values[index+code-first])
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0 // cannot be: the code is complete
}

// lengthOrder is the order in which the lengths of the codes for lengths come
// (RFC 9649 §3.7.2.1.2).
var lengthOrder = [19]uint8{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// lengths reads the lengths of the codes for len(out) values, normally coded ones,
// in two steps; or, for a simple code, the one or two values (RFC 9649 §3.7.2.1).
func (r *bitReader) lengths(out []uint8) error {
	clear(out)
	if r.flag() { // §3.7.2.1.1
		two := r.flag()
		width := uint(1)
		if r.flag() {
			width = 8
		}
		values := []uint32{r.read(width)}
		if two {
			values = append(values, r.read(8))
		}
		for _, v := range values {
			if int(v) >= len(out) {
				return broken("code for value %d of %d", v, len(out))
			}
			out[v] = 1
		}
		return nil
	}
	var own [19]uint8
	for _, at := range lengthOrder[:4+r.read(4)] {
		own[at] = uint8(r.read(3))
	}
	code, ok := newPrefix(own[:])
	if !ok {
		return broken("code lengths that are no code")
	}
	most := uint32(len(out))
	if r.flag() {
		most = 2 + r.read(2+2*uint(r.read(3)))
	}
	previous := uint8(8)
	for i := 0; i < len(out) && most > 0; most-- {
		v := r.value(&code)
		if v < 16 {
			out[i] = uint8(v)
			i++
			if v != 0 {
				previous = uint8(v)
			}
			continue
		}
		repeat, times := uint8(0), 0
		switch v {
		case 16:
			repeat, times = previous, 3+int(r.read(2))
		case 17:
			times = 3 + int(r.read(3))
		default:
			times = 11 + int(r.read(7))
		}
		if i+times > len(out) {
			return broken("more code lengths than values")
		}
		for range times {
			out[i] = repeat
			i++
		}
	}
	return nil
}
