package pictures

import (
	"context"
	"strconv"
	"strings"

	"pithings/camera/mjpeg"
	"pithings/fleet/internal/splitmix"
	"pithings/hw"
)

// A picture: small, so that a thousand screens can fetch theirs.
const (
	width   = 320
	height  = 240
	quality = 75

	// drawn is how many pictures are drawn at a time. Others wait: drawing takes a few milliseconds.
	drawn = 2
)

// pen is what a picture is drawn with.
type pen struct {
	encoder *mjpeg.Encoder
	pix     []byte
}

// Draw returns a device's picture as a JPEG. The same device and number have the same picture.
func (a *Album) Draw(ctx context.Context, device int, number uint32) ([]byte, error) {
	var p *pen
	select {
	case p = <-a.pens:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { a.pens <- p }()
	if p == nil {
		p = &pen{mjpeg.NewEncoder(quality), make([]byte, hw.LayoutOf(hw.YU12, width, height, width).Bytes)}
	}
	p.draw(a.seed, device, number, a.name(device))
	return p.encoder.Append(make([]byte, 0, 16<<10), mjpeg.Frame{Pixel: hw.YU12, Pix: p.pix, Stride: width, Width: width, Height: height, FullRange: true})
}

// draw draws a room in the device's own colour, something that moves from picture to picture, the
// device's name and the number.
func (p *pen) draw(seed uint64, device int, number uint32, name string) {
	l := hw.LayoutOf(hw.YU12, width, height, width)
	tint := splitmix.Mix(seed + uint64(device)*2)
	for i := l.Cb.Offset; i < l.Cr.Offset; i++ {
		p.pix[i] = byte(88 + tint%80)
	}
	for i := l.Cr.Offset; i < l.Bytes; i++ {
		p.pix[i] = byte(88 + tint>>32%80)
	}
	where := splitmix.Mix(splitmix.Mix(seed+uint64(device)*2+1) + uint64(number))
	x0, y0 := int(where%(width-40)), int(where>>32%(height/2-40))
	for y := range height {
		for x := range width {
			v := byte(70 + 60*y/height)
			if dx, dy := x-x0-20, y-y0-20; dx*dx+dy*dy < 20*20 {
				v = 215
			}
			p.pix[y*width+x] = v
		}
	}
	p.text(height*55/100, name)
	p.text(height*78/100, "#"+strconv.FormatUint(uint64(number), 10))
}

// text writes a line in the middle, as large as it fits.
func (p *pen) text(y int, text string) {
	const advance, tall, largest = 4, 5, 8
	if most := (width - 8) / advance; len(text) > most {
		text = text[:most]
	}
	scale := min((width-8)/(advance*max(len(text), 1)), largest)
	x := (width - scale*(advance*len(text)-1)) / 2
	for _, r := range strings.ToUpper(text) {
		glyph := glyphs[r]
		for dot := range 15 {
			if glyph>>(14-dot)&1 == 0 {
				continue
			}
			for dy := range scale {
				row := p.pix[(y+dot/3*scale+dy)*width:]
				for dx := range scale {
					row[x+dot%3*scale+dx] = 255
				}
			}
		}
		x += advance * scale
	}
}

// glyphs are the characters that names of devices have, of three by five dots, row by row from the
// top, five rows of octal digits.
var glyphs = map[rune]uint16{
	'0': 0o75557, '1': 0o26227, '2': 0o71747, '3': 0o71717, '4': 0o55711, '5': 0o74717,
	'6': 0o74757, '7': 0o71122, '8': 0o75757, '9': 0o75717,
	'A': 0o25755, 'B': 0o65656, 'C': 0o34443, 'D': 0o65556, 'E': 0o74647, 'F': 0o74644,
	'G': 0o34553, 'H': 0o55755, 'I': 0o72227, 'J': 0o11152, 'K': 0o55655, 'L': 0o44447,
	'M': 0o57755, 'N': 0o65555, 'O': 0o25552, 'P': 0o65644, 'Q': 0o25563, 'R': 0o65655,
	'S': 0o34216, 'T': 0o72222, 'U': 0o55557, 'V': 0o55552, 'W': 0o55775, 'X': 0o55255,
	'Y': 0o55222, 'Z': 0o71247, '-': 0o00700, '_': 0o00007, '.': 0o00002, ':': 0o02020,
	'#': 0o57575,
}
