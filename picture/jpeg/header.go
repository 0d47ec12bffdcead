package jpeg

import (
	"bytes"
	"errors"
	"fmt"
)

// A Header is what a picture's marker segments tell about it before it is
// decoded.
type Header struct {
	Frame
	Scans int
	// Exif is the TIFF structure of the first Exif segment (JEITA CP-3451 §4.5.4),
	// or nil.
	Exif []byte

	colors colorSpace
}

// colorSpace says what the components are.
type colorSpace int

const (
	grey colorSpace = iota
	ycc
	rgb
	cmyk // inverted, as Adobe's programs write it and djpeg takes it
	ycck
)

// ParseHeader walks over all of a picture's segments. It looks at no table and no
// entropy-coded data; those may be broken still.
func ParseHeader(data []byte) (Header, error) {
	var h Header
	var found bool
	adobe, jfif := -1, false
	if len(data) < 2 || data[0] != 0xFF || data[1] != SOI {
		return h, broken("no start of image")
	}
	for at := 2; ; {
		s, ok := Next(data, at)
		if !ok || s.Marker == EOI {
			break
		}
		at = s.End
		switch {
		case isFrame(s.Marker):
			if found {
				return h, broken("two frame headers")
			}
			f, err := ParseFrame(s)
			if err != nil {
				return h, err
			}
			h.Frame, found = f, true
		case s.Marker == SOS:
			h.Scans++
		case s.Marker == APP0 && bytes.HasPrefix(s.Body, []byte("JFIF\x00")):
			jfif = true
		case s.Marker == APP1 && h.Exif == nil:
			h.Exif, _ = bytes.CutPrefix(s.Body, []byte("Exif\x00\x00"))
			if len(h.Exif) == len(s.Body) {
				h.Exif = nil
			}
		case s.Marker == APP14 && len(s.Body) >= 12 && bytes.HasPrefix(s.Body, []byte("Adobe")):
			adobe = int(s.Body[11])
		}
	}
	if !found {
		return h, ErrShort
	}
	h.colors = h.colorSpace(jfif, adobe)
	return h, h.check()
}

// colorSpace guesses as libjpeg does: by the JFIF marker, by Adobe's (T.872
// §6.5.3), by the components' names.
func (h *Header) colorSpace(jfif bool, adobe int) colorSpace {
	switch len(h.Components) {
	case 1:
		return grey
	case 4:
		if adobe == 2 {
			return ycck
		}
		return cmyk
	}
	switch {
	case jfif:
		return ycc
	case adobe >= 0:
		if adobe == 0 {
			return rgb
		}
		return ycc
	}
	if c := h.Components; c[0].ID == 'R' && c[1].ID == 'G' && c[2].ID == 'B' {
		return rgb
	}
	return ycc
}

// check refuses sampling factors whose ratio is no whole number, as libjpeg does.
func (h *Header) check() error {
	for _, c := range h.Components {
		if h.MaxH%c.H != 0 || h.MaxV%c.V != 0 {
			return ErrSampling
		}
	}
	return nil
}

// Cost is the memory, in bytes, that decoding the picture takes at most, the
// decoded picture included.
func (h *Header) Cost() int64 {
	mcus := int64(ceil(h.Width, 8*h.MaxH)) * int64(ceil(h.Height, 8*h.MaxV))
	var cost int64
	for _, c := range h.Components {
		cost += mcus * 64 * int64(c.H*c.V)
	}
	if h.Progressive() {
		cost = cost*3 + cost/64 // a sample, its coefficient of two bytes, and a flag for a block
	}
	if _, direct := h.ratio(); h.colors != ycc || !direct {
		for _, c := range h.Components {
			if c.H < h.MaxH || c.V < h.MaxV {
				cost += int64(h.stride())*int64(h.Height) + 2*int64(h.Width)
			}
		}
	}
	if h.colors != ycc && h.colors != grey {
		cost += 4 * int64(h.Width) * int64(h.Height)
	}
	return cost + tables
}

// tables is the memory of a decoder's tables: eight of Huffman's at most.
const tables = 64 << 10

func ceil(a, b int) int { return (a + b - 1) / b }

// Markers of T.81 table B.1, without their 0xFF.
const (
	SOF0  = 0xC0 // baseline DCT
	SOF1  = 0xC1 // extended sequential DCT, Huffman
	SOF2  = 0xC2 // progressive DCT, Huffman
	DHT   = 0xC4 // Huffman tables
	SOF15 = 0xCF // the last of the frame headers, of which C4, C8 and CC are none
	RST0  = 0xD0 // the first restart marker
	RST7  = 0xD7 // the last one
	SOI   = 0xD8 // start of image
	EOI   = 0xD9 // end of image
	SOS   = 0xDA // start of scan
	DQT   = 0xDB // quantisation tables
	DRI   = 0xDD // restart interval
	APP0  = 0xE0 // JFIF
	APP1  = 0xE1 // Exif
	APP14 = 0xEE // Adobe
	APP15 = 0xEF
	COM   = 0xFE
	tem   = 0x01
)

