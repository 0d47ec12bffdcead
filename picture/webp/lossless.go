package webp

import (
	"context"
	"encoding/binary"
)

// losslessCost is the memory, in bytes, of decoding lossless data: the pixels, and
// for three transforms and the choice of codes four bytes for each tile of at
// least 4 x 4 pixels.
func losslessCost(w, h int) int64 {
	tiles := int64((w+3)/4) * int64((h+3)/4)
	return 4*int64(w)*int64(h) + 4*4*tiles + 128<<10
}

// lossless decodes a lossless picture (RFC 9649 §3). Pixels are four bytes: red,
// green, blue, alpha.
type lossless struct {
	bitReader
	ctx     context.Context
	tables  int // bytes
	lengths [maxAlphabet]uint8
}

// The alphabets of a group's five codes (RFC 9649 §3.7.2.1): green, lengths and
// the colour cache share one.
const (
	literals     = 256
	lengthCodes  = 24
	distances    = 40
	maxCacheBits = 11
	maxAlphabet  = literals + lengthCodes + 1<<maxCacheBits
)

const (
	green = iota
	red
	blue
	alpha
	distance
)

// A group is the codes for the pixels of some tiles.
type group [5]prefix

// decodeLossless decodes w x h pixels from what follows the header.
func decodeLossless(ctx context.Context, data []byte, w, h int) ([]byte, error) {
	l := lossless{ctx: ctx, bitReader: bitReader{data: data}}
	transforms, narrow, err := l.transforms(w, h)
	if err != nil {
		return nil, err
	}
	pix := make([]byte, 4*w*h)
	// A picture of indices is narrower; it lies at the end, so that it can be
	// spread out from the beginning on.
	if err := l.pixels(pix[4*(w-narrow)*h:], narrow, h, true); err != nil {
		return nil, err
	}
	for i := len(transforms) - 1; i >= 0; i-- {
		if err := transforms[i].undo(ctx, pix, narrow, w, h); err != nil {
			return nil, err
		}
		if transforms[i].kind == indexed {
			narrow = w
		}
	}
	return pix, nil
}

// tiles is how many tiles of 1<<bits pixels cover n pixels.
func tiles(n int, bits uint) int { return (n + 1<<bits - 1) >> bits }

// image reads a picture within the picture: the data of a transform, or the choice
// of codes.
func (l *lossless) image(w, h int) ([]byte, error) {
	pix := make([]byte, 4*w*h)
	return pix, l.pixels(pix, w, h, false)
}

// pixels reads codes and then pixels (RFC 9649 §3.7, §3.8). Only the main picture
// has several groups of codes.
func (l *lossless) pixels(pix []byte, w, h int, main bool) error {
	var c coded
	cacheBits := uint(0)
	if l.flag() {
		if cacheBits = uint(l.read(4)); cacheBits < 1 || cacheBits > maxCacheBits {
			return broken("colour cache of %d bits", cacheBits)
		}
	}
	groups, used := 1, []int(nil)
	if main && l.flag() {
		c.bits = uint(l.read(3)) + 2
		c.across = tiles(w, c.bits)
		var err error
		if c.choice, err = l.image(c.across, tiles(h, c.bits)); err != nil {
			return err
		}
		groups, used = number(c.choice)
	}
	c.groups = make([]group, 0, max(1, len(used)))
	for i := range groups {
		keep := used == nil || len(c.groups) < len(used) && used[len(c.groups)] == i
		if err := l.group(&c, cacheBits, keep); err != nil {
			return err
		}
		if i&15 == 0 && l.ctx.Err() != nil {
			return context.Cause(l.ctx)
		}
		if l.short() {
			return ErrShort
		}
	}
	if cacheBits > 0 {
		c.cache = make([]uint32, 1<<cacheBits)
		c.shift = 32 - cacheBits
	}
	return l.decode(&c, pix, w, h)
}

// number replaces the groups that a choice names (RFC 9649 §3.7.2.2: in red and
// green) by consecutive numbers, and returns how many groups the file has, and
// those that are used, in order.
func number(choice []byte) (groups int, used []int) {
	var seen [1 << 16]bool
	for i := 0; i < len(choice); i += 4 {
		g := int(choice[i])<<8 | int(choice[i+1])
		seen[g] = true
		groups = max(groups, g+1)
	}
	var as [1 << 16]uint32
	for g := range groups {
		if seen[g] {
			as[g] = uint32(len(used))
			used = append(used, g)
		}
	}
	for i := 0; i < len(choice); i += 4 {
		binary.LittleEndian.PutUint32(choice[i:], as[int(choice[i])<<8|int(choice[i+1])])
	}
	return groups, used
}

// group reads the codes of a group, and keeps them if they are used.
func (l *lossless) group(c *coded, cacheBits uint, keep bool) error {
	var g group
	for i, n := range [5]int{literals + lengthCodes, literals, literals, literals, distances} {
		if i == green && cacheBits > 0 {
			n += 1 << cacheBits
		}
		if err := l.bitReader.lengths(l.lengths[:n]); err != nil {
			return err
		}
		p, ok := newPrefix(l.lengths[:n])
		if !ok {
			return broken("code lengths that are no code")
		}
		g[i] = p
		if keep {
			l.tables += p.size()
		}
	}
	if l.tables > maxTables {
		return ErrTables
	}
	if keep {
		c.groups = append(c.groups, g)
	}
	return nil
}

