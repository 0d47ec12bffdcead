package hw_test

import (
	"errors"
	"math"
	"testing"

	"pithings/hw"
)

func bits(offset, length int) hw.Bitfield { return hw.Bitfield{Offset: offset, Length: length} }

// layout makes a geometry whose rows have no padding.
func layout(width, height, bpp int, red, green, blue hw.Bitfield) hw.Geometry {
	return hw.Geometry{Width: width, Height: height, Stride: width * bpp / 8, BitsPerPixel: bpp, Red: red, Green: green, Blue: blue}
}

func with(g hw.Geometry, change func(*hw.Geometry)) hw.Geometry {
	change(&g)
	return g
}

var xrgb = layout(800, 480, 32, bits(16, 8), bits(8, 8), bits(0, 8))

func TestGeometryValidate(t *testing.T) {
	for _, row := range []struct {
		name string
		hw.Geometry
		ok bool
	}{
		{"the 7 inch display of a Pi", xrgb, true},
		{"RGB565 of a Pi Zero", layout(640, 480, 16, bits(11, 5), bits(5, 6), bits(0, 5)), true},
		{"BGR888 with padded rows", with(layout(479, 321, 24, bits(0, 8), bits(8, 8), bits(16, 8)), func(g *hw.Geometry) { g.Stride = 1536 }), true},
		{"with alpha", with(xrgb, func(g *hw.Geometry) { g.Alpha = bits(24, 8) }), true},
		{"RGB555", layout(320, 240, 16, bits(10, 5), bits(5, 5), bits(0, 5)), true},
		{"one pixel", layout(1, 1, 32, bits(16, 8), bits(8, 8), bits(0, 8)), true},
		{"8K television", layout(7680, 4320, 32, bits(16, 8), bits(8, 8), bits(0, 8)), true},

		{"nothing", hw.Geometry{}, false},
		{"8 bits with a palette", layout(800, 480, 8, bits(0, 8), bits(0, 8), bits(0, 8)), false},
		{"monochrome", layout(128, 64, 1, bits(0, 1), bits(0, 1), bits(0, 1)), false},
		{"18 bits", layout(240, 320, 18, bits(12, 6), bits(6, 6), bits(0, 6)), false},
		{"no columns", layout(0, 480, 32, bits(16, 8), bits(8, 8), bits(0, 8)), false},
		{"no rows", layout(800, 0, 32, bits(16, 8), bits(8, 8), bits(0, 8)), false},
		{"negative size", layout(-800, -480, 32, bits(16, 8), bits(8, 8), bits(0, 8)), false},
		{"too wide", layout(16385, 1, 32, bits(16, 8), bits(8, 8), bits(0, 8)), false},
		{"too high", layout(1, 16385, 32, bits(16, 8), bits(8, 8), bits(0, 8)), false},
		{"rows overlap", with(xrgb, func(g *hw.Geometry) { g.Stride-- }), false},
		{"negative stride", with(xrgb, func(g *hw.Geometry) { g.Stride = -3200 }), false},
		{"endless stride", with(xrgb, func(g *hw.Geometry) { g.Stride = math.MaxInt32 }), false},
		{"more memory than 32 bits can count", with(xrgb, func(g *hw.Geometry) { g.Height, g.Stride = 16384, 16*16384 }), false},
		{"no red", with(xrgb, func(g *hw.Geometry) { g.Red = bits(0, 0) }), false},
		{"no green", with(xrgb, func(g *hw.Geometry) { g.Green = bits(0, 0) }), false},
		{"no blue", with(xrgb, func(g *hw.Geometry) { g.Blue = bits(0, 0) }), false},
		{"channel outside the pixel", layout(800, 480, 16, bits(12, 5), bits(5, 6), bits(0, 5)), false},
		{"channel before the pixel", with(xrgb, func(g *hw.Geometry) { g.Blue = bits(-1, 8) }), false},
		{"ten bits of red", layout(800, 480, 32, bits(20, 10), bits(10, 10), bits(0, 10)), false},
		{"negative length", with(xrgb, func(g *hw.Geometry) { g.Red = bits(16, -8) }), false},
		{"red and green overlap", with(xrgb, func(g *hw.Geometry) { g.Red = bits(15, 8) }), false},
		{"alpha over red", with(xrgb, func(g *hw.Geometry) { g.Alpha = bits(16, 8) }), false},
		{"alpha outside the pixel", with(xrgb, func(g *hw.Geometry) { g.Alpha = bits(30, 8) }), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := row.Validate()
			if (err == nil) != row.ok {
				t.Errorf("%v: %v", row.Geometry, err)
			}
			if err != nil && !errors.Is(err, hw.ErrUnsupported) {
				t.Errorf("%v is not %v", err, hw.ErrUnsupported)
			}
		})
	}
}

