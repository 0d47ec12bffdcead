package mock

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"time"
)

// The test card, from top to bottom: colour bars, a strip on which a mark
// wanders with every frame, the time (UTC) and the number of the frame in
// digits, and the same for programs: 128 cells, black or white, of the frame
// number (32 bits), the time (64 bits, nanoseconds since 1970) and a CRC-32.
// The places are in per cent of the height.
const (
	barsEnd  = 45
	stripEnd = 52
	textEnd  = 75

	cellColumns = 32
	cellRows    = 4
)

// drawCard draws the card of a frame.
func drawCard(c canvas, frame uint32, exposed time.Time) {
	w, h := c.size()
	for i, t := range bars {
		c.fill(i*w/len(bars), 0, (i+1)*w/len(bars), h*barsEnd/100, t)
	}

	c.fill(0, h*barsEnd/100, w, h, black)
	wide := max(2, w/16)
	x := int(frame%16) * (w - wide) / 15
	c.fill(x, h*barsEnd/100, x+wide, h*stripEnd/100, white)

	text := fmt.Sprintf("%s %06d", exposed.UTC().Format("15:04:05"), frame%1e6)
	scale := max(2, min(w/(4*len(text)+2), h*(textEnd-stripEnd)/100/7))
	drawText(c, (w-scale*(4*len(text)-1))/2, h*stripEnd/100+scale, scale, text)

	bits := cardBits(frame, exposed)
	for i := range 8 * len(bits) {
		if bits[i/8]>>(7-i%8)&1 != 0 {
			at := cell(image.Rect(0, 0, w, h), i)
			c.fill(at.Min.X, at.Min.Y, at.Max.X, at.Max.Y, white)
		}
	}
}

func cardBits(frame uint32, exposed time.Time) [cellColumns * cellRows / 8]byte {
	var b [cellColumns * cellRows / 8]byte
	binary.BigEndian.PutUint32(b[0:], frame)
	binary.BigEndian.PutUint64(b[4:], uint64(exposed.UnixNano()))
	binary.BigEndian.PutUint32(b[12:], crc32.ChecksumIEEE(b[:12]))
	return b
}

// cell is the place of a bit's cell in a picture.
func cell(r image.Rectangle, i int) image.Rectangle {
	column, row := i%cellColumns, i/cellColumns
	top := r.Dy() * textEnd / 100
	return image.Rect(
		column*r.Dx()/cellColumns, top+row*(r.Dy()-top)/cellRows,
		(column+1)*r.Dx()/cellColumns, top+(row+1)*(r.Dy()-top)/cellRows,
	).Add(r.Min)
}

// ReadCard reads the test card back from a picture, which must show the whole
// card upright, at any size of about 100 pixels and more. It reports which frame
// it is and when it was exposed; ok is false when there is no card or it is
// damaged.
func ReadCard(img image.Image) (frame uint32, exposed time.Time, ok bool) {
	r := img.Bounds()
	if r.Dx() < 2*cellColumns || r.Dy() < 8*cellRows {
		return 0, time.Time{}, false
	}
	var b [cellColumns * cellRows / 8]byte
	for i := range 8 * len(b) {
		at := cell(r, i)
		x, y := (at.Min.X+at.Max.X)/2, (at.Min.Y+at.Max.Y)/2
		sum := 0
		for _, p := range [...]image.Point{{x, y}, {x - 1, y}, {x, y - 1}, {x - 1, y - 1}} {
			sum += int(color.GrayModel.Convert(img.At(p.X, p.Y)).(color.Gray).Y)
		}
		if sum >= 4*128 {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	if crc32.ChecksumIEEE(b[:12]) != binary.BigEndian.Uint32(b[12:]) {
		return 0, time.Time{}, false
	}
	return binary.BigEndian.Uint32(b[:]), time.Unix(0, int64(binary.BigEndian.Uint64(b[4:]))), true
}

// glyphs of three by five pixels, row by row from the top, five rows of octal
// digits.
var glyphs = map[rune]uint16{
	'0': 0o75557, '1': 0o26227, '2': 0o71747, '3': 0o71717, '4': 0o55711, '5': 0o74717,
	'6': 0o74757, '7': 0o71122, '8': 0o75757, '9': 0o75717, ':': 0o02020,
}

// drawText writes digits, colons and blanks; scale is the side of a dot.
func drawText(c canvas, x, y, scale int, text string) {
	for _, r := range text {
		for dot := range 15 {
			if glyphs[r]>>(14-dot)&1 != 0 {
				dx, dy := x+dot%3*scale, y+dot/3*scale
				c.fill(dx, dy, dx+scale, dy+scale, white)
			}
		}
		x += 4 * scale
	}
}
