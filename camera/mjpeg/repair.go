package mjpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
)

// ErrCorrupt says that a frame would not show as a whole picture. The error that
// wraps it tells why; the next frame is usually fine.
var ErrCorrupt = errors.New("corrupt JPEG frame")

// maxFrame bounds a frame, in bytes: more than four uncompressed 4K pictures.
const maxFrame = 64 << 20

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Repair returns the picture in frame as a JPEG file, and its size in pixels.
//
// Huffman tables that the picture uses and does not carry are inserted before
// its first scan; bytes after its end are trimmed; everything else, application
// segments too, stays as it is. Without missing tables the result is a part of frame; otherwise it is
// a copy that is longer by at most 424 bytes.
//
// A frame that is cut short, or whose segments or entropy-coded data do not make
// sense, is refused with [ErrCorrupt].
func Repair(frame []byte) ([]byte, image.Point, error) {
	p := parser{data: frame}
	if err := p.parse(); err != nil {
		return nil, image.Point{}, err
	}
	size := image.Pt(p.width, p.height)
	if p.missing == [2][2]bool{} {
		return frame[:p.end:p.end], size, nil
	}
	tables := appendDHT(make([]byte, 0, 424), p.missing)
	out := make([]byte, 0, p.end+len(tables))
	out = append(out, frame[:p.firstScan]...)
	out = append(out, tables...)
	out = append(out, frame[p.firstScan:p.end]...)
	return out, size, nil
}

// A component of the picture, as its frame header declares it.
type component struct {
	id   byte
	h, v int // samples in an MCU, in blocks
	tq   byte
}

// A parser walks over the segments of one frame.
type parser struct {
	data []byte

	sof           byte
	width, height int
	components    []component
	storage       [3]component
	hMax, vMax    int
	interval      int // MCUs between restart markers; 0 for none

	quant   [4]bool // tables defined so far
	huffman [2][4]huffmanTable

	missing   [2][2]bool // typical tables to insert, by class and number
	firstScan int        // offset of the first SOS marker; 0 for none yet
	scanned   [3]bool    // components that have appeared in a scan
	end       int        // offset after EOI
}

func (p *parser) parse() error {
	if len(p.data) > maxFrame {
		return corrupt("%d bytes are too many", len(p.data))
	}
	if len(p.data) < 4 || p.data[0] != 0xFF || p.data[1] != soi {
		return corrupt("no start of image in %d bytes", len(p.data))
	}
	at := 2
	for {
		marker, next, err := p.marker(at)
		if err != nil {
			return err
		}
		if marker == eoi {
			return p.finish(next)
		}
		if next+2 > len(p.data) {
			return corrupt("cut short after %d bytes", len(p.data))
		}
		length := int(p.data[next])<<8 | int(p.data[next+1])
		if length < 2 || next+length > len(p.data) {
			return corrupt("segment %#02x at %d claims %d bytes, %d are left", marker, at, length, len(p.data)-next)
		}
		body := p.data[next+2 : next+length]
		at = next + length
		switch {
		case marker == sos:
			if p.firstScan == 0 {
				p.firstScan = next - 2
			}
			at, err = p.scan(body, at)
		case marker == dqt:
			err = p.quantTables(body)
		case marker == dht:
			err = p.huffmanTables(body)
		case marker == dri:
			if len(body) != 2 {
				return corrupt("restart interval of %d bytes", len(body))
			}
			p.interval = int(body[0])<<8 | int(body[1])
		case marker == sof0 || marker == sof1 || marker == sof2:
			err = p.frameHeader(marker, body)
		case marker < app0, marker > app15 && marker != com:
			// Lossless, hierarchical and arithmetic pictures, numbers of lines that
			// come later, and restart markers where no scan is: no camera sends them.
			err = corrupt("marker %#02x at %d is not expected there", marker, next-2)
		}
		if err != nil {
			return err
		}
	}
}

// marker reads the marker at offset at, which fill bytes may precede (T.81 B.1.1.2).
func (p *parser) marker(at int) (marker byte, next int, err error) {
	for i := at; i+1 < len(p.data) && p.data[i] == 0xFF; i++ {
		if m := p.data[i+1]; m != 0xFF {
			return m, i + 2, nil
		}
	}
	if at+1 >= len(p.data) {
		return 0, 0, corrupt("no end of image in %d bytes", len(p.data))
	}
	return 0, 0, corrupt("%#02x at %d where a marker has to be", p.data[at], at)
}

func (p *parser) finish(end int) error {
	if p.firstScan == 0 {
		return corrupt("no picture data in %d bytes", end)
	}
	for i := range p.components {
		if !p.scanned[i] {
			return corrupt("component %d is missing", p.components[i].id)
		}
	}
	p.end = end
	return nil
}

