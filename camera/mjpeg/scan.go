package mjpeg

import (
	"bytes"

	"pithings/picture/jpeg"
)

// A huffmanTable finds the value of a code (T.81 annex F.2.2.3).
type huffmanTable struct {
	defined bool
	// short has, for every eight bits that begin with a code of at most eight,
	// its length (high byte) and value; 0 for others.
	short [256]uint16
	// For longer codes, by their length less one: the code after the last of that
	// length, left-aligned in 16 bits, and what to add to a code for its value's
	// index.
	limit  [16]uint32
	offset [16]int32
	values [256]uint8
	n      int
}

// set builds the table. It reports false for lengths that no prefix code has.
func (t *huffmanTable) set(s jpeg.HuffmanSpec) bool {
	*t = huffmanTable{defined: true, n: len(s.Values)}
	copy(t.values[:], s.Values)
	next, i := int32(0), 0
	for l, count := range s.Counts {
		n := int(count)
		t.offset[l] = int32(i) - next
		for j := range n {
			if l < 8 && next+int32(j) < 1<<(l+1) {
				first := int(next+int32(j)) << (7 - l)
				for k := range 1 << (7 - l) {
					t.short[first+k] = uint16(l+1)<<8 | uint16(s.Values[i+j])
				}
			}
		}
		i += n
		next += int32(n)
		if next > 1<<(l+1) {
			return false
		}
		t.limit[l] = uint32(next) << (15 - l)
		next <<= 1
	}
	return true
}

// A bitReader reads entropy-coded bits up to the next marker.
type bitReader struct {
	data []byte
	at   int    // offset of the next byte; stays before a marker
	acc  uint64 // the upper n bits come next; zeroes follow
	n    int    // how many are there; less than 0 when more were taken than came
}

// fill makes at least 32 bits available, as far as they come.
func (r *bitReader) fill() {
	for r.n <= 56 && r.at < len(r.data) {
		b := r.data[r.at]
		if b == 0xFF {
			if r.at+1 >= len(r.data) || r.data[r.at+1] != 0 {
				return
			}
			r.at++
		}
		r.at++
		r.acc |= uint64(b) << (56 - uint(r.n))
		r.n += 8
	}
}

// end returns the offset after the last byte of which a bit was taken.
func (r *bitReader) end() int {
	at := r.at
	for n := r.n; n >= 8; n -= 8 {
		if at--; r.data[at] == 0 && at > 0 && r.data[at-1] == 0xFF {
			at-- // a stuffed byte
		}
	}
	return at
}

// symbol takes the next code and n further bits, as many as the lower half of its
// value says. It reports false when there is no such code, or no more data.
func (r *bitReader) symbol(t *huffmanTable) (value uint8, ok bool) {
	if r.n < 32 {
		r.fill()
	}
	var length uint
	if e := t.short[r.acc>>56]; e != 0 {
		length, value = uint(e>>8), uint8(e)
	} else {
		top := uint32(r.acc >> 48)
		l := 8
		for l < 16 && top >= t.limit[l] {
			l++
		}
		if l == 16 {
			return 0, false
		}
		i := int32(top>>(15-uint(l))) + t.offset[l]
		if i < 0 || int(i) >= t.n {
			return 0, false
		}
		length, value = uint(l+1), t.values[i]
	}
	length += uint(value & 15)
	r.acc <<= length
	r.n -= int(length)
	return value, r.n >= 0
}