// coded is how pixels are coded.
type coded struct {
	groups []group
	choice []byte // numbers of groups, of four bytes each; nil for one group
	bits   uint   // of a tile's side
	across int    // tiles in a row
	cache  []uint32
	shift  uint
}

// group returns the codes for a pixel.
func (c *coded) group(x, y int) *group {
	if c.choice == nil {
		return &c.groups[0]
	}
	at := (y>>c.bits)*c.across + x>>c.bits
	return &c.groups[binary.LittleEndian.Uint32(c.choice[4*at:])]
}

// remember enters pixels into the colour cache (RFC 9649 §3.6.2.3).
func (c *coded) remember(pix []byte) {
	for i := 0; i < len(pix); i += 4 {
		v := binary.LittleEndian.Uint32(pix[i:])
		c.cache[slot(v, c.shift)] = v
	}
}

// slot is a colour's place in the cache. Its hash is defined for alpha, red, green
// and blue from the upper byte down.
func slot(v uint32, shift uint) uint32 {
	argb := v&0xFF00FF00 | v>>16&0xFF | v&0xFF<<16
	return argb * 0x1E35A7BD >> shift
}

// decode reads w x h pixels (RFC 9649 §3.7.2.3).
func (l *lossless) decode(c *coded, pix []byte, w, h int) error {
	remembered := 0 // bytes that are in the cache
	steps := 0
	tile := 1<<c.bits - 1
	g := &c.groups[0]
	for at, x, y := 0, 0, 0; at < len(pix); {
		if steps++; steps&4095 == 0 && l.ctx.Err() != nil {
			return context.Cause(l.ctx)
		}
		if c.choice != nil && (x&tile == 0 || steps == 1 || x == 0) {
			g = c.group(x, y)
		}
		v := l.value(&g[green])
		switch {
		case v < literals:
			r := l.value(&g[red])
			b := l.value(&g[blue])
			a := l.value(&g[alpha])
			binary.LittleEndian.PutUint32(pix[at:], r|v<<8|b<<16|a<<24)
			at += 4
			if x++; x == w {
				x, y = 0, y+1
			}
		case v < literals+lengthCodes:
			n := int(l.extended(v-literals)) * 4
			back := l.back(l.extended(l.value(&g[distance])), w) * 4
			if back > at || n > len(pix)-at {
				return l.failed("copies from outside of the picture")
			}
			copyWithin(pix, at, back, n)
			at += n
			if x += n / 4; x >= w {
				y += x / w
				x %= w
			}
			if c.choice != nil && at < len(pix) {
				g = c.group(x, y)
			}
		default:
			c.remember(pix[remembered:at])
			remembered = at
			i := v - literals - lengthCodes
			if int(i) >= len(c.cache) {
				return l.failed("a colour that the cache does not have")
			}
			binary.LittleEndian.PutUint32(pix[at:], c.cache[i])
			at += 4
			if x++; x == w {
				x, y = 0, y+1
			}
		}
	}
	if l.short() {
		return ErrShort
	}
	return nil
}

func (l *lossless) failed(what string) error {
	if l.short() {
		return ErrShort
	}
	return broken("%s", what)
}

// copyWithin copies n bytes that may overlap those that are copied.
func copyWithin(pix []byte, at, back, n int) {
	for n > 0 {
		m := copy(pix[at:at+min(n, back)], pix[at-back:at])
		at, n, back = at+m, n-m, back+m
	}
}

// extended reads the rest of a length or a distance (RFC 9649 §3.6.2.2).
func (r *bitReader) extended(v uint32) uint32 {
	if v < 4 {
		return v + 1
	}
	extra := uint(v-2) >> 1
	return (2+v&1)<<extra + r.read(extra) + 1
}

// back turns a distance code into a number of pixels (RFC 9649 §3.6.2.2): the
// first 120 name neighbours.
func (l *lossless) back(code uint32, w int) int {
	if code > uint32(len(neighbours)) {
		return int(code) - len(neighbours)
	}
	n := neighbours[code-1]
	return max(1, int(n>>4)*w+8-int(n&15))
}

// neighbours has, for each of the first distance codes, how many rows up (upper
// half) and how many pixels to the left (8 less the lower half).
var neighbours = [120]uint8{
	0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1a, 0x26, 0x2a, 0x38, 0x05, 0x37, 0x39,
	0x15, 0x1b, 0x36, 0x3a, 0x25, 0x2b, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1c, 0x35, 0x3b, 0x46, 0x4a,
	0x24, 0x2c, 0x58, 0x45, 0x4b, 0x34, 0x3c, 0x03, 0x57, 0x59, 0x13, 0x1d, 0x56, 0x5a, 0x23, 0x2d,
	0x44, 0x4c, 0x55, 0x5b, 0x33, 0x3d, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1e, 0x66, 0x6a, 0x22, 0x2e,
	0x54, 0x5c, 0x43, 0x4d, 0x65, 0x6b, 0x32, 0x3e, 0x78, 0x01, 0x77, 0x79, 0x53, 0x5d, 0x11, 0x1f,
	0x64, 0x6c, 0x42, 0x4e, 0x76, 0x7a, 0x21, 0x2f, 0x75, 0x7b, 0x31, 0x3f, 0x63, 0x6d, 0x52, 0x5e,
	0x00, 0x74, 0x7c, 0x41, 0x4f, 0x10, 0x20, 0x62, 0x6e, 0x30, 0x73, 0x7d, 0x51, 0x5f, 0x40, 0x72,
	0x7e, 0x61, 0x6f, 0x50, 0x71, 0x7f, 0x60, 0x70,
}