// frameHeader reads the size and the components (T.81 B.2.2).
func (p *parser) frameHeader(marker byte, b []byte) error {
	if p.sof != 0 {
		return corrupt("two frame headers")
	}
	if len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return corrupt("frame header of %d bytes", len(b))
	}
	if b[0] != 8 {
		return corrupt("samples of %d bits", b[0])
	}
	p.sof = marker
	p.height = int(b[1])<<8 | int(b[2])
	p.width = int(b[3])<<8 | int(b[4])
	if p.width == 0 || p.height == 0 {
		return corrupt("size of %d x %d", p.width, p.height)
	}
	n := int(b[5])
	if n != 1 && n != 3 {
		return corrupt("%d components", n)
	}
	p.components = p.storage[:n]
	for i := range p.components {
		c := component{b[6+3*i], int(b[7+3*i] >> 4), int(b[7+3*i] & 15), b[8+3*i]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.tq > 3 {
			return corrupt("component %d with sampling %dx%d and table %d", c.id, c.h, c.v, c.tq)
		}
		for _, other := range p.components[:i] {
			if other.id == c.id {
				return corrupt("component %d twice", c.id)
			}
		}
		p.components[i] = c
		p.hMax, p.vMax = max(p.hMax, c.h), max(p.vMax, c.v)
	}
	return nil
}

// quantTables notes which tables a DQT segment defines (T.81 B.2.4.1).
func (p *parser) quantTables(b []byte) error {
	for len(b) > 0 {
		n := 1 + 64
		if b[0]>>4 == 1 {
			n = 1 + 128
		}
		if b[0]>>4 > 1 || b[0]&15 > 3 || len(b) < n {
			return corrupt("quantisation table %#02x in %d bytes", b[0], len(b))
		}
		p.quant[b[0]&15] = true
		b = b[n:]
	}
	return nil
}

// huffmanTables reads the tables of a DHT segment (T.81 B.2.4.2).
func (p *parser) huffmanTables(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return corrupt("Huffman table %#02x in %d bytes", b[0], len(b))
		}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n == 0 || n > 256 || len(b) < 17+n {
			return corrupt("Huffman table %#02x of %d codes in %d bytes", b[0], n, len(b))
		}
		spec := huffmanSpec{counts: [16]uint8(b[1:17]), values: b[17 : 17+n]}
		if !p.huffman[b[0]>>4][b[0]&15].set(&spec) {
			return corrupt("Huffman table %#02x has more codes than bits", b[0])
		}
		b = b[17+n:]
	}
	return nil
}

// scanComponent is what a scan header says about one of the components.
type scanComponent struct {
	*component
	dc, ac byte
}

// scan reads a scan header (T.81 B.2.3) and the entropy-coded data after it, at
// offset at. It returns the offset of the marker that ends them.
func (p *parser) scan(b []byte, at int) (int, error) {
	if p.sof == 0 {
		return 0, corrupt("picture data before the frame header")
	}
	n := 0
	if len(b) > 0 {
		n = int(b[0])
	}
	if n < 1 || n > len(p.components) || len(b) != 4+2*n {
		return 0, corrupt("scan header of %d bytes", len(b))
	}
	var list [3]scanComponent
	for i := range n {
		id, tables := b[1+2*i], b[2+2*i]
		for j := range p.components {
			if p.components[j].id == id {
				list[i] = scanComponent{&p.components[j], tables >> 4, tables & 15}
				if p.scanned[j] && p.sof != sof2 {
					return 0, corrupt("component %d coded twice", id)
				}
				p.scanned[j] = true
			}
		}
		c := list[i]
		if c.component == nil || c.dc > 3 || c.ac > 3 {
			return 0, corrupt("scan of component %d with tables %#02x", id, tables)
		}
		for _, other := range list[:i] {
			if other.component == c.component {
				return 0, corrupt("component %d twice in a scan", id)
			}
		}
		if !p.quant[c.tq] {
			return 0, corrupt("no quantisation table %d", c.tq)
		}
	}
	start, stop, approx := b[1+2*n], b[2+2*n], b[3+2*n]
	if p.sof == sof2 {
		// A progressive picture comes whole or not at all: no camera's own, its
		// tables are its own, and its data are not looked into.
		if start > stop || stop > 63 {
			return 0, corrupt("scan of coefficients %d to %d", start, stop)
		}
		return p.skipData(at)
	}
	if start != 0 || stop != 63 || approx != 0 {
		return 0, corrupt("scan of coefficients %d to %d", start, stop)
	}
	for _, c := range list[:n] {
		for class, table := range [2]byte{c.dc, c.ac} {
			if p.huffman[class][table].defined {
				continue
			}
			if table > 1 {
				return 0, corrupt("no Huffman table %d", table)
			}
			p.huffman[class][table].set(&huffmanTables[class][table])
			p.missing[class][table] = true
		}
	}
	return p.sequential(list[:n], at)
}

// skipData returns the offset of the marker that ends entropy-coded data.
func (p *parser) skipData(at int) (int, error) {
	for {
		i := bytes.IndexByte(p.data[at:], 0xFF)
		if i < 0 || at+i+1 >= len(p.data) {
			return 0, corrupt("cut short after %d bytes", len(p.data))
		}
		at += i
		switch m := p.data[at+1]; {
		case m == 0, m >= rst0 && m <= rst7:
			at += 2
		case m == 0xFF:
			at++
		default:
			return at, nil
		}
	}
}