// A Segment is a marker with what belongs to it.
type Segment struct {
	Marker byte
	At     int    // offset of its 0xFF
	Body   []byte // its parameters, without the length; nil for markers without
	End    int    // offset of what follows
	// Short says that the parameters are cut short: Body is nil, End is the end
	// of the data.
	Short bool
}

// Next returns the first marker segment of data at or after offset at. It passes
// over all that is no marker: fill bytes (B.1.1.2), entropy-coded data, and stray
// bytes that some cameras leave before a marker, as libjpeg does. It reports
// false when no marker is left.
func Next(data []byte, at int) (Segment, bool) {
	for at < len(data) {
		i := bytes.IndexByte(data[at:], 0xFF)
		if i < 0 || at+i+1 >= len(data) {
			break
		}
		at += i
		switch m := data[at+1]; m {
		case 0xFF:
			at++
		case 0:
			at += 2
		default:
			return segment(data, at, m), true
		}
	}
	return Segment{}, false
}

func segment(data []byte, at int, marker byte) Segment {
	s := Segment{Marker: marker, At: at, End: at + 2}
	if marker >= RST0 && marker <= EOI || marker == tem {
		return s
	}
	if s.End+2 <= len(data) {
		n := int(data[s.End])<<8 | int(data[s.End+1])
		if n >= 2 && s.End+n <= len(data) {
			s.Body, s.End = data[s.End+2:s.End+n], s.End+n
			return s
		}
	}
	s.End, s.Short = len(data), true
	return s
}

// isFrame reports whether a marker is that of a frame header (table B.1).
func isFrame(marker byte) bool {
	return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != 0xC8 && marker != 0xCC
}

// Errors of pictures.
var (
	// ErrFormat: the data are no valid JPEG.
	ErrFormat = errors.New("broken JPEG")
	// ErrUnsupported: the data are of a kind of JPEG that is not decoded.
	ErrUnsupported = errors.New("unsupported kind of JPEG")
	// ErrSampling: a plane's size is no whole fraction of the picture's.
	ErrSampling = fmt.Errorf("%w: fractional sampling", ErrUnsupported)
	// ErrShort: the data end before the picture does.
	ErrShort = fmt.Errorf("%w: it is cut short", ErrFormat)
)

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// maxComponents is the most that a picture has: CMYK.
const maxComponents = 4

// A Component is one of a picture's planes, as the frame header declares it.
type Component struct {
	ID   byte
	H, V int // sampling factors, 1 to 4
	Tq   int // number of its quantisation table, 0 to 3
}

// A Frame is what a frame header says (B.2.2).
type Frame struct {
	Marker        byte // SOF0, SOF1 or SOF2
	Width, Height int
	Components    []Component
	MaxH, MaxV    int // largest sampling factors
}

// Progressive reports whether the picture comes in progressive scans.
func (f *Frame) Progressive() bool { return f.Marker == SOF2 }

// kinds names the frame headers that are not decoded (table B.1).
var kinds = map[byte]string{
	0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical", 0xC7: "hierarchical",
	0xC9: "arithmetic-coded", 0xCA: "arithmetic-coded", 0xCB: "lossless arithmetic-coded",
	0xCD: "hierarchical", 0xCE: "hierarchical", 0xCF: "hierarchical",
}

// ParseFrame reads the segment of a frame header.
func ParseFrame(s Segment) (Frame, error) {
	b := s.Body
	f := Frame{Marker: s.Marker}
	switch {
	case s.Short:
		return f, ErrShort
	case kinds[s.Marker] != "":
		return f, fmt.Errorf("%w: %s", ErrUnsupported, kinds[s.Marker])
	case len(b) < 6 || len(b) != 6+3*int(b[5]):
		return f, broken("frame header of %d bytes", len(b))
	case b[0] != 8:
		return f, fmt.Errorf("%w: samples of %d bits", ErrUnsupported, b[0])
	}
	f.Height = int(b[1])<<8 | int(b[2])
	f.Width = int(b[3])<<8 | int(b[4])
	if f.Width == 0 || f.Height == 0 {
		return f, broken("size of %d x %d", f.Width, f.Height)
	}
	n := int(b[5])
	if n != 1 && n != 3 && n != 4 {
		return f, fmt.Errorf("%w: %d components", ErrUnsupported, n)
	}
	f.Components = make([]Component, n)
	for i := range f.Components {
		c := Component{b[6+3*i], int(b[7+3*i] >> 4), int(b[7+3*i] & 15), int(b[8+3*i])}
		if c.H < 1 || c.H > 4 || c.V < 1 || c.V > 4 || c.Tq > 3 {
			return f, broken("component %d with sampling %dx%d and table %d", c.ID, c.H, c.V, c.Tq)
		}
		for _, other := range f.Components[:i] {
			if other.ID == c.ID {
				return f, broken("component %d twice", c.ID)
			}
		}
		f.Components[i] = c
		f.MaxH, f.MaxV = max(f.MaxH, c.H), max(f.MaxV, c.V)
	}
	return f, nil
}