func TestGeometryString(t *testing.T) {
	for _, row := range []struct {
		hw.Geometry
		want string
	}{
		{xrgb, "800x480 XRGB8888, stride 3200"},
		{layout(2, 1, 32, bits(0, 8), bits(8, 8), bits(16, 8)), "2x1 XBGR8888, stride 8"},
		{layout(640, 480, 16, bits(11, 5), bits(5, 6), bits(0, 5)), "640x480 RGB565, stride 1280"},
		{layout(640, 480, 16, bits(0, 5), bits(5, 6), bits(11, 5)), "640x480 BGR565, stride 1280"},
		{layout(4, 4, 24, bits(16, 8), bits(8, 8), bits(0, 8)), "4x4 RGB888, stride 12"},
		{layout(4, 4, 24, bits(0, 8), bits(8, 8), bits(16, 8)), "4x4 BGR888, stride 12"},
		{layout(320, 240, 16, bits(10, 5), bits(5, 5), bits(0, 5)), "320x240 16 bpp r5@10 g5@5 b5@0, stride 640"},
	} {
		if got := row.String(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}

// FuzzGeometry: whatever a driver says of its screen, a geometry that is
// accepted can be drawn on without touching a byte outside it, also where int
// has 32 bits.
func FuzzGeometry(f *testing.F) {
	f.Add(800, 480, 3200, 32, 16, 8, 8, 8, 0, 8, 0, 0)
	f.Add(640, 480, 1280, 16, 11, 5, 5, 6, 0, 5, 0, 0)
	f.Add(479, 321, 1536, 24, 0, 8, 8, 8, 16, 8, 0, 0)
	f.Add(16384, 16384, 262144, 32, 16, 8, 8, 8, 0, 8, 24, 8)
	f.Add(-1, 1, math.MaxInt, 32, math.MinInt, 8, math.MaxInt, 8, 31, 8, 0, -1)
	f.Fuzz(func(t *testing.T, width, height, stride, bpp, ro, rl, g0, gl, bo, bl, ao, al int) {
		g := hw.Geometry{Width: width, Height: height, Stride: stride, BitsPerPixel: bpp,
			Red: bits(ro, rl), Green: bits(g0, gl), Blue: bits(bo, bl), Alpha: bits(ao, al)}
		if g.String() == "" {
			t.Error("a geometry without words")
		}
		if g.Validate() != nil {
			return
		}
		memory := int64(g.Stride) * int64(g.Height)
		if memory < 1 || memory > math.MaxInt32 {
			t.Errorf("%v has %d bytes", g, memory)
		}
		if last := int64(g.Height-1)*int64(g.Stride) + int64(g.Width)*int64(g.BitsPerPixel/8); last > memory {
			t.Errorf("%v: the last pixel ends at %d of %d bytes", g, last, memory)
		}
		var used uint64
		for _, c := range []hw.Bitfield{g.Red, g.Green, g.Blue, g.Alpha} {
			if c.Length == 0 {
				continue
			}
			mask := uint64(1<<c.Length-1) << c.Offset
			if used&mask != 0 || mask >= 1<<g.BitsPerPixel {
				t.Errorf("%v: channel %+v overlaps another or lies outside the pixel", g, c)
			}
			used |= mask
		}
	})
}
