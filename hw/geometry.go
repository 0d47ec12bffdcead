package hw

import "fmt"

// Geometry is the pixel layout of a framebuffer (linux/fb.h:
// struct fb_var_screeninfo and fb_fix_screeninfo).
type Geometry struct {
	Width, Height           int // visible pixels
	Stride                  int // bytes from one row to the next (line_length)
	BitsPerPixel            int // 16, 24 or 32
	Red, Green, Blue, Alpha Bitfield
}

// maxSide bounds a screen's width and height: twice an 8K television.
const maxSide = 16384

// maxMemory bounds a screen's pixel memory in bytes, so that an int of 32 bits
// can count it: the largest screen without padding.
const maxMemory = 4 * maxSide * maxSide

// Validate refuses a geometry that cannot be drawn on.
func (g Geometry) Validate() error {
	switch {
	case g.BitsPerPixel != 16 && g.BitsPerPixel != 24 && g.BitsPerPixel != 32:
		return fmt.Errorf("%w: framebuffer of %d bits per pixel; set one of 16, 24 or 32 (fbset -depth 32)", ErrUnsupported, g.BitsPerPixel)
	case g.Width < 1 || g.Height < 1 || g.Width > maxSide || g.Height > maxSide:
		return fmt.Errorf("%w: framebuffer of %d x %d pixels", ErrUnsupported, g.Width, g.Height)
	case g.Stride < g.Width*g.BitsPerPixel/8 || g.Stride > 16*maxSide:
		return fmt.Errorf("%w: framebuffer rows of %d bytes for %d pixels of %d bits", ErrUnsupported, g.Stride, g.Width, g.BitsPerPixel)
	case int64(g.Stride)*int64(g.Height) > maxMemory:
		return fmt.Errorf("%w: framebuffer of %d rows of %d bytes", ErrUnsupported, g.Height, g.Stride)
	}
	var used uint32
	for _, c := range []struct {
		name string
		Bitfield
		need bool
	}{{"red", g.Red, true}, {"green", g.Green, true}, {"blue", g.Blue, true}, {"alpha", g.Alpha, false}} {
		if !c.need && c.Length == 0 {
			continue
		}
		if c.Length < 1 || c.Length > 8 || c.Offset < 0 || c.Offset+c.Length > g.BitsPerPixel {
			return fmt.Errorf("%w: framebuffer with %d %s bits at bit %d of %d", ErrUnsupported, c.Length, c.name, c.Offset, g.BitsPerPixel)
		}
		mask := uint32(1<<c.Length-1) << c.Offset
		if used&mask != 0 {
			return fmt.Errorf("%w: framebuffer whose %s bits overlap another channel", ErrUnsupported, c.name)
		}
		used |= mask
	}
	return nil
}

// String describes the layout in a few words: "800x480 RGB565, stride 1600".
func (g Geometry) String() string {
	return fmt.Sprintf("%dx%d %s, stride %d", g.Width, g.Height, g.layout(), g.Stride)
}

func (g Geometry) layout() string {
	r, gr, b := g.Red, g.Green, g.Blue
	switch {
	case g.BitsPerPixel == 16 && r == Bitfield{11, 5} && gr == Bitfield{5, 6} && b == Bitfield{0, 5}:
		return "RGB565"
	case g.BitsPerPixel == 16 && b == Bitfield{11, 5} && gr == Bitfield{5, 6} && r == Bitfield{0, 5}:
		return "BGR565"
	case g.BitsPerPixel == 24 && r == Bitfield{16, 8} && gr == Bitfield{8, 8} && b == Bitfield{0, 8}:
		return "RGB888"
	case g.BitsPerPixel == 24 && r == Bitfield{0, 8} && gr == Bitfield{8, 8} && b == Bitfield{16, 8}:
		return "BGR888"
	case g.BitsPerPixel == 32 && r == Bitfield{16, 8} && gr == Bitfield{8, 8} && b == Bitfield{0, 8}:
		return "XRGB8888"
	case g.BitsPerPixel == 32 && r == Bitfield{0, 8} && gr == Bitfield{8, 8} && b == Bitfield{16, 8}:
		return "XBGR8888"
	}
	return fmt.Sprintf("%d bpp r%d@%d g%d@%d b%d@%d", g.BitsPerPixel,
		r.Length, r.Offset, gr.Length, gr.Offset, b.Length, b.Offset)
}
