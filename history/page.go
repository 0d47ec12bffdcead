package history

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// page is a page of a tier as it is in the file:
//
//	0   4  CRC-32C of the rest
//	4   1  tier
//	5   1  version
//	6   2  0
//	8   8  number: which page since 1970
//	16  4  generation: how often this page was written
//	20  4  usual distance of readings, in milliseconds; 0: not known
//	24  8  base: a value; slots hold differences from it
//	32     slots
type page [pageSize]byte

const pageVersion = 1

// gapBits are a raw slot without a reading. No difference has them: they are a NaN.
const gapBits = math.MaxUint32

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// begin makes an empty page.
func (p *page) begin(t tier, number int64) {
	clear(p[:])
	p[4], p[5] = byte(t), pageVersion
	binary.LittleEndian.PutUint64(p[8:], uint64(number))
	if t == raw {
		for i := headSize; i < pageSize; i++ {
			p[i] = 0xff
		}
	}
}

// seal makes the next generation of the page, ready to be written.
func (p *page) seal() {
	binary.LittleEndian.PutUint32(p[16:], p.generation()+1)
	binary.LittleEndian.PutUint32(p[0:], crc32.Checksum(p[4:], castagnoli))
}

// valid reports whether a page is whole and one of that tier.
func (p *page) valid(t tier) bool {
	return p[4] == byte(t) && p[5] == pageVersion && binary.LittleEndian.Uint32(p[0:]) == crc32.Checksum(p[4:], castagnoli)
}

// blank reports whether nothing was ever written here.
func (p *page) blank() bool { return *p == page{} }

func (p *page) number() int64         { return int64(binary.LittleEndian.Uint64(p[8:])) }
func (p *page) generation() uint32    { return binary.LittleEndian.Uint32(p[16:]) }
func (p *page) usual() uint32         { return binary.LittleEndian.Uint32(p[20:]) }
func (p *page) setUsual(ms uint32)    { binary.LittleEndian.PutUint32(p[20:], ms) }
func (p *page) base() float64         { return math.Float64frombits(binary.LittleEndian.Uint64(p[24:])) }
func (p *page) setBase(v float64)     { binary.LittleEndian.PutUint64(p[24:], math.Float64bits(v)) }
func (p *page) float(at int) float64  { return p.base() + float64(math.Float32frombits(p.bits(at))) }
func (p *page) bits(at int) uint32    { return binary.LittleEndian.Uint32(p[at:]) }
func (p *page) put(at int, v float64) { p.putBits(at, math.Float32bits(float32(v-p.base()))) }

func (p *page) putBits(at int, b uint32) { binary.LittleEndian.PutUint32(p[at:], b) }

// sum is what is known of the readings of a slot.
type sum struct {
	n              uint32 // 0: a gap
	min, mean, max float64
}

// slot returns what a slot holds. What no reading can have written is a gap.
func (p *page) slot(t tier, i int64) (s sum) {
	if t == raw {
		at := headSize + int(i)*4
		if p.bits(at) == gapBits {
			return sum{}
		}
		v := p.float(at)
		s = sum{1, v, v, v}
	} else {
		at := headSize + int(i)*16
		if s.n = p.bits(at + 12); s.n == 0 {
			return sum{}
		}
		s.min, s.mean, s.max = p.float(at), p.float(at+4), p.float(at+8)
	}
	if !finite(s.min) || !finite(s.mean) || !finite(s.max) {
		return sum{}
	}
	return s
}

// set writes a slot. The base of an empty page is its first value.
func (p *page) set(t tier, i int64, s sum, empty bool) {
	if empty {
		p.setBase(s.mean)
	}
	if t == raw {
		p.put(headSize+int(i)*4, s.mean)
		return
	}
	at := headSize + int(i)*16
	p.put(at, s.min)
	p.put(at+4, s.mean)
	p.put(at+8, s.max)
	p.putBits(at+12, s.n)
}

// holds reports whether a value can be in the page: its difference from the base fits.
func (p *page) holds(v float64, empty bool) bool {
	return empty || math.Abs(v-p.base()) <= math.MaxFloat32
}

func finite(v float64) bool { return v-v == 0 }

// merge adds the readings of b.
func (s sum) merge(b sum) sum {
	if s.n == 0 || b.n == 0 {
		return sum{max(s.n, b.n), s.min + b.min, s.mean + b.mean, s.max + b.max} // one of them is all 0
	}
	n := uint64(s.n) + uint64(b.n)
	return sum{uint32(min(n, math.MaxUint32)), min(s.min, b.min), s.mean + (b.mean-s.mean)*(float64(b.n)/float64(n)), max(s.max, b.max)}
}
