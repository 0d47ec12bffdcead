package mjpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"

	"pithings/picture/jpeg"
)

// ErrCorrupt says that a frame would not show as a whole picture. The error that
// wraps it reports why; the next frame is usually fine.
var ErrCorrupt = errors.New("corrupt JPEG frame")

// maxFrame bounds a frame, in bytes: more than four uncompressed 4K pictures.
const maxFrame = 64 << 20

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Repair returns the picture in frame as a JPEG file, and its size in pixels.
//
// Huffman tables that the picture uses and does not carry are inserted before
// its first scan; bytes after its end are trimmed; an end that is missing although
// all of the picture is there is added; everything else, application segments too,
// stays as it is. Without any of this the result is a part of frame; otherwise it is a
// copy that is longer by at most 426 bytes.
//
// A frame that is cut short, or whose segments or entropy-coded data do not make
// sense, is refused with [ErrCorrupt].
func Repair(frame []byte) ([]byte, image.Point, error) { return new(Repairer).Repair(frame) }

// A Repairer repairs the frames of one camera, in the order in which they come. The zero
// value is ready to use.
//
// It knows the habits of cameras that leave bytes of their own before a marker. In one
// frame among others these are what a lost packet leaves, and the frame is corrupt. Where
// frame after frame has them and is whole otherwise they mean nothing, as libjpeg holds it
// ("extraneous bytes before marker"), and are cut out.
type Repairer struct{ odd int } // frames with such bytes, less those without

// From habit odd frames on they are the camera's habit; oddest of them are remembered.
const (
	habit  = 3
	oddest = 6
)

// Repair is like the function [Repair].
func (r *Repairer) Repair(frame []byte) ([]byte, image.Point, error) {
	p := parser{data: frame}
	if err := p.parse(); err != nil {
		return nil, image.Point{}, err
	}
	if len(p.cuts) == 0 {
		r.odd = max(r.odd-1, 0)
	} else if r.odd = min(r.odd+1, oddest); r.odd < habit {
		return nil, image.Point{}, corrupt("%d bytes before the marker at %d that belong to nothing", p.cuts[0].end-p.cuts[0].begin, p.cuts[0].end)
	}
	return p.repaired(), image.Pt(p.Width, p.Height), nil
}

// repaired puts the picture together.
func (p *parser) repaired() []byte {
	if p.missing == [2][2]bool{} && len(p.cuts) == 0 && !p.endless {
		return p.data[:p.end:p.end]
	}
	tables := appendDHT(make([]byte, 0, 424), p.missing)
	out := make([]byte, 0, p.end+len(tables)+2)
	at := 0
	for _, c := range append(p.cuts, span{p.end, p.end}) {
		if at <= p.firstScan && p.firstScan <= c.begin {
			out = append(out, p.data[at:p.firstScan]...)
			out = append(out, tables...)
			at = p.firstScan
		}
		out = append(out, p.data[at:c.begin]...)
		at = c.end
	}
	if p.endless {
		out = append(out, 0xFF, jpeg.EOI)
	}
	return out
}

// A span is a part of the frame, by its offsets.
type span struct{ begin, end int }

// A parser walks over the segments of one frame.
type parser struct {
	data []byte

	jpeg.Frame     // Marker is 0 until its header was read
	interval   int // MCUs between restart markers; 0 for none

	quant   [4]bool // tables defined so far
	huffman [2][4]huffmanTable

	missing   [2][2]bool // typical tables to insert, by class and number
	firstScan int        // offset of the first SOS marker; 0 for none yet
	scanned   [3]bool    // components that have appeared in a scan
	end       int        // offset after the picture
	endless   bool       // there is no EOI
	cuts      []span     // bytes that belong to nothing, in order
}