// sequential walks over the entropy-coded data of a baseline or extended scan
// (T.81 F.2) without computing a pixel, and makes sure that every block is
// there: half a frame, a packet lost on the bus or bytes gone wrong show as a
// code that does not exist, as too many coefficients in a block, or as data that
// end early or late. Padding is let pass.
func (p *parser) sequential(list []scanComponent, at int) (int, error) {
	ceil := func(a, b int) int { return (a + b - 1) / b }
	perMCU := [3]int{1, 1, 1}
	mcus := 0
	if len(list) == 1 {
		// A component alone has no padding to whole MCUs (T.81 A.2.2).
		c := list[0]
		mcus = ceil(ceil(p.Width*c.H, p.MaxH), 8) * ceil(ceil(p.Height*c.V, p.MaxV), 8)
	} else {
		total := 0
		for i, c := range list {
			perMCU[i] = c.H * c.V
			total += perMCU[i]
		}
		if total > 10 {
			return 0, corrupt("%d blocks in an MCU", total)
		}
		mcus = ceil(p.Width, 8*p.MaxH) * ceil(p.Height, 8*p.MaxV)
	}
	r := bitReader{data: p.data, at: at}
	var restarts byte
	for mcu := range mcus {
		if p.interval > 0 && mcu > 0 && mcu%p.interval == 0 {
			end, err := p.skipToMarker(r.end(), maxStray)
			if err != nil {
				return 0, err
			}
			if end == noMarker {
				return 0, corrupt("cut short at MCU %d of %d", mcu, mcus)
			}
			if p.data[end+1] != jpeg.RST0+restarts%8 {
				return 0, corrupt("marker %#02x at %d, where restart %d has to be", p.data[end+1], end, restarts%8)
			}
			restarts++
			r = bitReader{data: p.data, at: end + 2}
		}
		for i, c := range list {
			dc, ac := &p.huffman[jpeg.DC][c.dc&3], &p.huffman[jpeg.AC][c.ac&3]
			for range perMCU[i] {
				if !r.block(dc, ac) {
					return 0, corrupt("data stop making sense in MCU %d of %d", mcu, mcus)
				}
			}
		}
	}
	end, err := p.skipToMarker(r.end(), maxStray)
	if err != nil {
		return 0, err
	}
	// One more restart marker at the very end is a known habit.
	if end != noMarker && p.interval > 0 && p.data[end+1] >= jpeg.RST0 && p.data[end+1] <= jpeg.RST7 {
		end, err = p.skipToMarker(end+2, maxStray)
	}
	if err == nil && end == noMarker {
		return p.endWithoutMarker(r.end())
	}
	return end, err
}

// zeroes is how many bytes of 0 do not occur in entropy-coded data: they would be more
// coefficients of -1 in a row than any picture has.
const zeroes = 16

// endWithoutMarker ends a picture whose blocks are all there and whose EOI is not.
func (p *parser) endWithoutMarker(at int) (int, error) {
	if last := p.data[max(at-zeroes, 0):at]; len(bytes.Trim(last, "\x00")) == 0 {
		// They pass for blocks, but a buffer was not filled to its end.
		return 0, corrupt("zeroes instead of data before %d", at)
	}
	p.endless = true
	return at, nil
}

// block takes the coefficients of one block.
func (r *bitReader) block(dc, ac *huffmanTable) bool {
	size, ok := r.symbol(dc)
	if !ok || size > 11 {
		return false
	}
	for k := 1; k < 64; k++ {
		v, ok := r.symbol(ac)
		if !ok {
			return false
		}
		switch {
		case v&15 != 0:
			k += int(v >> 4)
		case v == 0xF0: // sixteen zeroes
			k += 15
		default: // the end of the block
			return true
		}
		if k > 63 {
			return false
		}
	}
	return true
}

// What may be left over before a marker, beside zeroes and fill bytes. Up to maxStray bytes after a
// block are a little that some encoders leave behind. More, and any between segments, are cut out: they may be a habit
// of the camera (see Repairer), of which up to some 1,300 bytes are known.
const (
	maxStray = 16
	maxHabit = 2048
	maxCuts  = 64 // places in one frame
)

// noMarker is an offset where none is.
const noMarker = -1

// skipToMarker returns the offset of the next marker after at, or noMarker. More stray bytes than may be are cut out.
func (p *parser) skipToMarker(at, may int) (int, error) {
	stray := 0
	for i := at; i+1 < len(p.data); i++ {
		switch b, next := p.data[i], p.data[i+1]; {
		case b == 0xFF && next != 0 && next != 0xFF:
			if stray > may || may == 0 {
				if len(p.cuts) == maxCuts {
					return 0, corrupt("bytes that belong to nothing before more than %d markers", maxCuts)
				}
				p.cuts = append(p.cuts, span{at, i})
			}
			return i, nil
		case b != 0 && b != 0xFF:
			if stray++; stray > maxHabit {
				return 0, corrupt("data after the last block, at %d", i)
			}
		}
	}
	return noMarker, nil
}