func (p *parser) parse() error {
	if len(p.data) > maxFrame {
		return corrupt("%d bytes are too many", len(p.data))
	}
	if len(p.data) < 4 || p.data[0] != 0xFF || p.data[1] != jpeg.SOI {
		return corrupt("no start of image in %d bytes", len(p.data))
	}
	at := 2
	for {
		if p.endless {
			return p.finish(at)
		}
		marker, next, err := p.marker(at)
		if err != nil {
			return err
		}
		if marker == jpeg.EOI {
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
		case marker == jpeg.SOS:
			if p.firstScan == 0 {
				p.firstScan = next - 2
			}
			at, err = p.scan(body, at)
		case marker == jpeg.DQT:
			err = p.quantTables(body)
		case marker == jpeg.DHT:
			err = p.huffmanTables(body)
		case marker == jpeg.DRI:
			if len(body) != 2 {
				return corrupt("restart interval of %d bytes", len(body))
			}
			p.interval = int(body[0])<<8 | int(body[1])
		case marker == jpeg.SOF0 || marker == jpeg.SOF1 || marker == jpeg.SOF2:
			err = p.frameHeader(marker, body)
		case marker < jpeg.APP0, marker > jpeg.APP15 && marker != jpeg.COM:
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
	if at < len(p.data) && p.data[at] != 0xFF {
		from := at
		if at, err = p.skipToMarker(from, 0); err != nil {
			return 0, 0, err
		}
		if at == noMarker {
			return 0, 0, corrupt("%#02x at %d where a marker has to be", p.data[from], from)
		}
	}
	for i := at; i+1 < len(p.data) && p.data[i] == 0xFF; i++ {
		if m := p.data[i+1]; m != 0xFF && m != 0 {
			return m, i + 2, nil
		}
	}
	return 0, 0, corrupt("no end of image in %d bytes", len(p.data))
}

func (p *parser) finish(end int) error {
	if p.firstScan == 0 {
		return corrupt("no picture data in %d bytes", end)
	}
	for i := range p.Components {
		if !p.scanned[i] {
			return corrupt("component %d is missing", p.Components[i].ID)
		}
	}
	p.end = end
	return nil
}

// frameHeader reads the size and the components (T.81 B.2.2).
func (p *parser) frameHeader(marker byte, b []byte) error {
	if p.Marker != 0 {
		return corrupt("two frame headers")
	}
	f, err := jpeg.ParseFrame(jpeg.Segment{Marker: marker, Body: b})
	if err != nil {
		return corrupt("%v", err)
	}
	if n := len(f.Components); n > len(p.scanned) {
		return corrupt("%d components", n)
	}
	p.Frame = f
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
		spec := jpeg.HuffmanSpec{Counts: [16]uint8(b[1:17]), Values: b[17 : 17+n]}
		if !p.huffman[b[0]>>4][b[0]&15].set(spec) {
			return corrupt("Huffman table %#02x has more codes than bits", b[0])
		}
		b = b[17+n:]
	}
	return nil
}

// scanComponent is what a scan header says about one of the components.
type scanComponent struct {
	*jpeg.Component
	dc, ac byte
}

// scan reads a scan header (T.81 B.2.3) and the entropy-coded data after it, at
// offset at. It returns the offset of the marker that ends them.
func (p *parser) scan(b []byte, at int) (int, error) {
	if p.Marker == 0 {
		return 0, corrupt("picture data before the frame header")
	}
	n := 0
	if len(b) > 0 {
		n = int(b[0])
	}
	if n < 1 || n > len(p.Components) || len(b) != 4+2*n {
		return 0, corrupt("scan header of %d bytes", len(b))
	}
	var list [3]scanComponent
	for i := range n {
		id, tables := b[1+2*i], b[2+2*i]
		for j := range p.Components {
			if p.Components[j].ID == id {
				list[i] = scanComponent{&p.Components[j], tables >> 4, tables & 15}
				if p.scanned[j] && p.Marker != jpeg.SOF2 {
					return 0, corrupt("component %d coded twice", id)
				}
				p.scanned[j] = true
			}
		}
		c := list[i]
		if c.Component == nil || c.dc > 3 || c.ac > 3 {
			return 0, corrupt("scan of component %d with tables %#02x", id, tables)
		}
		for _, other := range list[:i] {
			if other.Component == c.Component {
				return 0, corrupt("component %d twice in a scan", id)
			}
		}
		if !p.quant[c.Tq] {
			return 0, corrupt("no quantisation table %d", c.Tq)
		}
	}
	start, stop, approx := b[1+2*n], b[2+2*n], b[3+2*n]
	if p.Marker == jpeg.SOF2 {
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
			p.huffman[class][table].set(jpeg.StandardHuffman(class, int(table)))
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
		case m == 0, m >= jpeg.RST0 && m <= jpeg.RST7:
			at += 2
		case m == 0xFF:
			at++
		default:
			return at, nil
		}
	}
}
